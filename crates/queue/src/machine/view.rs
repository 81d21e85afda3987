//! What can be read.

use std::ops::Bound;

use super::{Place, State, Unit};
use crate::types::{
    Cursor, DeadUnit, Depth, Event, Failure, FailureKind, Happening, MAX_BATCH, MAX_EVENT_BYTES, UnitId,
    UnitStatus,
};

impl State {
    /// See [`crate::Queue::events`]; `after` is the first number of the cursor.
    pub fn events(&self, after: u64, limit: usize) -> Vec<(Cursor, Event)> {
        let later = self.events.range((Bound::Excluded(after), Bound::Unbounded)).take(limit.min(MAX_BATCH));
        let mut bytes = 0;
        let within = later.take_while(|(_, event)| {
            let fits = bytes < MAX_EVENT_BYTES;
            bytes += event_bytes(event);
            fits
        });
        within.map(|(number, event)| (Cursor(format!("{number}-0")), event.clone())).collect()
    }

    /// See [`crate::Queue::acknowledge`].
    pub fn acknowledge(&mut self, through: u64) {
        self.events = match through.checked_add(1) {
            Some(next) => self.events.split_off(&next),
            None => Default::default(),
        };
    }

    /// See [`crate::Queue::status`].
    pub fn status(&self, units: &[UnitId]) -> Vec<Option<UnitStatus>> {
        units.iter().map(|id| self.units.get(id).map(unit_status)).collect()
    }

    /// See [`crate::Queue::reconcile`]; nothing of it can be lost by half.
    pub fn reconcile(&self, units: &[UnitId]) -> Vec<bool> {
        units.iter().map(|id| self.units.contains_key(id)).collect()
    }

    /// See [`crate::Queue::depths`]; by name.
    pub fn depths(&self) -> Vec<Depth> {
        let depth = |(name, pool): (&String, &super::Pool)| Depth {
            pool: name.clone(),
            ready: u64::try_from(pool.ready.len()).unwrap_or(u64::MAX),
            delayed: pool.delayed,
            leased: pool.leased,
        };
        self.pools.iter().map(depth).collect()
    }

    /// See [`crate::Queue::dead`].
    pub fn dead(&self, after: Option<&UnitId>, limit: usize) -> Vec<DeadUnit> {
        let last = after.and_then(|id| match &self.units.get(id)?.place {
            Place::Dead { at_ms, .. } => Some((*at_ms, id.clone())),
            _ => None,
        });
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.dead.range((from, Bound::Unbounded)).take(limit.min(MAX_BATCH));
        later.filter_map(|(_, id)| dead_unit(id, self.units.get(id)?)).collect()
    }
}

/// Bytes of what may be large in an event.
fn event_bytes(event: &Event) -> usize {
    match &event.what {
        Happening::Finished { report } => report.len(),
        Happening::Died { failure } | Happening::NeedsInput { failure } => {
            failure.reason.len() + failure.evidence.len()
        }
    }
}

fn unit_status(unit: &Unit) -> UnitStatus {
    let (worker, due_ms) = match &unit.place {
        Place::Leased { worker, .. } => (Some(worker.clone()), None),
        Place::Delayed { due_ms } => (None, Some(*due_ms)),
        Place::Ready { .. } | Place::Dead { .. } => (None, None),
    };
    UnitStatus {
        state: unit.place.state(),
        worker,
        epoch: unit.epoch,
        attempts: unit.attempts,
        crashes: unit.crashes,
        evictions: unit.evictions,
        due_ms,
        failure: unit.failure.clone(),
    }
}

fn dead_unit(id: &UnitId, unit: &Unit) -> Option<DeadUnit> {
    let Place::Dead { worker, at_ms } = &unit.place else { return None };
    let unknown = || Failure { kind: FailureKind::Permanent, reason: String::new(), evidence: String::new() };
    Some(DeadUnit {
        unit: id.clone(),
        job: unit.job.clone(),
        pool: unit.pool.clone(),
        failure: unit.failure.clone().unwrap_or_else(unknown),
        worker: worker.clone(),
        attempts: unit.attempts,
        crashes: unit.crashes,
        at_ms: *at_ms,
    })
}
