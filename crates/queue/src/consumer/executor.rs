//! What the loop asks of whoever computes.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::types::{Failure, Lease};

/// Computes units.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Kind of a unit, for logs and metrics.
    fn kind(&self, lease: &Lease) -> &'static str;

    /// The span that everything about a unit is logged in.
    fn span(&self, lease: &Lease, worker: &str) -> tracing::Span {
        unit_span(lease, worker, self.kind(lease), None, None)
    }

    /// Tests the machine after faults of its own: units are taken again once it passes.
    ///
    /// # Errors
    /// What ails it still.
    async fn probe(&self) -> Result<(), String> {
        Ok(())
    }

    /// Executes a unit in the slot of this number; its results are stored when this returns [`Outcome::Finished`].
    async fn execute(&self, slot: usize, lease: &Lease, stop: Stop) -> Outcome;
}

/// Adds the trace of a submission (W3C trace context) to the span of one of its units.
pub type Link = Box<dyn Fn(&tracing::Span, &str) + Send + Sync>;

/// The span of a unit, part of the trace of its submission if there is one.
pub fn unit_span(
    lease: &Lease,
    worker: &str,
    kind: &'static str,
    link: Option<&Link>,
    traceparent: Option<&str>,
) -> tracing::Span {
    let (job, unit, epoch) = (&lease.job, &lease.held.unit, lease.held.epoch);
    let span = tracing::info_span!("unit", %job, %unit, worker, epoch, kind);
    if let (Some(link), Some(parent)) = (link, traceparent) {
        link(&span, parent);
    }
    span
}

/// How a unit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Finished {
        /// The report.
        report: Vec<u8>,
    },
    /// It did not.
    Failed(Failure),
    /// It was stopped on request.
    Stopped,
}

/// Why a unit is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The worker drains.
    Drained,
    /// The job was cancelled.
    Cancelled,
    /// Another worker finished the unit.
    FinishedElsewhere,
}

/// Says when to stop.
#[derive(Debug, Clone)]
pub struct Stop(pub(super) watch::Receiver<Option<StopReason>>);

impl Stop {
    /// Why to stop, once it is time.
    pub fn reason(&self) -> Option<StopReason> {
        *self.0.borrow()
    }

    /// Waits until it is time to stop.
    pub async fn requested(&mut self) -> StopReason {
        let asked = self.0.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        match asked {
            Some(reason) => reason,
            // Nobody can ask any more.
            None => std::future::pending().await,
        }
    }
}
