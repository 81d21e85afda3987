use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use ventral_coordinator::core::{
    Control, Counts, Error, JobRequest, JobState, JobView, PendingReason, PoolView, Submission, UnitPhase,
    UnitView,
};
use ventral_coordinator::services::CoreApi;
use ventral_plan::Digest;
use ventral_queue::{DeadUnit, Failure, FailureKind, UnitId, WorkerRecord};
use ventral_store::Store;

/// Units of every job.
pub const UNITS: usize = 250;

/// A core of plain lists, with what the tests turn.
pub struct Fake {
    pub store: Store,
    pub generation: String,
    pub ready: AtomicBool,
    /// Quota of every tenant.
    pub max_stored_bytes: AtomicU64,
    /// Calls that reached the core with a job id.
    pub asked: AtomicUsize,
    /// Controls that were carried out.
    pub steered: AtomicUsize,
    jobs: Mutex<Vec<(Submission, watch::Sender<JobView>)>>,
    pub pools: Mutex<Vec<PoolView>>,
    pub workers: Mutex<Vec<WorkerRecord>>,
    /// Directory of the store.
    _folder: Option<tempfile::TempDir>,
}

impl Fake {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let store = Store::open(folder.path()).expect("a store");
        Self { _folder: Some(folder), ..Self::over(&store) }
    }

    /// Another coordinator over the same store.
    pub fn over(store: &Store) -> Self {
        let worker = |name: &str| WorkerRecord {
            name: name.into(),
            pools: vec!["p/m28".into()],
            slots: 2,
            slot_bytes: 1 << 30,
            version: "0".into(),
            leases: 1,
            trouble: String::new(),
            quarantined: false,
            draining: false,
            silent_ms: 10,
        };
        Self {
            store: store.clone(),
            generation: "first".into(),
            ready: AtomicBool::new(true),
            max_stored_bytes: AtomicU64::new(1 << 40),
            asked: AtomicUsize::new(0),
            steered: AtomicUsize::new(0),
            jobs: Mutex::default(),
            pools: Mutex::default(),
            workers: Mutex::new(vec![worker("one"), worker("two"), worker("three")]),
            _folder: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Submission, watch::Sender<JobView>)>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Changes a job and tells its watchers.
    pub fn change(&self, job: &str, change: impl FnOnce(&mut JobView)) {
        let jobs = self.lock();
        let (_, sender) = jobs.iter().find(|(_, sender)| sender.borrow().id == job).expect("a job");
        sender.send_modify(|view| {
            change(view);
            view.revision += 1;
        });
    }

    fn find(&self, tenant: Option<&str>, job: &str) -> Result<watch::Receiver<JobView>, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let jobs = self.lock();
        let found = jobs.iter().find(|(submission, sender)| {
            sender.borrow().id == job && tenant.is_none_or(|tenant| submission.tenant == tenant)
        });
        found.map(|(_, sender)| sender.subscribe()).ok_or_else(|| Error::NoJob(job.into()))
    }
}

fn view(submission: &Submission) -> JobView {
    let digest = Digest::of_identity(&(&submission.tenant, &submission.request_id));
    JobView {
        id: format!("{}-{}", submission.request.name(), digest.short()),
        tenant: submission.tenant.clone(),
        name: submission.request.name().into(),
        state: if submission.dry_run { JobState::Planned } else { JobState::Running },
        reason: String::new(),
        counts: Counts { total: UNITS as u64, ..Counts::default() },
        priority: submission.priority,
        profile: submission.profile.clone(),
        submitted_ms: submission.submitted_ms,
        ended_ms: None,
        predicted_seconds: 1.5,
        peak_bytes: 1 << 28,
        revision: 1,
    }
}

fn unit(job: &str, index: usize) -> UnitView {
    UnitView {
        unit: Digest::of_identity(&(job, index)).to_string(),
        job: job.into(),
        kind: "score".into(),
        title: format!("unit {index}"),
        state: if index.is_multiple_of(2) { UnitPhase::Done } else { UnitPhase::Waiting },
        reason: PendingReason::WindowFull,
        detail: String::new(),
        pool: "p/m28".into(),
        estimate: None,
        attempts: 0,
        crashes: 0,
        evictions: 0,
    }
}

#[async_trait]
impl CoreApi for Fake {
    async fn submit(&self, submission: Submission) -> Result<JobView, Error> {
        let new = view(&submission);
        let mut jobs = self.lock();
        if let Some((stored, sender)) = jobs.iter().find(|(_, sender)| sender.borrow().id == new.id) {
            return match stored.request == submission.request {
                true => Ok(sender.borrow().clone()),
                false => Err(Error::RequestReused(submission.request_id)),
            };
        }
        jobs.push((submission, watch::channel(new.clone()).0));
        Ok(new)
    }

    async fn get(&self, tenant: Option<&str>, job: &str) -> Result<JobView, Error> {
        self.find(tenant, job).map(|receiver| receiver.borrow().clone())
    }

    async fn list(&self, tenant: Option<&str>) -> Result<Vec<JobView>, Error> {
        let jobs = self.lock();
        let mine =
            jobs.iter().filter(|(submission, _)| tenant.is_none_or(|tenant| submission.tenant == tenant));
        Ok(mine.map(|(_, sender)| sender.borrow().clone()).rev().collect())
    }

    async fn control(&self, tenant: Option<&str>, job: &str, control: Control) -> Result<JobView, Error> {
        self.find(tenant, job)?;
        self.steered.fetch_add(1, Ordering::SeqCst);
        self.change(job, |view| {
            view.state = match control {
                Control::Pause => JobState::Paused,
                Control::Resume | Control::Retry => JobState::Running,
                Control::Cancel => JobState::Cancelled,
            };
        });
        self.get(tenant, job).await
    }

    async fn units(
        &self,
        tenant: Option<&str>,
        job: &str,
        filter: Option<UnitPhase>,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<UnitView>, Error> {
        self.find(tenant, job)?;
        let all = (0..UNITS).map(|index| unit(job, index));
        Ok(all
            .filter(|unit| filter.is_none_or(|phase| unit.state == phase))
            .skip(offset)
            .take(limit)
            .collect())
    }

    async fn explain(&self, tenant: Option<&str>, prefix: &str) -> Result<Vec<UnitView>, Error> {
        let jobs = self.list(tenant).await?;
        let all = jobs.iter().flat_map(|job| (0..UNITS).map(|index| unit(&job.id, index)));
        Ok(all.filter(|unit| unit.unit.starts_with(prefix)).collect())
    }

    async fn subscribe(&self, tenant: Option<&str>, job: &str) -> Result<watch::Receiver<JobView>, Error> {
        self.find(tenant, job)
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, Error> {
        Ok(self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn drain(&self, worker: &str) -> Result<bool, Error> {
        self.steered.fetch_add(1, Ordering::SeqCst);
        Ok(self.workers().await?.iter().any(|known| known.name == worker))
    }

    async fn pools(&self) -> Result<Vec<PoolView>, Error> {
        Ok(self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn dead(&self, after: Option<UnitId>, limit: usize) -> Result<Vec<DeadUnit>, Error> {
        let failure =
            Failure { kind: FailureKind::Crash, reason: "gone".into(), evidence: "signal 9".into() };
        let dead = |index: usize| DeadUnit {
            unit: UnitId(format!("{index:04}")),
            job: "j".into(),
            pool: "p/m28".into(),
            failure: failure.clone(),
            worker: "one".into(),
            attempts: 0,
            crashes: 3,
            at_ms: 5,
        };
        let rest = (0..25).map(dead).filter(|unit| after.as_ref().is_none_or(|after| unit.unit > *after));
        Ok(rest.take(limit).collect())
    }

    fn generation(&self) -> String {
        self.generation.clone()
    }

    fn max_stored_bytes(&self, _: &str) -> u64 {
        self.max_stored_bytes.load(Ordering::SeqCst)
    }

    fn store(&self) -> &Store {
        &self.store
    }

    fn ready(&self) -> Result<(), Error> {
        match self.ready.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(Error::NotReady("it is loading jobs")),
        }
    }
}

/// A submission of a drill by a tenant.
pub fn drill(tenant: &str, request_id: &str) -> Submission {
    Submission {
        tenant: tenant.into(),
        request_id: request_id.into(),
        request: JobRequest::Drill { name: "drill".into(), units: 5, milliseconds: 0 },
        priority: 0,
        profile: "p".into(),
        dry_run: false,
        submitted_ms: 1_000,
        traceparent: None,
    }
}
