//! The loop that makes the core work: lead, rebuild, hear events, admit, reap.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use ventral_queue::{
    Admission, Cursor, Entry, Error as QueueError, Event, Failure, FailureKind, Happening, MAX_ADMIT,
    MAX_BATCH, UnitId,
};

use super::documents::{self, blocking};
use super::handle::{Core, now_ms};
use super::job::Job;
use super::state::StageEnd;
use super::units::UnitRef;
use super::{Error, JobState};

/// Most events of one step.
const EVENTS_PER_STEP: usize = 2_000;
/// Pause between steps without work.
const IDLE: Duration = Duration::from_millis(50);
/// Pause after the queue or the store did not answer.
const AFTER_ERROR: Duration = Duration::from_millis(500);
/// How long the role of the one coordinator is held without renewal, in milliseconds.
const LEAD_TTL_MS: u64 = 15_000;
/// Tenants whose backlog is measured, the largest first: whoever names tenants must not fill the memory of whoever collects metrics.
const MAX_TENANT_LABELS: usize = 100;
/// Time between renewals of the role, and between looks at the workers.
const RENEWAL: Duration = Duration::from_secs(2);

/// Reaps between two looks whether the queue still holds what is believed to be in it: 30 s with the usual lease.
const RECONCILE_REAPS: u32 = 6;

/// What the loop remembers between steps.
struct Loop {
    renewed: Option<Instant>,
    reaped: Instant,
    /// `None` when the queue has been away since.
    reconciled: Option<Instant>,
}

impl Core {
    /// Works until `stop` is true. Faults of the queue or the store are waited out.
    pub async fn drive(&self, mut stop: watch::Receiver<bool>) {
        let mut state = Loop { renewed: None, reaped: Instant::now(), reconciled: None };
        let mut complained = String::new();
        while !*stop.borrow() {
            let pause = match self.step(&mut state).await {
                Ok(true) => Duration::ZERO,
                Ok(false) => IDLE,
                Err(error) => {
                    let message = error.to_string();
                    if message != complained {
                        tracing::warn!(error = %message, "the coordinator waits");
                        complained = message;
                    }
                    self.inner.ready.send_replace(false);
                    (state.renewed, state.reconciled) = (None, None);
                    // An event may have been dealt with by half, or another coordinator has led. A queue that is away changes nothing.
                    if !matches!(error, Error::Queue(_)) {
                        self.inner.stale.store(true, Ordering::SeqCst);
                    }
                    AFTER_ERROR
                }
            };
            if pause.is_zero() {
                complained.clear();
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.inner.wake.notified() => {}
                _ = stop.changed() => {}
            }
        }
        self.inner.ready.send_replace(false);
        metrics::gauge!("ventral_leader").set(0.0);
        // Another coordinator need not wait until the lead runs out.
        if let Err(error) = self.inner.queue.lead(&self.inner.name, 0).await {
            tracing::warn!(%error, "cannot give up the lead; it runs out in time");
        }
    }

    /// One round; whether there was something to do.
    async fn step(&self, state: &mut Loop) -> Result<bool, Error> {
        if state.renewed.is_none_or(|at| at.elapsed() >= RENEWAL) {
            let leads = self.inner.queue.lead(&self.inner.name, LEAD_TTL_MS).await?;
            metrics::gauge!("ventral_leader").set(f64::from(u8::from(leads)));
            if !leads {
                return Err(Error::NotReady("another coordinator leads"));
            }
            self.meet_queue().await?;
            let workers = self.inner.queue.workers().await?;
            self.lock().workers = workers;
            state.renewed = Some(Instant::now());
        }
        if self.inner.stale.swap(false, Ordering::SeqCst) {
            self.load().await?;
        }
        self.inner.ready.send_replace(true);
        if state.reaped.elapsed() >= self.inner.reap_every {
            let reaped = self.inner.queue.reap().await?;
            metrics::counter!("ventral_leases_expired_total").increment(reaped.expired);
            state.reaped = Instant::now();
            self.measure().await?;
        }
        let heard = self.hear().await?;
        let every = self.inner.reap_every * RECONCILE_REAPS;
        if state.reconciled.is_none_or(|at| at.elapsed() >= every) {
            self.reconcile().await?;
            state.reconciled = Some(Instant::now());
        }
        self.settle().await?;
        let admitted = self.admit().await?;
        for job in self.watched() {
            self.publish(&job);
        }
        Ok(heard + admitted > 0)
    }

    /// Opens the queue; when it is a new one, everything in flight is to be admitted again.
    async fn meet_queue(&self) -> Result<(), Error> {
        let generation = self.inner.queue.open().await?;
        let mut state = self.lock();
        if state.generation.as_ref() != Some(&generation) {
            if state.generation.is_some() {
                tracing::warn!("the queue was emptied: everything in flight is admitted again");
                metrics::counter!("ventral_queue_rebuilds_total").increment(1);
            }
            state.lost_queue();
            state.generation = Some(generation);
        }
        Ok(())
    }

    /// Admits again what the queue does not hold. A server may have lost a part of its data and kept the generation, such as after a power cut.
    async fn reconcile(&self) -> Result<(), Error> {
        let believed = self.lock().in_flight();
        let mut missing = Vec::new();
        for page in believed.chunks(MAX_BATCH) {
            let held = self.inner.queue.reconcile(page).await?;
            missing.extend(page.iter().zip(held).filter(|(_, held)| !held).map(|(unit, _)| unit.clone()));
        }
        if missing.is_empty() {
            return Ok(());
        }
        // Whatever ended before it was asked for has left an event.
        while self.hear().await? > 0 {}
        let lost = self.lock().put_back(&missing);
        if lost > 0 {
            tracing::warn!(lost, "the queue has lost units: they are admitted again");
            metrics::counter!("ventral_units_lost_total").increment(lost as u64);
        }
        Ok(())
    }

    /// Loads the jobs of the store, as after a start.
    async fn load(&self) -> Result<(), Error> {
        let began = Instant::now();
        let stored = blocking(self.store(), documents::load_all).await?;
        let mut open = Vec::new();
        {
            let mut state = self.lock();
            state.lost_queue();
            let known = std::mem::take(&mut state.jobs);
            for job in stored {
                let mut job = Job::new(job.id, job.submission, job.control);
                // Watchers count on revisions that grow.
                job.revision += known.get(&job.id).map_or(0, |known| known.revision);
                if !job.state().is_final() {
                    open.push(job.id.clone());
                }
                state.jobs.insert(job.id.clone(), job);
            }
        }
        for id in &open {
            if self.is_evaluation(id) {
                match self.replan(id).await {
                    Err(Error::Document { document, problem }) => {
                        self.end(id, JobState::Failed, format!("{document}: {problem}")).await?;
                    }
                    other => other.map(drop)?,
                }
            }
        }
        tracing::info!(open = open.len(), seconds = began.elapsed().as_secs_f64(), "jobs are loaded");
        Ok(())
    }

    fn is_evaluation(&self, id: &str) -> bool {
        let state = self.lock();
        state.jobs.get(id).is_some_and(|job| job.submission.is_evaluation())
    }

    /// Applies what happened in the queue; the number of events.
    async fn hear(&self) -> Result<usize, Error> {
        let events = match self.inner.queue.events(&Cursor::start(), EVENTS_PER_STEP).await {
            Err(QueueError::Lost) => {
                self.meet_queue().await?;
                return Ok(0);
            }
            other => other?,
        };
        let Some((last, _)) = events.last().cloned() else { return Ok(0) };
        for (_, event) in &events {
            count(event);
            let ends = self.lock().apply(event);
            for end in ends {
                self.stage_ended(end).await?;
            }
        }
        // Only now: an event that was not dealt with comes again.
        self.inner.queue.acknowledge(&last).await?;
        Ok(events.len())
    }

    /// Planning or assembling has ended.
    async fn stage_ended(&self, end: StageEnd) -> Result<(), Error> {
        match (end.unit, end.failure) {
            (_, Some(reason)) => self.end(&end.job, JobState::Failed, reason).await,
            (UnitRef::Plan, None) => {
                let planned = match self.replan(&end.job).await {
                    Err(Error::Document { document, problem }) => Err(format!("{document}: {problem}")),
                    other => Ok(other?),
                };
                match planned {
                    Ok(true) if self.lock().jobs.get(&end.job).is_some_and(|job| job.submission.dry_run) => {
                        self.end(&end.job, JobState::Planned, String::new()).await
                    }
                    Ok(true) => Ok(()),
                    Ok(false) => {
                        let reason = "the worker planned the job, but the store has no plan".to_owned();
                        self.end(&end.job, JobState::Failed, reason).await
                    }
                    Err(reason) => self.end(&end.job, JobState::Failed, reason).await,
                }
            }
            (_, None) => {
                let lacks = self.lock().jobs.get(&end.job).and_then(Job::what_is_missing);
                match lacks {
                    None => self.end(&end.job, JobState::Succeeded, String::new()).await,
                    Some(reason) => self.end(&end.job, JobState::Partial, reason).await,
                }
            }
        }
    }

    async fn end(&self, id: &str, state: JobState, reason: String) -> Result<(), Error> {
        let control = {
            let mut all = self.lock();
            let Some(job) = all.jobs.get_mut(id) else { return Ok(()) };
            if job.state() == JobState::Cancelled {
                return Ok(());
            }
            job.end(state, reason.clone(), now_ms());
            job.control.clone()
        };
        let owned = id.to_owned();
        blocking(self.store(), move |store| documents::save_control(store, &owned, &control)).await?;
        tracing::info!(job = id, ?state, reason, "the job has ended");
        metrics::counter!("ventral_jobs_ended_total", "state" => format!("{state:?}").to_lowercase())
            .increment(1);
        Ok(())
    }

    /// Jobs whose units have all ended go to the aggregator; drills just end.
    async fn settle(&self) -> Result<(), Error> {
        let settled = self.lock().settled();
        for id in settled {
            if !self.is_evaluation(&id) {
                let failed = self.lock().jobs.get(&id).map_or(0, |job| job.counts().failed);
                let state = if failed == 0 { JobState::Succeeded } else { JobState::Partial };
                self.end(&id, state, String::new()).await?;
                continue;
            }
            let failures = self.lock().jobs.get(&id).map(Job::failures).unwrap_or_default();
            let owned = id.clone();
            blocking(self.store(), move |store| documents::save_failures(store, &owned, &failures)).await?;
            ventral_queue::fault::point("mid-assembly");
            if let Some(job) = self.lock().jobs.get_mut(&id) {
                job.assemble();
            }
        }
        Ok(())
    }

    /// Puts units into the queue; their number.
    async fn admit(&self) -> Result<usize, Error> {
        let entries = {
            let mut state = self.lock();
            state.now_ms = now_ms();
            state.select(MAX_ADMIT)
        };
        if entries.is_empty() {
            return Ok(0);
        }
        let mut admitted = 0;
        let outcome = self.inner.queue.admit(&entries).await;
        ventral_queue::fault::point("mid-admission");
        match outcome {
            Ok(found) => {
                admitted += entries.len();
                self.bury_dead(&entries, &found).await?;
            }
            Err(error) => {
                let units: Vec<UnitId> = entries.iter().map(|entry| entry.unit.clone()).collect();
                self.lock().put_back(&units);
                if matches!(error, QueueError::Lost) {
                    self.meet_queue().await?;
                    return Ok(0);
                }
                return Err(error.into());
            }
        }
        metrics::counter!("ventral_units_admitted_total").increment(admitted as u64);
        Ok(admitted)
    }

    /// Units that are dead in the queue, of which a coordinator before this one has heard: they fail here too.
    async fn bury_dead(&self, entries: &[Entry], found: &[Admission]) -> Result<(), Error> {
        let dead: Vec<&Entry> = entries
            .iter()
            .zip(found)
            .filter(|(_, a)| **a == Admission::Dead)
            .map(|(entry, _)| entry)
            .collect();
        if dead.is_empty() {
            return Ok(());
        }
        let ids: Vec<UnitId> = dead.iter().map(|entry| entry.unit.clone()).collect();
        // Asked again when they are admitted again.
        let status = self.inner.queue.status(&ids).await.inspect_err(|_| _ = self.lock().put_back(&ids))?;
        for (entry, status) in dead.into_iter().zip(status) {
            let failure = status.and_then(|status| status.failure).unwrap_or_else(|| Failure {
                kind: FailureKind::Permanent,
                reason: "it was given up before".to_owned(),
                evidence: String::new(),
            });
            let event = Event {
                unit: entry.unit.clone(),
                job: entry.job.clone(),
                worker: String::new(),
                what: Happening::Died { failure },
                at_ms: 0,
            };
            let ends = self.lock().apply(&event);
            for end in ends {
                self.stage_ended(end).await?;
            }
        }
        Ok(())
    }

    async fn measure(&self) -> Result<(), Error> {
        for pool in self.pools().await? {
            let gauge = |name: &'static str, value: f64| {
                metrics::gauge!(name, "pool" => pool.pool.clone()).set(value)
            };
            gauge("ventral_pool_waiting", pool.waiting as f64);
            gauge("ventral_pool_ready", pool.ready as f64);
            gauge("ventral_pool_delayed", pool.delayed as f64);
            gauge("ventral_pool_leased", pool.leased as f64);
            gauge("ventral_pool_workers", pool.workers as f64);
            gauge("ventral_pool_backlog_seconds", pool.backlog_seconds);
        }
        let state = self.lock();
        let open = state.jobs.values().filter(|job| !job.state().is_final()).count();
        metrics::gauge!("ventral_jobs_open").set(open as f64);
        metrics::gauge!("ventral_unit_oldest_seconds").set(state.oldest_ms() as f64 / 1e3);
        let mut tenants: Vec<(&str, u64)> = state.open_units().into_iter().collect();
        tenants.sort_by_key(|(_, units)| std::cmp::Reverse(*units));
        for (tenant, units) in tenants.into_iter().take(MAX_TENANT_LABELS) {
            metrics::gauge!("ventral_tenant_backlog", "tenant" => tenant.to_owned()).set(units as f64);
        }
        Ok(())
    }
}

fn count(event: &Event) {
    let outcome = match event.what {
        Happening::Finished { .. } => "finished",
        Happening::Died { .. } => "dead",
        Happening::NeedsInput { .. } => "needs_input",
    };
    metrics::counter!("ventral_units_ended_total", "outcome" => outcome).increment(1);
}
