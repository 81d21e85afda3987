//! Takes assemblies from a queue.

use std::time::Duration;

use async_trait::async_trait;
use ventral_plan::{Assignment, UnitReport, Work};
use ventral_queue::consumer::{Executor, Link, Outcome, Stop, machine_fault, unit_span};
use ventral_queue::{Failure, FailureKind, Lease, fault};
use ventral_store::{Error as StoreError, Store};

use super::assemble_job;
use crate::{Error, Results};

/// Time that assembling a job may take, in seconds.
pub const ASSEMBLE_SECONDS: u64 = 3_600;

/// Assembles jobs, each on a thread of its own.
pub struct Assembler {
    store: Store,
    link: Option<Link>,
    limit: Duration,
}

impl Assembler {
    /// An assembler of the jobs of `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, link: None, limit: Duration::from_secs(ASSEMBLE_SECONDS) }
    }

    /// Gives an assembly up that takes longer than this.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Links units to the traces of their submissions.
    #[must_use]
    pub fn with_link(mut self, link: Link) -> Self {
        self.link = Some(link);
        self
    }
}

#[async_trait]
impl Executor for Assembler {
    fn kind(&self, _: &Lease) -> &'static str {
        "assemble"
    }

    fn span(&self, lease: &Lease, worker: &str) -> tracing::Span {
        let assignment = serde_json::from_slice::<Assignment>(&lease.payload).ok();
        let parent = assignment.and_then(|assignment| assignment.traceparent);
        unit_span(lease, worker, self.kind(lease), self.link.as_ref(), parent.as_deref())
    }

    async fn probe(&self) -> Result<(), String> {
        let store = self.store.clone();
        let asked = tokio::task::spawn_blocking(move || store.ping()).await;
        asked.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn execute(&self, _: usize, lease: &Lease, mut stop: Stop) -> Outcome {
        let assignment = match serde_json::from_slice::<Assignment>(&lease.payload) {
            Ok(assignment) if assignment.work == Work::Assemble => assignment,
            Ok(_) => return failed(FailureKind::Attempt, "the aggregator only assembles".to_owned()),
            Err(error) => {
                return failed(FailureKind::Permanent, format!("the assignment cannot be read: {error}"));
            }
        };
        let started = std::time::Instant::now();
        let store = self.store.clone();
        let span = tracing::Span::current();
        let assembling = tokio::task::spawn_blocking(move || {
            span.in_scope(|| {
                fault::kind("assemble");
                assemble_job(&store, &assignment.job)
            })
        });
        tokio::select! {
            joined = assembling => match joined {
                Ok(Ok(results)) => finished(&results, started.elapsed().as_secs_f64()),
                Ok(Err(error)) => match machine_fault(&error) {
                    Some(cause) => failed(FailureKind::Machine, format!("{cause}: {error}")),
                    None => failed(kind_of(&error), error.to_string()),
                },
                Err(error) => failed(FailureKind::Crash, format!("assembling ended early: {error}")),
            },
            // It may go on for a while; that does no harm.
            _ = stop.requested() => Outcome::Stopped,
            () = tokio::time::sleep(self.limit) => {
                let (ran, limit) = (started.elapsed().as_secs(), self.limit.as_secs());
                failed(FailureKind::Attempt, format!("assembling ran {ran} s, limit {limit} s: it was given up"))
            }
        }
    }
}

fn finished(results: &Results, seconds: f64) -> Outcome {
    let scores = results.layers.len();
    tracing::info!(scores, missing = results.missing, partial = results.is_partial(), "assembled");
    let report = UnitReport { seconds, computed: scores, ..UnitReport::default() };
    // A report is plain data.
    Outcome::Finished { report: serde_json::to_vec(&report).unwrap_or_default() }
}

fn failed(kind: FailureKind, reason: String) -> Outcome {
    Outcome::Failed(Failure { kind, reason, evidence: String::new() })
}

fn kind_of(error: &Error) -> FailureKind {
    match error {
        Error::Input { .. } => FailureKind::Input,
        Error::Store(StoreError::Io { .. } | StoreError::Remote { .. }) | Error::Io(_) => {
            FailureKind::Attempt
        }
        // The plan may not be visible yet.
        Error::Document { .. } => FailureKind::Attempt,
        _ => FailureKind::Permanent,
    }
}
