//! `ventral serve aggregator`: assembles results.

use std::sync::Arc;
use std::time::Duration;

use ventral_aggregator::service::Assembler;
use ventral_plan::pool::ASSEMBLE_POOL;
use ventral_queue::consumer::Executor;
use ventral_store::Store;

use super::args::AggregatorArgs;
use super::consumer::{Consumer, cache_dir, config};
use crate::context::Context;
use crate::exit::Outcome;
use crate::telemetry;

/// Serves until drained.
pub fn serve(context: &Context, arguments: &AggregatorArgs) -> Outcome {
    let store = context.shared_store()?;
    let store = store.with_cache(cache_dir(&arguments.cache).join("store"), arguments.cache.cache_bytes);
    let consumer = Consumer { role: "aggregator", common: &arguments.common, queue: &arguments.queue };
    let pools = vec![ASSEMBLE_POOL.to_owned()];
    let config = config(&arguments.queue, &arguments.consumer, pools, usize::from(arguments.slots));
    consumer.serve(config, executor(store, arguments.assemble_limit_seconds))
}

/// What assembles the results of a store's jobs.
pub fn executor(store: Store, limit_seconds: u64) -> Arc<dyn Executor> {
    let limit = Duration::from_secs(limit_seconds);
    Arc::new(Assembler::new(store).with_link(Box::new(telemetry::link)).with_limit(limit))
}
