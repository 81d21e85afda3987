//! One unit from lease to report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument as _;

use super::executor::{Executor, Outcome, Stop, StopReason};
use super::{Config, Control, answer};
use crate::contract::Queue;
use crate::fault;
use crate::types::{Error, Failure, FailureKind, Finished, Lease, MAX_REASON_CHARS};

/// First pause before a report is sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before a report is sent again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a unit that was stopped tries to report.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Executes a unit and reports, in the background.
pub fn start(
    config: Arc<Config>,
    queue: Arc<dyn Queue>,
    executor: Arc<dyn Executor>,
    control: Control,
    lease: Lease,
) {
    let span = executor.span(&lease, &config.worker);
    let kind = executor.kind(&lease);
    let (slot, stop) = control.begin(&lease.held);
    metrics::counter!("ventral_units_taken_total", "kind" => kind).increment(1);
    metrics::histogram!("ventral_unit_wait_seconds", "kind" => kind).record(lease.waited_ms as f64 / 1e3);
    let serving = async move {
        tracing::info!(slot, attempts = lease.attempts, crashes = lease.crashes, "taken");
        let started = Instant::now();
        let outcome = execute(&executor, slot, &lease, stop.clone()).await;
        let seconds = started.elapsed().as_secs_f64();
        metrics::histogram!("ventral_unit_seconds", "kind" => kind).record(seconds);
        let report = Report { config: &config, queue: &queue, control: &control, lease: &lease, kind };
        report.send(outcome, stop.reason(), seconds).await;
        control.finished(&lease.held);
    };
    tokio::spawn(serving.instrument(span));
}

/// Executes a unit; an executor that panics is a crash of the unit.
async fn execute(executor: &Arc<dyn Executor>, slot: usize, lease: &Lease, stop: Stop) -> Outcome {
    let (executor, lease) = (executor.clone(), lease.clone());
    let execution = async move { executor.execute(slot, &lease, stop).await };
    match tokio::spawn(execution.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(Failure {
            kind: FailureKind::Crash,
            reason: "the unit ended in a panic".to_owned(),
            evidence: error.to_string(),
        }),
    }
}

struct Report<'a> {
    config: &'a Config,
    queue: &'a Arc<dyn Queue>,
    control: &'a Control,
    lease: &'a Lease,
    kind: &'static str,
}

/// What the queue is told.
enum Message {
    Finish(Vec<u8>),
    Fail(Failure),
    Yield,
}

impl Report<'_> {
    async fn send(&self, outcome: Outcome, stopped: Option<StopReason>, seconds: f64) {
        let kind = self.kind;
        match outcome {
            Outcome::Finished { report } => {
                fault::point("before-finish");
                let recorded = self.insist(Message::Finish(report)).await;
                self.control.succeeded();
                metrics::counter!("ventral_units_finished_total", "kind" => kind).increment(1);
                tracing::info!(seconds, recorded, "finished");
            }
            Outcome::Failed(failure) => {
                let failure = cut(failure);
                let what = failure_name(failure.kind);
                metrics::counter!("ventral_units_failed_total", "kind" => kind, "failure" => what)
                    .increment(1);
                tracing::warn!(seconds, failure = what, reason = failure.reason, "failed");
                if failure.kind == FailureKind::Machine {
                    self.control.fault(&failure.reason);
                }
                let recorded = self.insist(Message::Fail(failure)).await;
                tracing::info!(recorded, "failure reported");
            }
            Outcome::Stopped if stopped == Some(StopReason::FinishedElsewhere) => {
                tracing::info!("stopped: another worker finished it");
            }
            Outcome::Stopped => {
                let recorded = self.insist(Message::Yield).await;
                tracing::info!(reason = ?stopped, recorded, "given back");
            }
        }
    }

    async fn tell(&self, message: &Message) -> Result<Finished, Error> {
        let (held, worker) = (&self.lease.held, self.config.worker.as_str());
        match message {
            Message::Finish(report) => answer(self.queue.finish(held, worker, report)).await,
            Message::Fail(failure) => answer(self.queue.fail(held, worker, failure)).await,
            Message::Yield => answer(self.queue.yield_back(held, worker)).await,
        }
    }

    /// Repeats a report until the queue takes it. A queue that never does costs nothing: results are in the store.
    async fn insist(&self, message: Message) -> Option<&'static str> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.tell(&message).await {
                Ok(finished) => {
                    self.control.reached();
                    return Some(name(finished));
                }
                Err(error) => error,
            };
            let limit = if self.control.is_draining() { LAST_WORDS } else { self.config.give_up };
            let hopeless = matches!(error, Error::Invalid { .. });
            if hopeless || started.elapsed() >= limit {
                tracing::error!(%error, "cannot report what became of the unit");
                return None;
            }
            self.control.failed(&error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn cut(failure: Failure) -> Failure {
    let cut = |text: String| text.chars().take(MAX_REASON_CHARS).collect();
    Failure { kind: failure.kind, reason: cut(failure.reason), evidence: cut(failure.evidence) }
}

fn failure_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Attempt => "attempt",
        FailureKind::Crash => "crash",
        FailureKind::Permanent => "permanent",
        FailureKind::Input => "input",
        FailureKind::Machine => "machine",
    }
}

fn name(finished: Finished) -> &'static str {
    match finished {
        Finished::Recorded => "recorded",
        Finished::Late => "late",
        Finished::Requeued => "requeued",
        Finished::Dead => "dead",
        Finished::Unknown => "unknown",
        Finished::Ignored => "ignored",
    }
}
