//! `ventral serve aggregator`: assembles results.

use std::sync::Arc;

use ventral_aggregator::service::Assembler;
use ventral_plan::pool::ASSEMBLE_POOL;

use super::args::AggregatorArgs;
use super::consumer::{Consumer, cache_dir};
use crate::context::Context;
use crate::exit::Outcome;
use crate::telemetry;

/// Serves until drained.
pub fn serve(context: &Context, arguments: &AggregatorArgs) -> Outcome {
    let store = context.shared_store()?;
    let store = store.with_cache(cache_dir(&arguments.cache).join("store"), arguments.cache.cache_bytes);
    let executor = Assembler::new(store).with_link(Box::new(telemetry::link));
    let consumer = Consumer {
        role: "aggregator",
        common: &arguments.common,
        queue: &arguments.queue,
        consumer: &arguments.consumer,
    };
    let config = consumer.config(vec![ASSEMBLE_POOL.to_owned()], usize::from(arguments.slots));
    consumer.serve(config, Arc::new(executor))
}
