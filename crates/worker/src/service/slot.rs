//! The child's side: units come in on standard input, answers go out on standard output.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ventral_queue::fault;
use ventral_store::Store;

use super::bundles::Bundles;
use super::compute;
use super::executor::work_kind;
use super::jobs::JobCache;
use super::protocol::{Reply, Request};

/// What a slot computes with.
#[derive(Debug, Clone)]
pub struct SlotConfig {
    /// Name of the worker, for logs.
    pub worker: String,
    /// Where results and the files of jobs are.
    pub store: Store,
    /// Where the files of jobs are kept on this machine.
    pub bundles: PathBuf,
    /// Bytes they may take, but for those in use.
    pub bundle_bytes: u64,
    /// Memory of the slot in bytes.
    pub memory_bytes: u64,
    /// Threads of the slot.
    pub threads: usize,
    /// How long a store that does not answer is tried again.
    pub patience: Duration,
}

/// A slot between units.
pub(super) struct Slot {
    pub config: SlotConfig,
    pub jobs: JobCache,
}

/// Serves units until `input` ends; when it ends while a unit is computed, `at_end` is called from another thread.
///
/// # Errors
/// An input or output that fails.
pub fn serve_slot(
    config: SlotConfig,
    input: impl BufRead + Send + 'static,
    mut output: impl Write,
    at_end: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let bundles = Bundles::new(&config);
    let mut slot = Slot { jobs: JobCache::new(&config, bundles), config };
    let (sender, requests) = mpsc::channel::<io::Result<String>>();
    // Nobody waits for an answer once the input has ended.
    thread::spawn(move || {
        for line in input.lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
        at_end();
    });
    for line in requests {
        let request: Request = serde_json::from_str(&line?)?;
        let job = &request.assignment.job;
        let (worker, kind) = (&slot.config.worker, work_kind(&request.assignment.work));
        let span =
            tracing::info_span!("unit", %job, unit = request.unit, worker, epoch = request.epoch, kind);
        let reply = span.in_scope(|| {
            fault::unit(&request.unit);
            fault::kind(work_kind(&request.assignment.work));
            answer(&mut slot, &request)
        });
        serde_json::to_writer(&mut output, &reply)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(slot: &mut Slot, request: &Request) -> Reply {
    match compute::compute(slot, &request.assignment) {
        Ok(report) => Reply::Finished { report },
        Err(failure) => Reply::Failed { kind: failure.kind, reason: failure.reason, alarm: failure.alarm },
    }
}
