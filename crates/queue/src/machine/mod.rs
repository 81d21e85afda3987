//! The queue as a pure state machine: a state, an operation and the time give the next state, an answer and events. No clock, no chance, no
//! input or output: the same operations at the same times give the same answers.
//!
//! - module `work`: what happens to units
//! - module `fleet`: workers and the coordinator's role
//! - module `view`: what can be read
//! - module [`backoff`]: how long a failed unit waits

pub mod backoff;
mod fleet;
mod view;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::types::{
    Event, Failure, FailureKind, Generation, Happening, Loss, MAX_DEAD, Timing, UnitId, UnitState,
    WORKER_LEASES, WorkerRecord,
};

/// Everything a queue knows. Times are milliseconds of one clock. Callers check the bounds of what they hand in.
#[derive(Debug)]
pub struct State {
    timing: Timing,
    generation: Option<Generation>,
    units: HashMap<UnitId, Unit>,
    pools: BTreeMap<String, Pool>,
    delayed: BTreeSet<(u64, UnitId)>,
    leased: BTreeSet<(u64, UnitId)>,
    dead: BTreeSet<(u64, UnitId)>,
    /// Why units left the queue while a worker held them, and when.
    gone: HashMap<UnitId, (u64, Loss)>,
    events: BTreeMap<u64, Event>,
    last_event: u64,
    last_ready: u64,
    last_epoch: u64,
    workers: BTreeMap<String, Worker>,
    leader: Option<(String, u64)>,
}

#[derive(Debug)]
struct Unit {
    job: String,
    pool: String,
    shard: u16,
    payload: Vec<u8>,
    queued_ms: u64,
    place: Place,
    epoch: u64,
    attempts: u32,
    crashes: u32,
    evictions: u32,
    failure: Option<Failure>,
    /// Workers that vanished with it.
    vanished: Vec<String>,
    /// Faults of machines so far, and the last workers that had them.
    faults: u32,
    shunned: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Ready { number: u64 },
    Delayed { due_ms: u64 },
    Leased { worker: String, until_ms: u64 },
    Dead { worker: String, at_ms: u64 },
}

impl Place {
    fn state(&self) -> UnitState {
        match self {
            Self::Ready { .. } => UnitState::Ready,
            Self::Delayed { .. } => UnitState::Delayed,
            Self::Leased { .. } => UnitState::Leased,
            Self::Dead { .. } => UnitState::Dead,
        }
    }
}

#[derive(Debug, Default)]
struct Pool {
    /// By shard, then in the order of queueing.
    ready: BTreeMap<(u16, u64), UnitId>,
    delayed: u64,
    leased: u64,
}

#[derive(Debug)]
struct Worker {
    record: WorkerRecord,
    heard_ms: u64,
    draining: bool,
}

impl State {
    /// A queue that nobody has opened.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            generation: None,
            units: HashMap::new(),
            pools: BTreeMap::new(),
            delayed: BTreeSet::new(),
            leased: BTreeSet::new(),
            dead: BTreeSet::new(),
            gone: HashMap::new(),
            events: BTreeMap::new(),
            last_event: 0,
            last_ready: 0,
            last_epoch: 0,
            workers: BTreeMap::new(),
            leader: None,
        }
    }

    /// The generation, `None` before the queue was opened.
    pub fn generation(&self) -> Option<&Generation> {
        self.generation.as_ref()
    }

    /// Opens the queue with the name `fresh` unless it is open; the generation it has.
    pub fn open(&mut self, fresh: Generation) -> Generation {
        self.generation.get_or_insert(fresh).clone()
    }

    /// How long workers, and the memory of lost leases, outlive their last sign of life.
    fn memory_ms(&self) -> u64 {
        self.timing.lease_ms.saturating_mul(WORKER_LEASES)
    }

    /// Takes a unit out of its place, and the unit out of the state.
    fn lift(&mut self, id: &UnitId) -> Option<Unit> {
        let unit = self.units.remove(id)?;
        let pool = self.pools.entry(unit.pool.clone()).or_default();
        match &unit.place {
            Place::Ready { number } => {
                pool.ready.remove(&(unit.shard, *number));
            }
            Place::Delayed { due_ms } => {
                pool.delayed -= 1;
                self.delayed.remove(&(*due_ms, id.clone()));
            }
            Place::Leased { until_ms, .. } => {
                pool.leased -= 1;
                self.leased.remove(&(*until_ms, id.clone()));
            }
            Place::Dead { at_ms, .. } => {
                self.dead.remove(&(*at_ms, id.clone()));
            }
        }
        if pool.ready.is_empty() && pool.delayed == 0 && pool.leased == 0 {
            self.pools.remove(&unit.pool);
        }
        Some(unit)
    }

    /// Puts a unit that was lifted into a place.
    fn put(&mut self, id: UnitId, mut unit: Unit, place: Place) {
        unit.place = place;
        match &unit.place {
            Place::Ready { number } => {
                let pool = self.pools.entry(unit.pool.clone()).or_default();
                pool.ready.insert((unit.shard, *number), id.clone());
            }
            Place::Delayed { due_ms } => {
                self.pools.entry(unit.pool.clone()).or_default().delayed += 1;
                self.delayed.insert((*due_ms, id.clone()));
            }
            Place::Leased { until_ms, .. } => {
                self.pools.entry(unit.pool.clone()).or_default().leased += 1;
                self.leased.insert((*until_ms, id.clone()));
            }
            Place::Dead { at_ms, .. } => {
                self.dead.insert((*at_ms, id.clone()));
            }
        }
        self.units.insert(id, unit);
    }

    /// Puts a unit at the end of its shard.
    fn put_ready(&mut self, id: UnitId, unit: Unit) {
        self.last_ready += 1;
        let number = self.last_ready;
        self.put(id, unit, Place::Ready { number });
    }

    /// Puts a unit aside until its backoff is over.
    fn put_delayed(&mut self, now_ms: u64, id: UnitId, unit: Unit) {
        let wait_ms = backoff::backoff_ms(&self.timing, &id.0, unit.attempts + unit.crashes);
        self.put(id, unit, Place::Delayed { due_ms: now_ms + wait_ms });
    }

    /// Gives a unit up, with the failure it had last.
    fn put_dead(&mut self, now_ms: u64, id: UnitId, mut unit: Unit, worker: &str, mut failure: Failure) {
        if failure.kind == FailureKind::Crash {
            failure.evidence = vanished_evidence(&failure.evidence, &unit.vanished);
        }
        unit.failure = Some(failure.clone());
        unit.payload = Vec::new();
        self.emit(now_ms, &id, &unit.job, worker, Happening::Died { failure });
        self.put(id, unit, Place::Dead { worker: worker.to_owned(), at_ms: now_ms });
        while self.dead.len() > MAX_DEAD {
            if let Some((_, oldest)) = self.dead.pop_first() {
                self.units.remove(&oldest);
            }
        }
    }

    fn emit(&mut self, now_ms: u64, unit: &UnitId, job: &str, worker: &str, what: Happening) {
        self.last_event += 1;
        let event =
            Event { unit: unit.clone(), job: job.to_owned(), worker: worker.to_owned(), what, at_ms: now_ms };
        self.events.insert(self.last_event, event);
    }
}

fn vanished_evidence(evidence: &str, vanished: &[String]) -> String {
    let break_line = if evidence.is_empty() { "" } else { "\n" };
    format!("{evidence}{break_line}workers that it crashed: {}", vanished.join(", "))
}
