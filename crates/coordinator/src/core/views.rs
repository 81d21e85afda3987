//! Jobs and units as users see them, with the reason why a unit waits.

use ventral_queue::{UnitId, UnitState, UnitStatus, WorkerRecord};

use super::handle::{Core, find};
use super::job::{Job, Phase};
use super::state::State;
use super::units::{Body, UnitRef, kind_of, pool_of, unit_id};
use super::window::{self, WINDOW_MS};
use super::{Error, JobState, JobView, PendingReason, UnitPhase, UnitView};

/// Most units of one answer.
pub const MAX_UNITS_PER_PAGE: usize = 1_000;
/// Shortest prefix of a unit's digest.
pub const MIN_PREFIX_CHARS: usize = 4;

/// A job as users see it.
pub fn job(job: &Job) -> JobView {
    let plan = job.plan();
    JobView {
        id: job.id.clone(),
        tenant: job.submission.tenant.clone(),
        name: job.submission.request.name().to_owned(),
        state: job.state(),
        reason: job.reason().to_owned(),
        counts: job.counts(),
        priority: job.submission.priority,
        profile: job.submission.profile.clone(),
        submitted_ms: job.submission.submitted_ms,
        ended_ms: job.control.end.as_ref().map(|end| end.ended_ms),
        predicted_seconds: job.seconds_left().values().sum(),
        peak_bytes: plan.map_or(0, |plan| plan.peak_bytes()),
        revision: job.revision,
    }
}

impl Core {
    /// Units of a job from the `offset`th on, features first; with `filter`, only those in this state.
    ///
    /// # Errors
    /// [`Error::NoJob`], and a queue that does not answer.
    pub async fn units(
        &self,
        tenant: Option<&str>,
        job: &str,
        filter: Option<UnitPhase>,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<UnitView>, Error> {
        let drafts: Vec<UnitView> = {
            let state = self.lock();
            let job = find(&state, tenant, job)?;
            let coarse = |unit: &u32| filter.is_none_or(|wanted| may_be(job.phase(*unit), wanted));
            (0..job.body.len())
                .filter(|&unit| job.counts_unit(unit))
                .filter(coarse)
                .skip(offset)
                .take(limit.min(MAX_UNITS_PER_PAGE))
                .map(|unit| draft(&state, job, UnitRef::Body(unit)))
                .collect()
        };
        let mut units = self.complete(drafts).await?;
        units.retain(|unit| filter.is_none_or(|wanted| unit.state == wanted));
        Ok(units)
    }

    /// The units whose digest begins with `prefix`, in all jobs that have not been forgotten.
    ///
    /// # Errors
    /// [`Error::Invalid`] for too short a prefix, [`Error::NoUnit`].
    pub async fn explain(&self, tenant: Option<&str>, prefix: &str) -> Result<Vec<UnitView>, Error> {
        if prefix.len() < MIN_PREFIX_CHARS || !prefix.chars().all(|c| c.is_ascii_hexdigit()) {
            let problem =
                format!("'{prefix}'; write at least {MIN_PREFIX_CHARS} characters of the unit's digest");
            return Err(Error::Invalid { field: "unit", problem });
        }
        let prefix = prefix.to_ascii_lowercase();
        let drafts: Vec<UnitView> = {
            let state = self.lock();
            let mine = |job: &&Job| tenant.is_none_or(|tenant| job.submission.tenant == tenant);
            let mut drafts = Vec::new();
            for job in state.jobs.values().filter(mine) {
                let body = (0..job.body.len()).filter(|&unit| job.counts_unit(unit)).map(UnitRef::Body);
                for unit in body.chain([UnitRef::Plan, UnitRef::Assemble]) {
                    if unit_id(&job.id, job.control.round, &job.body, unit).0.starts_with(&prefix) {
                        drafts.push(draft(&state, job, unit));
                    }
                }
            }
            drafts.truncate(MAX_UNITS_PER_PAGE);
            drafts
        };
        if drafts.is_empty() {
            return Err(Error::NoUnit(prefix));
        }
        self.complete(drafts).await
    }

    /// Adds what only the queue knows.
    async fn complete(&self, mut units: Vec<UnitView>) -> Result<Vec<UnitView>, Error> {
        let queued: Vec<usize> = (0..units.len()).filter(|&i| units[i].state == UnitPhase::Queued).collect();
        let ids: Vec<UnitId> = queued.iter().map(|&i| UnitId(units[i].unit.clone())).collect();
        if ids.is_empty() {
            return Ok(units);
        }
        match self.inner.queue.status(&ids).await {
            Ok(found) => {
                for (index, status) in queued.into_iter().zip(found) {
                    if let Some(status) = status {
                        merge(&mut units[index], &status);
                    }
                }
            }
            Err(error) => {
                for index in queued {
                    units[index].reason = PendingReason::QueueRebuilding;
                    units[index].detail = error.to_string();
                }
            }
        }
        Ok(units)
    }
}

fn may_be(phase: Phase, wanted: UnitPhase) -> bool {
    match wanted {
        UnitPhase::Waiting => matches!(phase, Phase::Blocked | Phase::Ready),
        UnitPhase::Queued | UnitPhase::Running => phase == Phase::Admitted,
        UnitPhase::Done => phase == Phase::Done,
        UnitPhase::Failed => phase == Phase::Failed,
    }
}

fn draft(state: &State, job: &Job, unit: UnitRef) -> UnitView {
    let pool = pool_of(&job.submission, &job.body, unit);
    let id = unit_id(&job.id, job.control.round, &job.body, unit);
    let phase = match unit {
        UnitRef::Body(index) => match job.phase(index) {
            Phase::Blocked | Phase::Ready => UnitPhase::Waiting,
            Phase::Admitted => UnitPhase::Queued,
            Phase::Done => UnitPhase::Done,
            Phase::Failed => UnitPhase::Failed,
        },
        _ if state.holders(&id).is_some() => UnitPhase::Queued,
        UnitRef::Plan if !matches!(job.body, Body::Unknown) => UnitPhase::Done,
        UnitRef::Assemble if matches!(job.state(), JobState::Succeeded | JobState::Partial) => {
            UnitPhase::Done
        }
        _ if job.state() == JobState::Failed => UnitPhase::Failed,
        _ => UnitPhase::Waiting,
    };
    let (title, estimate) = match (unit, &job.body) {
        (UnitRef::Body(index), Body::Evaluation(units)) => (units.title(index), Some(*units.estimate(index))),
        (UnitRef::Body(index), _) => (format!("drill unit {index}"), None),
        (UnitRef::Plan, _) => ("reading what the spec names".to_owned(), None),
        (UnitRef::Assemble, _) => ("assembling the results".to_owned(), None),
    };
    let (reason, detail) = pending(state, job, unit, phase, &pool);
    UnitView {
        unit: id.0,
        job: job.id.clone(),
        kind: kind_of(&job.body, unit).to_owned(),
        title,
        state: phase,
        reason,
        detail,
        pool,
        estimate,
        attempts: 0,
        crashes: 0,
        evictions: 0,
    }
}

fn pending(state: &State, job: &Job, unit: UnitRef, phase: UnitPhase, pool: &str) -> (PendingReason, String) {
    let plain = |reason| (reason, String::new());
    match phase {
        UnitPhase::Done => return plain(PendingReason::NotPending),
        UnitPhase::Failed => {
            let why = match unit {
                UnitRef::Body(index) => job.failure(index).unwrap_or_default(),
                _ => job.reason(),
            };
            return (PendingReason::NotPending, why.to_owned());
        }
        _ => {}
    }
    match job.state() {
        JobState::Cancelled => return plain(PendingReason::JobCancelled),
        JobState::Planning if unit != UnitRef::Plan => return plain(PendingReason::JobPlanning),
        JobState::Paused if phase == UnitPhase::Waiting => return plain(PendingReason::JobPaused),
        _ => {}
    }
    if let UnitRef::Body(index) = unit
        && job.phase(index) == Phase::Blocked
    {
        return (PendingReason::InputMissing, "the Gram it reads is not computed yet".to_owned());
    }
    if unit == UnitRef::Assemble && phase == UnitPhase::Waiting {
        return (PendingReason::InputMissing, "units of the job have not ended yet".to_owned());
    }
    if let Some(lack) = lack_of_workers(&state.workers, pool) {
        return lack;
    }
    if phase == UnitPhase::Queued {
        return plain(PendingReason::WorkersBusy);
    }
    let tenant = &job.submission.tenant;
    let limit = state.policies.of(tenant).max_in_flight;
    if state.tenant_in_flight(tenant) >= limit {
        return (PendingReason::QuotaReached, format!("tenant '{tenant}' has {limit} units in flight"));
    }
    let units = window::units(state.slots(pool));
    let seconds = WINDOW_MS / 1_000;
    let full = format!("{units} units of the pool are in the queue, or {seconds} s of work for every slot");
    (PendingReason::WindowFull, full)
}

/// Why no live worker can take from a pool, if so.
fn lack_of_workers(workers: &[WorkerRecord], pool: &str) -> Option<(PendingReason, String)> {
    if workers.iter().any(|worker| worker.pools.iter().any(|name| name == pool)) {
        return None;
    }
    let profile = |name: &str| name.rsplit_once('/').map_or(String::new(), |(profile, _)| profile.to_owned());
    let wanted = profile(pool);
    let same = |worker: &&WorkerRecord| worker.pools.iter().any(|name| profile(name) == wanted);
    let largest = workers.iter().filter(same).map(|worker| worker.slot_bytes).max();
    Some(match largest {
        Some(bytes) if !wanted.is_empty() => (
            PendingReason::NoWorkerLargeEnough,
            format!("pool '{pool}'; the largest slot of a live worker has {} MiB", bytes >> 20),
        ),
        _ => (
            PendingReason::NoWorkerOfProfile,
            format!("no live worker takes from pool '{pool}' ({} workers are live)", workers.len()),
        ),
    })
}

fn merge(unit: &mut UnitView, status: &UnitStatus) {
    (unit.attempts, unit.crashes, unit.evictions) = (status.attempts, status.crashes, status.evictions);
    let last = status.failure.as_ref().map(|failure| failure.reason.clone()).unwrap_or_default();
    match status.state {
        // It was queued again at once after a fault of a machine.
        UnitState::Ready if !last.is_empty() => unit.detail = format!("before: {last}"),
        UnitState::Ready => {}
        UnitState::Delayed => {
            (unit.reason, unit.detail) = (PendingReason::BackingOff, last);
        }
        UnitState::Leased => {
            unit.state = UnitPhase::Running;
            unit.reason = PendingReason::Running;
            unit.detail = format!("on {}", status.worker.as_deref().unwrap_or("an unknown worker"));
        }
        UnitState::Dead => (unit.state, unit.detail) = (UnitPhase::Failed, last),
    }
}
