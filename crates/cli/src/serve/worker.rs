//! `ventral serve worker`: supervises slots.

use std::ffi::OsString;
use std::sync::Arc;

use ventral_plan::pool::{DRILL_POOL, MIN_CLASS, worker_pools};
use ventral_queue::consumer::{Config, Executor};
use ventral_worker::service::{Probe, SlotCommand, SlotExecutor};
use ventral_worker::{default_memory_bytes, numeric_profile};

use super::args::WorkerArgs;
use super::consumer::{Consumer, cache_dir, config};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::{telemetry, units};

/// Serves until drained.
pub fn serve(context: &Context, arguments: &WorkerArgs) -> Outcome {
    let consumer = Consumer { role: "worker", common: &arguments.common, queue: &arguments.queue };
    let (config, executor) = prepare(context, arguments)?;
    consumer.serve(config, executor)
}

/// What a worker takes and how it computes.
pub fn prepare(context: &Context, arguments: &WorkerArgs) -> Outcome<(Config, Arc<dyn Executor>)> {
    let slots = u64::from(arguments.slots);
    let memory = context.memory.unwrap_or_else(default_memory_bytes);
    let slot_bytes = memory / slots;
    let mut pools = worker_pools(&numeric_profile(), slot_bytes);
    if pools.is_empty() {
        return Err(Exit::Machine(anyhow::anyhow!(
            "{} of memory for {slots} slots is less than the {} that the smallest units need; raise --memory or lower --slots",
            units::bytes(memory),
            units::bytes(slots << MIN_CLASS)
        )));
    }
    pools.push(DRILL_POOL.to_owned());
    let threads = threads(context)? / usize::from(arguments.slots);
    let mut config = config(&arguments.queue, &arguments.consumer, pools, usize::from(arguments.slots));
    config.slot_bytes = slot_bytes;
    let command = slot_command(context, arguments, &config.worker, slot_bytes, threads.max(1))?;
    // A store that cannot be opened is a mistake to be told at once, not by every unit.
    let probe = Probe { cache: cache_dir(&arguments.cache), store: context.shared_store()? };
    let executor = SlotExecutor::new(command, usize::from(arguments.slots))
        .with_link(Box::new(telemetry::link))
        .with_limits(arguments.limits())
        .with_probe(probe);
    Ok((config, Arc::new(executor)))
}

fn threads(context: &Context) -> Outcome<usize> {
    match context.threads {
        Some(threads) => Ok(threads),
        // Knows of cgroups and affinity.
        None => std::thread::available_parallelism().map(usize::from).map_err(|error| {
            Exit::Machine(anyhow::anyhow!("cannot tell the number of CPUs: {error}; give --threads"))
        }),
    }
}

fn slot_command(
    context: &Context,
    arguments: &WorkerArgs,
    worker: &str,
    bytes: u64,
    threads: usize,
) -> Outcome<SlotCommand> {
    let program = std::env::current_exe()
        .map_err(|error| Exit::Machine(anyhow::anyhow!("cannot find this program's file: {error}")))?;
    let format = match arguments.common.log_format {
        telemetry::LogFormat::Human => "human",
        telemetry::LogFormat::Json => "json",
    };
    let mut list: Vec<OsString> = ["serve", "worker-slot", "--store"].map(OsString::from).into();
    list.push(context.store_dir.clone().into());
    list.push("--worker".into());
    list.push(worker.into());
    list.push("--cache-dir".into());
    list.push(cache_dir(&arguments.cache).into());
    let numbers = [
        ("--cache-bytes", arguments.cache.cache_bytes.to_string()),
        ("--store-patience-seconds", arguments.store_patience_seconds.to_string()),
        ("--memory", bytes.to_string()),
        ("--threads", threads.to_string()),
        ("--log-format", format.to_owned()),
    ];
    for (name, value) in numbers {
        list.push(name.into());
        list.push(value.into());
    }
    Ok(SlotCommand { program, arguments: list })
}
