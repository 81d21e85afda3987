//! Workers and the coordinator's role.

use super::{State, Unit, Worker};
use crate::check;
use crate::types::{BeatReply, LeaseRef, TakeRequest, WorkerRecord};

impl State {
    /// Registers a worker that takes; whether it is to drain.
    pub(super) fn hear(&mut self, now_ms: u64, request: &TakeRequest) -> bool {
        let fresh = || Worker { record: check::newcomer(request), heard_ms: now_ms, draining: false };
        let worker = self.workers.entry(request.worker.clone()).or_insert_with(fresh);
        worker.heard_ms = now_ms;
        worker.draining
    }

    /// See [`crate::Queue::beat`].
    pub fn beat(&mut self, now_ms: u64, record: WorkerRecord, leases: &[LeaseRef]) -> BeatReply {
        let name = record.name.clone();
        let draining = self.workers.get(&name).is_some_and(|worker| worker.draining);
        self.workers.insert(name.clone(), Worker { record, heard_ms: now_ms, draining });
        let lost = leases.iter().filter_map(|lease| Some((lease.clone(), self.renew(now_ms, &name, lease)?)));
        BeatReply { lost: lost.collect(), drain: draining }
    }

    /// See [`crate::Queue::drain`].
    pub fn drain(&mut self, now_ms: u64, worker: &str) -> bool {
        let memory_ms = self.memory_ms();
        let Some(worker) = self.workers.get_mut(worker) else { return false };
        let known = worker.heard_ms + memory_ms > now_ms;
        worker.draining |= known;
        known
    }

    /// See [`crate::Queue::leave`].
    pub fn leave(&mut self, worker: &str) {
        self.workers.remove(worker);
    }

    /// See [`crate::Queue::workers`].
    pub fn workers(&self, now_ms: u64) -> Vec<WorkerRecord> {
        let heard = self.workers.values().filter(|worker| worker.heard_ms + self.memory_ms() > now_ms);
        let record = |worker: &Worker| WorkerRecord {
            draining: worker.draining,
            silent_ms: now_ms.saturating_sub(worker.heard_ms),
            ..worker.record.clone()
        };
        heard.map(record).collect()
    }

    /// Whether a live and well worker takes from a unit's pool whose machine has not failed it.
    pub(super) fn another_serves(&self, now_ms: u64, unit: &Unit) -> bool {
        self.workers.values().any(|worker| {
            let record = &worker.record;
            let well = record.trouble.is_empty() && !worker.draining;
            let live = worker.heard_ms + self.memory_ms() > now_ms;
            live && well && record.pools.contains(&unit.pool) && !unit.shunned.contains(&record.name)
        })
    }

    /// Forgets workers and lost leases of long ago.
    pub(super) fn forget(&mut self, now_ms: u64) {
        let memory_ms = self.memory_ms();
        self.workers.retain(|_, worker| worker.heard_ms + memory_ms > now_ms);
        self.gone.retain(|_, (at_ms, _)| *at_ms + memory_ms > now_ms);
    }

    /// See [`crate::Queue::lead`].
    pub fn lead(&mut self, now_ms: u64, who: &str, ttl_ms: u64) -> bool {
        let taken =
            self.leader.as_ref().is_some_and(|(leader, until_ms)| leader != who && *until_ms > now_ms);
        if !taken {
            self.leader = Some((who.to_owned(), now_ms.saturating_add(ttl_ms)));
        }
        !taken
    }
}
