//! Takes assemblies from a queue.

use async_trait::async_trait;
use ventral_plan::{Assignment, UnitReport, Work};
use ventral_queue::consumer::{Executor, Link, Outcome, Stop, unit_span};
use ventral_queue::{Failure, FailureKind, Lease};
use ventral_store::{Error as StoreError, Store};

use super::assemble_job;
use crate::{Error, Results};

/// Assembles jobs, each on a thread of its own.
pub struct Assembler {
    store: Store,
    link: Option<Link>,
}

impl Assembler {
    /// An assembler of the jobs of `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, link: None }
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
        let assembling =
            tokio::task::spawn_blocking(move || span.in_scope(|| assemble_job(&store, &assignment.job)));
        tokio::select! {
            joined = assembling => match joined {
                Ok(Ok(results)) => finished(&results, started.elapsed().as_secs_f64()),
                Ok(Err(error)) => failed(kind_of(&error), error.to_string()),
                Err(error) => failed(FailureKind::Crash, format!("assembling ended early: {error}")),
            },
            // It may go on for a while; that does no harm.
            _ = stop.requested() => Outcome::Stopped,
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
