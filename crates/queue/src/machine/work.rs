//! What happens to units.

use std::collections::BTreeSet;

use super::{Place, State, Unit};
use crate::types::{
    Admission, Entry, Failure, FailureKind, Finished, Happening, Lease, LeaseRef, Loss, MAX_ATTEMPTS,
    MAX_CRASHES, MAX_MACHINE_FAULTS, MAX_REAP, MAX_SHUNNED, Reaped, TakeRequest, UnitId, UnitState,
};

impl State {
    /// See [`crate::Queue::admit`].
    pub fn admit(&mut self, now_ms: u64, entries: &[Entry]) -> Vec<Admission> {
        entries.iter().map(|entry| self.admit_one(now_ms, entry)).collect()
    }

    fn admit_one(&mut self, now_ms: u64, entry: &Entry) -> Admission {
        match self.units.get(&entry.unit).map(|unit| unit.place.state()) {
            Some(UnitState::Dead) => Admission::Dead,
            Some(_) => Admission::Known,
            None => {
                self.gone.remove(&entry.unit);
                let unit = Unit {
                    job: entry.job.clone(),
                    pool: entry.pool.clone(),
                    shard: entry.shard,
                    payload: entry.payload.clone(),
                    queued_ms: now_ms,
                    place: Place::Ready { number: 0 },
                    epoch: 0,
                    attempts: 0,
                    crashes: 0,
                    evictions: 0,
                    failure: None,
                    vanished: Vec::new(),
                    faults: 0,
                    shunned: Vec::new(),
                };
                self.put_ready(entry.unit.clone(), unit);
                Admission::Queued
            }
        }
    }

    /// See [`crate::Queue::take`]. `request.shards` has every shard once, `request.pools` none twice.
    pub fn take(&mut self, now_ms: u64, request: &TakeRequest) -> Vec<Lease> {
        if self.hear(now_ms, request) {
            return Vec::new();
        }
        let mut leases = Vec::new();
        for pool in &request.pools {
            for &shard in &request.shards {
                let Some(found) = self.pools.get(pool) else { break };
                let left = request.count - leases.len();
                let ready = found.ready.range((shard, 0)..=(shard, u64::MAX));
                let chosen: Vec<UnitId> = ready.take(left).map(|(_, id)| id.clone()).collect();
                leases.extend(chosen.into_iter().filter_map(|id| self.lease(now_ms, &request.worker, id)));
            }
        }
        leases
    }

    fn lease(&mut self, now_ms: u64, worker: &str, id: UnitId) -> Option<Lease> {
        let mut unit = self.lift(&id)?;
        if unit.shunned.iter().any(|name| name == worker) && self.another_serves(now_ms, &unit) {
            self.put_ready(id, unit);
            return None;
        }
        self.last_epoch += 1;
        unit.epoch = self.last_epoch;
        let lease = Lease {
            held: LeaseRef { unit: id.clone(), epoch: unit.epoch },
            pool: unit.pool.clone(),
            shard: unit.shard,
            job: unit.job.clone(),
            payload: unit.payload.clone(),
            attempts: unit.attempts,
            crashes: unit.crashes,
            waited_ms: now_ms.saturating_sub(unit.queued_ms),
        };
        let until_ms = now_ms + self.timing.lease_ms;
        self.put(id, unit, Place::Leased { worker: worker.to_owned(), until_ms });
        Some(lease)
    }

    /// Renews a lease, or says why it is lost.
    pub(super) fn renew(&mut self, now_ms: u64, worker: &str, lease: &LeaseRef) -> Option<Loss> {
        if self.holds(lease, worker) {
            let unit = self.lift(&lease.unit)?;
            let until_ms = now_ms + self.timing.lease_ms;
            self.put(lease.unit.clone(), unit, Place::Leased { worker: worker.to_owned(), until_ms });
            return None;
        }
        if self.units.contains_key(&lease.unit) {
            return Some(Loss::Expired);
        }
        Some(self.gone.get(&lease.unit).map_or(Loss::Expired, |&(_, loss)| loss))
    }

    fn holds(&self, lease: &LeaseRef, worker: &str) -> bool {
        self.units.get(&lease.unit).is_some_and(|unit| {
            let held_by = matches!(&unit.place, Place::Leased { worker: holder, .. } if holder == worker);
            held_by && unit.epoch == lease.epoch
        })
    }

    /// Removes a unit for good; if someone else holds it, that worker will hear of it.
    fn remove(&mut self, now_ms: u64, id: &UnitId, loss: Option<Loss>) -> Option<Unit> {
        let unit = self.lift(id)?;
        if let (Some(loss), Place::Leased { .. }) = (loss, &unit.place) {
            self.gone.insert(id.clone(), (now_ms, loss));
        }
        Some(unit)
    }

    /// See [`crate::Queue::finish`].
    pub fn finish(&mut self, now_ms: u64, lease: &LeaseRef, worker: &str, report: &[u8]) -> Finished {
        let held = self.holds(lease, worker);
        let loss = (!held).then_some(Loss::Finished);
        let Some(unit) = self.remove(now_ms, &lease.unit, loss) else { return Finished::Unknown };
        self.emit(now_ms, &lease.unit, &unit.job, worker, Happening::Finished { report: report.to_vec() });
        if held { Finished::Recorded } else { Finished::Late }
    }

    /// See [`crate::Queue::fail`].
    pub fn fail(&mut self, now_ms: u64, lease: &LeaseRef, worker: &str, failure: Failure) -> Finished {
        if let Some(refusal) = self.refusal(lease, worker) {
            return refusal;
        }
        let Some(mut unit) = self.lift(&lease.unit) else { return Finished::Unknown };
        if failure.kind == FailureKind::Machine {
            unit.faults += 1;
            if unit.faults <= MAX_MACHINE_FAULTS {
                unit.shunned.retain(|name| name != worker);
                unit.shunned.push(worker.to_owned());
                unit.shunned.drain(..unit.shunned.len().saturating_sub(MAX_SHUNNED));
                unit.failure = Some(failure);
                self.put_ready(lease.unit.clone(), unit);
                return Finished::Requeued;
            }
        }
        if failure.kind == FailureKind::Input {
            self.emit(now_ms, &lease.unit, &unit.job, worker, Happening::NeedsInput { failure });
            return Finished::Recorded;
        }
        if self.charge(now_ms, lease.unit.clone(), unit, worker, failure) {
            Finished::Dead
        } else {
            Finished::Requeued
        }
    }

    /// What a worker hears that does not hold the unit.
    fn refusal(&self, lease: &LeaseRef, worker: &str) -> Option<Finished> {
        if !self.units.contains_key(&lease.unit) {
            return Some(Finished::Unknown);
        }
        (!self.holds(lease, worker)).then_some(Finished::Ignored)
    }

    /// Counts a failure of a lifted unit; whether the unit is dead now.
    fn charge(&mut self, now_ms: u64, id: UnitId, mut unit: Unit, worker: &str, failure: Failure) -> bool {
        let dead = match failure.kind {
            FailureKind::Crash => {
                unit.crashes += 1;
                unit.vanished.push(worker.to_owned());
                unit.crashes >= MAX_CRASHES
            }
            FailureKind::Attempt | FailureKind::Machine => {
                unit.attempts += 1;
                unit.attempts >= MAX_ATTEMPTS
            }
            FailureKind::Permanent | FailureKind::Input => {
                unit.attempts += 1;
                true
            }
        };
        if dead {
            self.put_dead(now_ms, id, unit, worker, failure);
        } else {
            unit.failure = Some(failure);
            self.put_delayed(now_ms, id, unit);
        }
        dead
    }

    /// See [`crate::Queue::yield_back`].
    pub fn yield_back(&mut self, lease: &LeaseRef, worker: &str) -> Finished {
        if let Some(refusal) = self.refusal(lease, worker) {
            return refusal;
        }
        let Some(mut unit) = self.lift(&lease.unit) else { return Finished::Unknown };
        unit.evictions += 1;
        self.put_ready(lease.unit.clone(), unit);
        Finished::Requeued
    }

    /// See [`crate::Queue::reap`].
    pub fn reap(&mut self, now_ms: u64) -> Reaped {
        let mut reaped = Reaped::default();
        let due = |set: &BTreeSet<(u64, UnitId)>| -> Vec<UnitId> {
            set.iter()
                .take_while(|(at_ms, _)| *at_ms <= now_ms)
                .take(MAX_REAP)
                .map(|(_, id)| id.clone())
                .collect()
        };
        for id in due(&self.leased) {
            match self.expire(now_ms, id) {
                true => reaped.dead += 1,
                false => reaped.expired += 1,
            }
        }
        for id in due(&self.delayed) {
            if let Some(unit) = self.lift(&id) {
                self.put_ready(id, unit);
                reaped.promoted += 1;
            }
        }
        self.forget(now_ms);
        reaped
    }

    /// Ends a lease that was not renewed; whether the unit is dead now.
    fn expire(&mut self, now_ms: u64, id: UnitId) -> bool {
        let Some(unit) = self.lift(&id) else { return false };
        let Place::Leased { worker, .. } = unit.place.clone() else { return false };
        let reason =
            format!("worker {worker} vanished: its lease was not renewed in {} ms", self.timing.lease_ms);
        let failure = Failure { kind: FailureKind::Crash, reason, evidence: String::new() };
        self.charge(now_ms, id, unit, &worker, failure)
    }

    /// See [`crate::Queue::cancel`].
    pub fn cancel(&mut self, now_ms: u64, units: &[UnitId]) {
        for id in units {
            self.remove(now_ms, id, Some(Loss::Cancelled));
        }
    }

    /// Loses units without a trace, for tests.
    pub fn lose(&mut self, units: &[UnitId]) {
        for id in units {
            self.lift(id);
        }
    }

    /// See [`crate::Queue::bury`].
    pub fn bury(&mut self, units: &[UnitId]) {
        for id in units {
            if self.units.get(id).is_some_and(|unit| unit.place.state() == UnitState::Dead) {
                self.lift(id);
            }
        }
    }
}
