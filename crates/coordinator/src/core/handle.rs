//! What the services ask of the core.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};
use ventral_plan::Digest;
use ventral_queue::{DeadUnit, Queue, UnitId, WorkerRecord};
use ventral_store::Store;

use super::documents::{self, ControlDocument, blocking};
use super::fair::Policies;
use super::job::Job;
use super::state::State;
use super::{
    Control, Error, JobRequest, JobState, JobView, MAX_PRIORITY, MIN_PRIORITY, PoolView, Submission, views,
};

/// Longest name of a job in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Longest request id in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 128;
/// Most units of a drill.
pub const MAX_DRILL_UNITS: u32 = 1_000_000;

/// Jobs, admission and fairness. Cheap to clone.
#[derive(Clone)]
pub struct Core {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub store: Store,
    pub queue: Arc<dyn Queue>,
    /// Name of this process, for the role of the one coordinator.
    pub name: String,
    /// Time between two reaps.
    pub reap_every: Duration,
    /// Whether memory may say other than the store: everything is loaded afresh.
    pub stale: AtomicBool,
    pub wake: Notify,
    pub ready: watch::Sender<bool>,
    state: Mutex<State>,
    watchers: Mutex<HashMap<String, watch::Sender<JobView>>>,
}

impl Core {
    /// A core over a store and a queue; [`Core::drive`] makes it work. Leases that were not renewed are ended every `reap_every`.
    pub fn new(store: Store, queue: Arc<dyn Queue>, policies: Policies, reap_every: Duration) -> Self {
        let state = State::new(policies);
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let inner = Inner {
            store,
            queue,
            name,
            reap_every,
            stale: AtomicBool::new(true),
            wake: Notify::new(),
            ready: watch::channel(false).0,
            state: Mutex::new(state),
            watchers: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Name of this life of the coordinator: revisions of jobs count from its start.
    pub fn generation(&self) -> &str {
        &self.inner.name
    }

    /// Whether jobs are loaded and this process leads.
    ///
    /// # Errors
    /// [`Error::NotReady`], saying why.
    pub fn ready(&self) -> Result<(), Error> {
        if *self.inner.ready.borrow() {
            Ok(())
        } else {
            Err(Error::NotReady(
                "it is loading jobs, or another coordinator leads, or the queue does not answer",
            ))
        }
    }

    /// Submits a job, durably: when this returns, the job is not lost whatever dies. The same request id gives the same job.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field out of bounds, [`Error::RequestReused`], [`Error::Limit`] when the tenant has too many jobs.
    pub async fn submit(&self, submission: Submission) -> Result<JobView, Error> {
        self.ready()?;
        check(&submission)?;
        let id = job_id(&submission);
        let known = self.lock().jobs.get(&id).map(|job| job.submission.clone());
        if known.is_none() {
            let policy = self.lock().policies.of(&submission.tenant);
            if self.lock().open_jobs(&submission.tenant) >= policy.max_jobs {
                let limit = policy.max_jobs;
                return Err(Error::Limit(format!(
                    "the tenant has {limit} jobs that have not ended; wait or cancel some"
                )));
            }
        }
        let stored = match known {
            Some(stored) => stored,
            None => {
                let (id, submission) = (id.clone(), submission.clone());
                blocking(self.store(), move |store| documents::create(store, &id, &submission)).await?
            }
        };
        if !same_request(&stored, &submission) {
            return Err(Error::RequestReused(submission.request_id));
        }
        let new = || Job::new(id.clone(), stored, ControlDocument::default());
        let view = views::job(self.lock().jobs.entry(id.clone()).or_insert_with(new));
        tracing::info!(job = %id, tenant = %view.tenant, "submitted");
        self.inner.wake.notify_one();
        Ok(view)
    }

    /// A job; `tenant` is `None` for an operator.
    ///
    /// # Errors
    /// [`Error::NoJob`] also for another tenant's.
    pub async fn get(&self, tenant: Option<&str>, job: &str) -> Result<JobView, Error> {
        let state = self.lock();
        find(&state, tenant, job).map(views::job)
    }

    /// Jobs, the latest first.
    pub async fn list(&self, tenant: Option<&str>) -> Result<Vec<JobView>, Error> {
        self.ready()?;
        let state = self.lock();
        let mine = |job: &&Job| tenant.is_none_or(|tenant| job.submission.tenant == tenant);
        let mut jobs: Vec<JobView> = state.jobs.values().filter(mine).map(views::job).collect();
        jobs.sort_by(|a, b| b.submitted_ms.cmp(&a.submitted_ms).then_with(|| a.id.cmp(&b.id)));
        Ok(jobs)
    }

    /// Steers a job. Every control is idempotent.
    ///
    /// # Errors
    /// [`Error::NoJob`]; [`Error::State`] when the job has ended, or has not and would be retried.
    pub async fn control(&self, tenant: Option<&str>, job: &str, control: Control) -> Result<JobView, Error> {
        self.ready()?;
        let (view, document, withdrawn, buried) = {
            let mut state = self.lock();
            find(&state, tenant, job)?;
            steer(&mut state, job, control)?
        };
        let id = job.to_owned();
        let saved = blocking(self.store(), move |store| documents::save_control(store, &id, &document)).await;
        saved.inspect_err(|_| self.inner.stale.store(true, Ordering::SeqCst))?;
        if !withdrawn.is_empty() {
            self.inner.queue.cancel(&withdrawn).await?;
        }
        if !buried.is_empty() {
            self.inner.queue.bury(&buried).await?;
        }
        if control == Control::Retry {
            self.replan(job).await?;
        }
        tracing::info!(job, ?control, "steered");
        self.inner.wake.notify_one();
        self.publish(job);
        Ok(view)
    }

    /// A retried job whose plan is in the store goes on from there.
    pub(super) async fn replan(&self, job: &str) -> Result<bool, Error> {
        let id = job.to_owned();
        let Some((plan, present)) =
            blocking(self.store(), move |store| documents::load_plan(store, &id)).await?
        else {
            return Ok(false);
        };
        let present: std::collections::HashSet<Digest> = present.into_iter().collect();
        let control = self.lock().jobs.get_mut(job).and_then(|job| {
            let known = job.control.found;
            job.planned(plan, |digest| present.contains(digest));
            (known != job.control.found).then(|| job.control.clone())
        });
        if let Some(control) = control {
            let id = job.to_owned();
            blocking(self.store(), move |store| documents::save_control(store, &id, &control)).await?;
        }
        Ok(true)
    }

    /// The latest view of a job, now and whenever it changes.
    ///
    /// # Errors
    /// [`Error::NoJob`].
    pub async fn subscribe(
        &self,
        tenant: Option<&str>,
        job: &str,
    ) -> Result<watch::Receiver<JobView>, Error> {
        let view = find(&self.lock(), tenant, job).map(views::job)?;
        let mut watchers = self.watchers();
        watchers.retain(|_, sender| sender.receiver_count() > 0);
        let sender = watchers.entry(job.to_owned()).or_insert_with(|| watch::channel(view).0);
        Ok(sender.subscribe())
    }

    /// Most bytes of uploaded blobs that a tenant may keep in the store.
    pub fn max_stored_bytes(&self, tenant: &str) -> u64 {
        self.lock().policies.of(tenant).max_stored_bytes
    }

    /// Workers that were heard of lately.
    pub async fn workers(&self) -> Result<Vec<WorkerRecord>, Error> {
        Ok(self.inner.queue.workers().await?)
    }

    /// Asks a worker to drain; `false` for an unknown one.
    pub async fn drain(&self, worker: &str) -> Result<bool, Error> {
        Ok(self.inner.queue.drain(worker).await?)
    }

    /// Units of every pool and who serves it.
    pub async fn pools(&self) -> Result<Vec<PoolView>, Error> {
        let depths = self.inner.queue.depths().await?;
        let mut pools = self.lock().backlog();
        for depth in depths {
            let pool = pools.entry(depth.pool.clone()).or_insert_with(|| PoolView::empty(&depth.pool));
            (pool.ready, pool.delayed, pool.leased) = (depth.ready, depth.delayed, depth.leased);
        }
        Ok(pools.into_values().collect())
    }

    /// Dead units with their evidence, oldest first.
    pub async fn dead(&self, after: Option<UnitId>, limit: usize) -> Result<Vec<DeadUnit>, Error> {
        Ok(self.inner.queue.dead(after.as_ref(), limit).await?)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watchers(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<JobView>>> {
        self.inner.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the watchers of a job.
    pub(super) fn publish(&self, job: &str) {
        let Some(view) = self.lock().jobs.get(job).map(views::job) else { return };
        if let Some(sender) = self.watchers().get(job) {
            sender.send_if_modified(|known| {
                let changed = known.revision != view.revision;
                if changed {
                    *known = view;
                }
                changed
            });
        }
    }

    pub(super) fn watched(&self) -> Vec<String> {
        self.watchers().keys().cloned().collect()
    }
}

/// Unix time in milliseconds.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

/// The job's id: its name and the digest of who asked under which request id.
pub fn job_id(submission: &Submission) -> String {
    let digest = Digest::of_identity(&(&submission.tenant, &submission.request_id));
    format!("{}-{}", submission.request.name(), digest.short())
}

fn check(submission: &Submission) -> Result<(), Error> {
    let invalid = |field, problem: String| Err(Error::Invalid { field, problem });
    let name = submission.request.name();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.starts_with('.') || !name.chars().all(plain) {
        let problem =
            format!("write 1 to {MAX_NAME_BYTES} letters, digits, '-', '_' or '.', not starting with '.'");
        return invalid("name", problem);
    }
    if submission.request_id.is_empty() || submission.request_id.len() > MAX_REQUEST_ID_BYTES {
        return invalid(
            "request_id",
            format!("write 1 to {MAX_REQUEST_ID_BYTES} bytes, a random UUID for example"),
        );
    }
    if !(MIN_PRIORITY..=MAX_PRIORITY).contains(&submission.priority) {
        return invalid(
            "priority",
            format!("{}; write {MIN_PRIORITY} to {MAX_PRIORITY}", submission.priority),
        );
    }
    if submission.profile.is_empty()
        || submission.profile.len() > MAX_NAME_BYTES
        || submission.profile.contains('/')
    {
        return invalid("profile", "name a numeric profile as `ventral doctor` prints it".to_owned());
    }
    match submission.request {
        JobRequest::Drill { units, .. } if units == 0 || units > MAX_DRILL_UNITS => {
            invalid("units", format!("{units}; write 1 to {MAX_DRILL_UNITS}"))
        }
        _ => Ok(()),
    }
}

fn same_request(stored: &Submission, asked: &Submission) -> bool {
    stored.request == asked.request
        && stored.tenant == asked.tenant
        && stored.priority == asked.priority
        && stored.profile == asked.profile
        && stored.dry_run == asked.dry_run
}

pub(super) fn find<'a>(state: &'a State, tenant: Option<&str>, job: &str) -> Result<&'a Job, Error> {
    let found = state.jobs.get(job).filter(|job| tenant.is_none_or(|tenant| job.submission.tenant == tenant));
    found.ok_or_else(|| Error::NoJob(job.to_owned()))
}

type Steered = (JobView, ControlDocument, Vec<UnitId>, Vec<UnitId>);

/// Returns the view, the document to write, the units to cancel and the dead ones to bury.
fn steer(state: &mut State, id: &str, control: Control) -> Result<Steered, Error> {
    let refuse = |job: &Job, problem| {
        Err(Error::State { job: job.id.clone(), state: format!("{:?}", job.state()).to_lowercase(), problem })
    };
    let (mut withdrawn, mut buried) = (Vec::new(), Vec::new());
    let job = state.jobs.get_mut(id).ok_or_else(|| Error::NoJob(id.to_owned()))?;
    let ended = job.state().is_final();
    match control {
        Control::Pause | Control::Resume if ended => return refuse(job, "it has ended"),
        Control::Pause | Control::Resume => {
            job.control.paused = control == Control::Pause;
            job.revision += 1;
        }
        Control::Cancel if job.state() == JobState::Cancelled => {}
        Control::Cancel if ended => return refuse(job, "it has ended, there is nothing to cancel"),
        Control::Cancel => {
            job.end(JobState::Cancelled, "cancelled by a user".to_owned(), now_ms());
            withdrawn = state.withdraw(id);
        }
        Control::Retry if !ended => return refuse(job, "it has not ended; cancel it first"),
        Control::Retry if job.state() == JobState::Succeeded => {
            return refuse(job, "everything succeeded, there is nothing to retry");
        }
        Control::Retry => {
            buried = job.failed_units();
            job.retry();
        }
    }
    let job = state.jobs.get(id).ok_or_else(|| Error::NoJob(id.to_owned()))?;
    Ok((views::job(job), job.control.clone(), withdrawn, buried))
}
