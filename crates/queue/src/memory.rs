//! The queue in memory: the state machine behind a lock and a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use uuid::Uuid;

use crate::check;
use crate::contract::Queue;
use crate::machine::State;
use crate::types::{
    Admission, BeatReply, Cursor, DeadUnit, Depth, Entry, Error, Event, Failure, Finished, Generation, Lease,
    LeaseRef, Reaped, TakeRequest, Timing, UnitId, UnitStatus, WorkerRecord,
};

/// Where an in-memory queue has its time from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that tests move.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `now_ms` until it is advanced.
    pub fn manual(now_ms: u64) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(now_ms)))
    }

    /// Moves a manual clock; the system's cannot be moved.
    pub fn advance(&self, by_ms: u64) {
        if let Self::Manual(now_ms) = self {
            now_ms.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    /// Milliseconds since 1970, or since whatever a manual clock counts from.
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::Manual(now_ms) => now_ms.load(Ordering::SeqCst),
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
        }
    }
}

/// A queue in the memory of this process. Clones are handles of the same queue; each remembers the generation that it opened.
#[derive(Debug)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    clock: Clock,
    timing: Timing,
    opened: Mutex<Option<Generation>>,
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            clock: self.clock.clone(),
            timing: self.timing,
            opened: Mutex::default(),
        }
    }
}

impl Memory {
    /// An empty queue on the system's clock.
    pub fn new(timing: Timing) -> Self {
        Self::with_clock(timing, Clock::System)
    }

    /// An empty queue on a clock of the caller's.
    pub fn with_clock(timing: Timing, clock: Clock) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(timing))), clock, timing, opened: Mutex::default() }
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Loses everything, as FLUSHALL makes Redis do.
    pub fn wipe(&self) {
        *lock(&self.state) = State::new(self.timing);
    }

    /// Loses units, as a cut file makes Redis do.
    pub fn lose(&self, units: &[UnitId]) {
        lock(&self.state).lose(units);
    }

    fn with<T>(&self, run: impl FnOnce(&mut State, u64) -> T) -> Result<T, Error> {
        let opened = lock(&self.opened);
        let mut state = lock(&self.state);
        match (state.generation(), opened.as_ref()) {
            (None, _) => return Err(Error::Lost),
            (Some(now), Some(then)) if now != then => return Err(Error::Lost),
            _ => (),
        }
        Ok(run(&mut state, self.clock.now_ms()))
    }
}

/// A thread that panicked has not left the state half changed: no operation of the machine can panic on what it is given.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Queue for Memory {
    async fn open(&self) -> Result<Generation, Error> {
        let mut opened = lock(&self.opened);
        let generation = lock(&self.state).open(Generation(Uuid::new_v4().to_string()));
        *opened = Some(generation.clone());
        Ok(generation)
    }

    async fn generation(&self) -> Result<Option<Generation>, Error> {
        Ok(lock(&self.state).generation().cloned())
    }

    async fn admit(&self, entries: &[Entry]) -> Result<Vec<Admission>, Error> {
        check::entries(entries)?;
        self.with(|state, now_ms| state.admit(now_ms, entries))
    }

    async fn take(&self, request: &TakeRequest) -> Result<Vec<Lease>, Error> {
        let request = check::take(request)?;
        self.with(|state, now_ms| state.take(now_ms, &request))
    }

    async fn beat(&self, worker: &WorkerRecord, leases: &[LeaseRef]) -> Result<BeatReply, Error> {
        let record = check::beat(worker, leases)?;
        self.with(|state, now_ms| state.beat(now_ms, record, leases))
    }

    async fn finish(&self, lease: &LeaseRef, worker: &str, report: &[u8]) -> Result<Finished, Error> {
        check::lease(lease, worker)?;
        check::report(report)?;
        self.with(|state, now_ms| state.finish(now_ms, lease, worker, report))
    }

    async fn fail(&self, lease: &LeaseRef, worker: &str, failure: &Failure) -> Result<Finished, Error> {
        check::lease(lease, worker)?;
        self.with(|state, now_ms| state.fail(now_ms, lease, worker, check::failure(failure)))
    }

    async fn yield_back(&self, lease: &LeaseRef, worker: &str) -> Result<Finished, Error> {
        check::lease(lease, worker)?;
        self.with(|state, _| state.yield_back(lease, worker))
    }

    async fn reap(&self) -> Result<Reaped, Error> {
        self.with(State::reap)
    }

    async fn cancel(&self, units: &[UnitId]) -> Result<(), Error> {
        check::units(units)?;
        self.with(|state, now_ms| state.cancel(now_ms, units))
    }

    async fn events(&self, cursor: &Cursor, limit: usize) -> Result<Vec<(Cursor, Event)>, Error> {
        let (after, _) = check::cursor(cursor)?;
        self.with(|state, _| state.events(after, limit))
    }

    async fn acknowledge(&self, cursor: &Cursor) -> Result<(), Error> {
        let (through, _) = check::cursor(cursor)?;
        self.with(|state, _| state.acknowledge(through))
    }

    async fn status(&self, units: &[UnitId]) -> Result<Vec<Option<UnitStatus>>, Error> {
        check::units(units)?;
        self.with(|state, _| state.status(units))
    }

    async fn reconcile(&self, units: &[UnitId]) -> Result<Vec<bool>, Error> {
        check::units(units)?;
        self.with(|state, _| state.reconcile(units))
    }

    async fn depths(&self) -> Result<Vec<Depth>, Error> {
        self.with(|state, _| state.depths())
    }

    async fn dead(&self, after: Option<&UnitId>, limit: usize) -> Result<Vec<DeadUnit>, Error> {
        self.with(|state, _| state.dead(after, limit))
    }

    async fn bury(&self, units: &[UnitId]) -> Result<(), Error> {
        check::units(units)?;
        self.with(|state, _| state.bury(units))
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, Error> {
        self.with(|state, now_ms| state.workers(now_ms))
    }

    async fn drain(&self, worker: &str) -> Result<bool, Error> {
        check::name("worker", worker)?;
        self.with(|state, now_ms| state.drain(now_ms, worker))
    }

    async fn leave(&self, worker: &str) -> Result<(), Error> {
        check::name("worker", worker)?;
        self.with(|state, _| state.leave(worker))
    }

    async fn lead(&self, who: &str, ttl_ms: u64) -> Result<bool, Error> {
        check::name("who", who)?;
        Ok(lock(&self.state).lead(self.clock.now_ms(), who, ttl_ms))
    }
}
