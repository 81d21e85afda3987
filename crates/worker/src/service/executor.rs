//! The supervisor's side: units are handed to children, one per slot.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Mutex;
use ventral_plan::{Assignment, UnitReport, Work};
use ventral_queue::consumer::machine::NO_PROCESS;
use ventral_queue::consumer::{Executor, Link, Outcome, Stop, unit_span};
use ventral_queue::{Failure, FailureKind, Lease};

use super::child::Child;
pub use super::child::SlotCommand;
use super::limits::{TimeLimits, overrun};
use super::probe::Probe;
use super::protocol::{Reply, Request};

/// How long a slot that is only tested may take to answer.
const PROBE: Duration = Duration::from_secs(60);

/// Computes units in child processes.
pub struct SlotExecutor {
    command: SlotCommand,
    slots: Vec<Mutex<Slot>>,
    link: Option<Link>,
    limits: TimeLimits,
    probe: Option<Probe>,
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
        let slots = (0..slots).map(|_| Mutex::default()).collect();
        Self { command, slots, link: None, limits: TimeLimits::default(), probe: None }
    }

    /// Ends units that run for longer than these limits.
    #[must_use]
    pub fn with_limits(mut self, limits: TimeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Tests the machine by this after faults of its own, besides starting a slot.
    #[must_use]
    pub fn with_probe(mut self, probe: Probe) -> Self {
        self.probe = Some(probe);
        self
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
                    let reason = format!("{NO_PROCESS}: cannot start {program}: {error}");
                    return Outcome::Failed(failure(FailureKind::Machine, reason));
                }
            },
        };
        let (started, limit) = (Instant::now(), self.limits.of(&request.assignment));
        let reply = tokio::select! {
            reply = child.ask(request) => reply,
            _ = stop.requested() => {
                slot.replaced = true;
                child.kill().await;
                return Outcome::Stopped;
            }
            () = tokio::time::sleep(limit) => {
                slot.replaced = true;
                let evidence = child.kill().await;
                let reason = overrun(&request.assignment, started.elapsed(), limit);
                return Outcome::Failed(Failure { kind: FailureKind::Attempt, reason, evidence });
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
                let (kind, reason) = match crash.never_began {
                    true => (FailureKind::Machine, format!("{NO_PROCESS}: {}", crash.reason)),
                    false => (FailureKind::Crash, crash.reason),
                };
                Outcome::Failed(Failure { kind, reason, evidence: crash.evidence })
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

    async fn probe(&self) -> Result<(), String> {
        if let Some(probe) = self.probe.clone() {
            let tested = tokio::task::spawn_blocking(move || probe.run()).await;
            tested.map_err(|error| error.to_string())??;
        }
        let none = |error| format!("{NO_PROCESS}: cannot start {}: {error}", self.command.program.display());
        let mut child = Child::start(&self.command, true).map_err(none)?;
        let assignment = Assignment {
            job: "probe".to_owned(),
            work: Work::Drill { milliseconds: 0 },
            traceparent: None,
            predicted_seconds: None,
        };
        let asked = Request { unit: "probe".to_owned(), epoch: 0, assignment };
        let reply = tokio::time::timeout(PROBE, child.ask(&asked)).await;
        child.kill().await;
        match reply {
            Ok(Ok(Reply::Finished { .. })) => Ok(()),
            Ok(Ok(Reply::Failed { reason, .. })) => Err(reason),
            Ok(Err(crash)) => Err(format!("{NO_PROCESS}: {}", crash.reason)),
            Err(_) => Err(format!("{NO_PROCESS}: no answer within {} s", PROBE.as_secs())),
        }
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
