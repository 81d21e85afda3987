//! The supervisor's side: units are handed to children, one per slot.

use async_trait::async_trait;
use tokio::sync::Mutex;
use ventral_plan::{Assignment, UnitReport, Work};
use ventral_queue::consumer::{Executor, Link, Outcome, Stop, unit_span};
use ventral_queue::{Failure, FailureKind, Lease};

use super::child::Child;
pub use super::child::SlotCommand;
use super::protocol::{Reply, Request};

/// Computes units in child processes.
pub struct SlotExecutor {
    command: SlotCommand,
    slots: Vec<Mutex<Slot>>,
    link: Option<Link>,
}

#[derive(Default)]
struct Slot {
    child: Option<Child>,
    /// Whether a child of this slot has ended before its time.
    replaced: bool,
}

impl SlotExecutor {
    /// An executor of so many slots; children are started when they are needed.
    pub fn new(command: SlotCommand, slots: usize) -> Self {
        Self { command, slots: (0..slots).map(|_| Mutex::default()).collect(), link: None }
    }

    /// Links units to the traces of their submissions.
    #[must_use]
    pub fn with_link(mut self, link: Link) -> Self {
        self.link = Some(link);
        self
    }

    async fn compute(&self, slot: &mut Slot, request: &Request, mut stop: Stop) -> Outcome {
        let mut child = match slot.child.take() {
            Some(child) => child,
            None => match Child::start(&self.command, slot.replaced) {
                Ok(child) => child,
                Err(error) => {
                    let program = self.command.program.display();
                    let reason = format!("cannot start {program} for a slot: {error}");
                    return Outcome::Failed(failure(FailureKind::Attempt, reason));
                }
            },
        };
        let reply = tokio::select! {
            reply = child.ask(request) => reply,
            _ = stop.requested() => {
                slot.replaced = true;
                child.kill().await;
                return Outcome::Stopped;
            }
        };
        match reply {
            Ok(reply) => {
                slot.child = Some(child);
                outcome(request, reply)
            }
            Err(crash) => {
                slot.replaced = true;
                tracing::error!(reason = crash.reason, evidence = crash.evidence, "a slot crashed");
                Outcome::Failed(Failure {
                    kind: FailureKind::Crash,
                    reason: crash.reason,
                    evidence: crash.evidence,
                })
            }
        }
    }
}

#[async_trait]
impl Executor for SlotExecutor {
    fn kind(&self, lease: &Lease) -> &'static str {
        assignment(lease).map_or("unknown", |assignment| work_kind(&assignment.work))
    }

    fn span(&self, lease: &Lease, worker: &str) -> tracing::Span {
        let parent = assignment(lease).ok().and_then(|assignment| assignment.traceparent);
        unit_span(lease, worker, self.kind(lease), self.link.as_ref(), parent.as_deref())
    }

    async fn execute(&self, slot: usize, lease: &Lease, stop: Stop) -> Outcome {
        let assignment = match assignment(lease) {
            Ok(assignment) => assignment,
            Err(error) => {
                let reason = format!("the unit's assignment cannot be read by this version: {error}");
                return Outcome::Failed(failure(FailureKind::Permanent, reason));
            }
        };
        let Some(slot) = self.slots.get(slot) else {
            return Outcome::Failed(failure(FailureKind::Attempt, format!("there is no slot {slot}")));
        };
        let request = Request { unit: lease.held.unit.0.clone(), epoch: lease.held.epoch, assignment };
        let mut slot = slot.lock().await;
        self.compute(&mut slot, &request, stop).await
    }
}

fn assignment(lease: &Lease) -> Result<Assignment, serde_json::Error> {
    serde_json::from_slice(&lease.payload)
}

fn outcome(request: &Request, reply: Reply) -> Outcome {
    match reply {
        Reply::Finished { report } => {
            count(work_kind(&request.assignment.work), &report);
            // A report is plain data.
            Outcome::Finished { report: serde_json::to_vec(&report).unwrap_or_default() }
        }
        Reply::Failed { kind, reason, alarm } => {
            if alarm {
                metrics::counter!("ventral_alarms_total").increment(1);
                tracing::error!(alarm, reason, "the same unit gave other bytes than before");
            }
            Outcome::Failed(failure(kind, reason))
        }
    }
}

fn count(kind: &'static str, report: &UnitReport) {
    metrics::counter!("ventral_cache_hits_total", "kind" => kind).increment(report.cached as u64);
    metrics::counter!("ventral_cache_misses_total", "kind" => kind).increment(report.computed as u64);
    if let Some(bytes) = report.peak_bytes {
        metrics::histogram!("ventral_unit_peak_bytes", "kind" => kind).record(bytes as f64);
    }
}

fn failure(kind: FailureKind, reason: String) -> Failure {
    Failure { kind, reason, evidence: String::new() }
}

/// What a unit is, for logs and metrics.
pub(super) fn work_kind(work: &Work) -> &'static str {
    match work {
        Work::Plan { .. } => "plan",
        Work::Features { .. } => "features",
        Work::Score { .. } => "score",
        Work::Map { .. } => "map",
        Work::Synthesis { .. } => "synthesis",
        Work::Assemble => "assemble",
        Work::Drill { .. } => "drill",
    }
}
