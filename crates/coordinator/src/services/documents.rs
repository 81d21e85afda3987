//! Documents of jobs that the services hand out.

use bytes::Bytes;
use tonic::{Code, Status};

use super::Shared;
use super::status::{Reason, refuse};

/// The plan; written once, by a worker.
pub const PLAN: &str = ventral_plan::PLAN_DOCUMENT;
/// The assembled results.
pub const RESULTS: &str = "results.json";
/// The job's record: plan, failures, cost.
pub const RECORD: &str = "job.json";

impl Shared {
    /// A document of a job, whose id has been checked.
    ///
    /// # Errors
    /// `PLAN_NOT_READY`, `RESULTS_NOT_READY` while there is none; what the store says.
    pub(super) async fn document(&self, job: &str, name: &'static str) -> Result<Bytes, Status> {
        let id = job.to_owned();
        let found = self.on_store(move |store| store.document(&id, name)).await?;
        found.map(Bytes::from).ok_or_else(|| {
            let (reason, what) = match name {
                PLAN => (Reason::PlanNotReady, "plan"),
                _ => (Reason::ResultsNotReady, "results"),
            };
            let message = format!("job '{job}' has no {what} yet; watch it until it has");
            refuse(Code::FailedPrecondition, reason, message)
        })
    }
}
