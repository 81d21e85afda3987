//! `ventral serve worker-slot`: the child process of a worker.

use std::io::{BufReader, stdin, stdout};
use std::time::Duration;

use ventral_worker::default_memory_bytes;
use ventral_worker::service::{SlotConfig, serve_slot};

use super::args::SlotArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::telemetry;

/// Serves the supervisor until it closes standard input.
pub fn serve(context: &Context, arguments: &SlotArgs) -> Outcome {
    telemetry::init("slot", arguments.log_format, None)?;
    // Half for objects of a remote store, half for the files of jobs.
    let half = arguments.cache_bytes / 2;
    let store = context.shared_store()?.with_cache(arguments.cache_dir.join("store"), half);
    let config = SlotConfig {
        worker: arguments.worker.clone(),
        store,
        bundles: arguments.cache_dir.join("bundles"),
        bundle_bytes: half,
        memory_bytes: context.memory.unwrap_or_else(default_memory_bytes),
        threads: rayon::current_num_threads(),
        patience: Duration::from_secs(arguments.store_patience_seconds),
    };
    // The supervisor is gone or wants an end: nobody waits for the unit.
    let at_end = || std::process::exit(0);
    let served = serve_slot(config, BufReader::new(stdin()), stdout(), at_end);
    served.map_err(|error| Exit::Machine(anyhow::anyhow!("a slot lost its supervisor: {error}")))
}
