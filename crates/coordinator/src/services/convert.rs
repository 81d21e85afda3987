//! From the core's views to the wire.

use ventral_proto::v1;
use ventral_queue::{DeadUnit, FailureKind, WorkerRecord};

use crate::core::{JobState, JobView, PendingReason, PoolView, UnitPhase, UnitView};

/// A job.
pub fn job(view: &JobView) -> v1::Job {
    let counts = view.counts;
    v1::Job {
        id: view.id.clone(),
        tenant: view.tenant.clone(),
        name: view.name.clone(),
        state: job_state(view.state).into(),
        reason: view.reason.clone(),
        counts: Some(v1::Counts {
            total: counts.total,
            cached: counts.cached,
            done: counts.done,
            admitted: counts.admitted,
            waiting: counts.waiting,
            failed: counts.failed,
        }),
        priority: view.priority,
        profile: view.profile.clone(),
        submitted_ms: view.submitted_ms,
        ended_ms: view.ended_ms,
        predicted_seconds: view.predicted_seconds,
        peak_bytes: view.peak_bytes,
        revision: view.revision,
    }
}

/// State of a job.
pub fn job_state(state: JobState) -> v1::JobState {
    match state {
        JobState::Planning => v1::JobState::Planning,
        JobState::Running => v1::JobState::Running,
        JobState::Paused => v1::JobState::Paused,
        JobState::Assembling => v1::JobState::Assembling,
        JobState::Succeeded => v1::JobState::Succeeded,
        JobState::Partial => v1::JobState::Partial,
        JobState::Failed => v1::JobState::Failed,
        JobState::Cancelled => v1::JobState::Cancelled,
        JobState::Planned => v1::JobState::Planned,
    }
}

/// A unit.
pub fn unit(view: UnitView) -> v1::Unit {
    v1::Unit {
        unit: view.unit,
        job: view.job,
        kind: view.kind,
        title: view.title,
        state: unit_state(view.state).into(),
        reason: reason(view.reason).into(),
        detail: view.detail,
        pool: view.pool,
        estimate: view.estimate.map(|estimate| v1::Estimate {
            memory_bytes: estimate.memory_bytes,
            least_bytes: estimate.least_bytes,
            seconds: estimate.seconds,
        }),
        attempts: view.attempts,
        crashes: view.crashes,
        evictions: view.evictions,
    }
}

fn unit_state(phase: UnitPhase) -> v1::UnitState {
    match phase {
        UnitPhase::Waiting => v1::UnitState::Waiting,
        UnitPhase::Queued => v1::UnitState::Queued,
        UnitPhase::Running => v1::UnitState::Running,
        UnitPhase::Done => v1::UnitState::Done,
        UnitPhase::Failed => v1::UnitState::Failed,
    }
}

/// A filter of units; `None` for all.
pub fn phase(state: v1::UnitState) -> Option<UnitPhase> {
    match state {
        v1::UnitState::Unspecified => None,
        v1::UnitState::Waiting => Some(UnitPhase::Waiting),
        v1::UnitState::Queued => Some(UnitPhase::Queued),
        v1::UnitState::Running => Some(UnitPhase::Running),
        v1::UnitState::Done => Some(UnitPhase::Done),
        v1::UnitState::Failed => Some(UnitPhase::Failed),
    }
}

fn reason(reason: PendingReason) -> v1::PendingReason {
    match reason {
        PendingReason::NotPending => v1::PendingReason::NotPending,
        PendingReason::JobPlanning => v1::PendingReason::JobPlanning,
        PendingReason::JobPaused => v1::PendingReason::JobPaused,
        PendingReason::JobCancelled => v1::PendingReason::JobCancelled,
        PendingReason::InputMissing => v1::PendingReason::InputMissing,
        PendingReason::WindowFull => v1::PendingReason::WindowFull,
        PendingReason::QuotaReached => v1::PendingReason::QuotaReached,
        PendingReason::NoWorkerOfProfile => v1::PendingReason::NoWorkerOfProfile,
        PendingReason::NoWorkerLargeEnough => v1::PendingReason::NoWorkerLargeEnough,
        PendingReason::WorkersBusy => v1::PendingReason::WorkersBusy,
        PendingReason::BackingOff => v1::PendingReason::BackingOff,
        PendingReason::Running => v1::PendingReason::Running,
        PendingReason::QueueRebuilding => v1::PendingReason::QueueRebuilding,
    }
}

/// A worker.
pub fn worker(record: WorkerRecord) -> v1::Worker {
    v1::Worker {
        name: record.name,
        pools: record.pools,
        slots: record.slots,
        slot_bytes: record.slot_bytes,
        version: record.version,
        leases: record.leases,
        draining: record.draining,
        silent_ms: record.silent_ms,
        trouble: record.trouble,
        quarantined: record.quarantined,
    }
}

/// A pool.
pub fn pool(view: PoolView) -> v1::Pool {
    v1::Pool {
        pool: view.pool,
        waiting: view.waiting,
        ready: view.ready,
        delayed: view.delayed,
        leased: view.leased,
        workers: view.workers,
        slots: view.slots,
        backlog_seconds: view.backlog_seconds,
    }
}

/// A dead unit.
pub fn dead(unit: DeadUnit) -> v1::DeadUnit {
    let kind = match unit.failure.kind {
        FailureKind::Attempt => "attempt",
        FailureKind::Crash => "crash",
        FailureKind::Permanent => "permanent",
        FailureKind::Input => "input",
        FailureKind::Machine => "machine",
    };
    v1::DeadUnit {
        unit: unit.unit.0,
        job: unit.job,
        pool: unit.pool,
        kind: kind.to_owned(),
        reason: unit.failure.reason,
        evidence: unit.failure.evidence,
        worker: unit.worker,
        attempts: unit.attempts,
        crashes: unit.crashes,
        died_ms: unit.at_ms,
    }
}
