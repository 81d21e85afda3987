use async_trait::async_trait;
use tokio::sync::watch;
use ventral_queue::{DeadUnit, UnitId, WorkerRecord};
use ventral_store::Store;

use crate::core::{Control, Core, Error, JobView, PoolView, Submission, UnitPhase, UnitView};

/// What the services ask of the core. A `tenant` of `None` is an operator, who sees all.
#[async_trait]
pub trait CoreApi: Send + Sync + 'static {
    /// Submits a job, durably; the same request id gives the same job.
    async fn submit(&self, submission: Submission) -> Result<JobView, Error>;
    /// A job.
    async fn get(&self, tenant: Option<&str>, job: &str) -> Result<JobView, Error>;
    /// Jobs, the newest first.
    async fn list(&self, tenant: Option<&str>) -> Result<Vec<JobView>, Error>;
    /// Steers a job.
    async fn control(&self, tenant: Option<&str>, job: &str, control: Control) -> Result<JobView, Error>;
    /// Units of a job in the order of its plan, from `offset`, at most `limit`.
    async fn units(
        &self,
        tenant: Option<&str>,
        job: &str,
        filter: Option<UnitPhase>,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<UnitView>, Error>;
    /// Units that begin with `prefix`.
    async fn explain(&self, tenant: Option<&str>, prefix: &str) -> Result<Vec<UnitView>, Error>;
    /// The latest view of a job, now and whenever it changes.
    async fn subscribe(&self, tenant: Option<&str>, job: &str) -> Result<watch::Receiver<JobView>, Error>;
    /// Workers that were heard of lately.
    async fn workers(&self) -> Result<Vec<WorkerRecord>, Error>;
    /// Asks a worker to drain; `false` for an unknown one.
    async fn drain(&self, worker: &str) -> Result<bool, Error>;
    /// Units of every pool and who serves it.
    async fn pools(&self) -> Result<Vec<PoolView>, Error>;
    /// Dead units, oldest first.
    async fn dead(&self, after: Option<UnitId>, limit: usize) -> Result<Vec<DeadUnit>, Error>;
    /// Name of this life of the coordinator; revisions of jobs count from its start.
    fn generation(&self) -> String;
    /// Most bytes of uploaded blobs that a tenant may keep in the store.
    fn max_stored_bytes(&self, tenant: &str) -> u64;
    /// The store.
    fn store(&self) -> &Store;
    /// Whether jobs are loaded and this process leads.
    ///
    /// # Errors
    /// [`Error::NotReady`].
    fn ready(&self) -> Result<(), Error>;
}

#[async_trait]
impl CoreApi for Core {
    async fn submit(&self, submission: Submission) -> Result<JobView, Error> {
        Core::submit(self, submission).await
    }

    async fn get(&self, tenant: Option<&str>, job: &str) -> Result<JobView, Error> {
        Core::get(self, tenant, job).await
    }

    async fn list(&self, tenant: Option<&str>) -> Result<Vec<JobView>, Error> {
        Core::list(self, tenant).await
    }

    async fn control(&self, tenant: Option<&str>, job: &str, control: Control) -> Result<JobView, Error> {
        Core::control(self, tenant, job, control).await
    }

    async fn units(
        &self,
        tenant: Option<&str>,
        job: &str,
        filter: Option<UnitPhase>,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<UnitView>, Error> {
        Core::units(self, tenant, job, filter, offset, limit).await
    }

    async fn explain(&self, tenant: Option<&str>, prefix: &str) -> Result<Vec<UnitView>, Error> {
        Core::explain(self, tenant, prefix).await
    }

    async fn subscribe(&self, tenant: Option<&str>, job: &str) -> Result<watch::Receiver<JobView>, Error> {
        Core::subscribe(self, tenant, job).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, Error> {
        Core::workers(self).await
    }

    async fn drain(&self, worker: &str) -> Result<bool, Error> {
        Core::drain(self, worker).await
    }

    async fn pools(&self) -> Result<Vec<PoolView>, Error> {
        Core::pools(self).await
    }

    async fn dead(&self, after: Option<UnitId>, limit: usize) -> Result<Vec<DeadUnit>, Error> {
        Core::dead(self, after, limit).await
    }

    fn generation(&self) -> String {
        Core::generation(self).to_owned()
    }

    fn max_stored_bytes(&self, tenant: &str) -> u64 {
        Core::max_stored_bytes(self, tenant)
    }

    fn store(&self) -> &Store {
        Core::store(self)
    }

    fn ready(&self) -> Result<(), Error> {
        Core::ready(self)
    }
}
