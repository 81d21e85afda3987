//! What a queue does.

use async_trait::async_trait;

use crate::types::{
    Admission, BeatReply, Cursor, DeadUnit, Depth, Entry, Error, Event, Failure, Finished, Generation, Lease,
    LeaseRef, Reaped, TakeRequest, UnitId, UnitStatus, WorkerRecord,
};

/// A job queue: at-least-once delivery of units to workers, with leases, epochs and three budgets.
///
/// Time is the queue's own (Redis server time, or the clock of the in-memory queue), never the caller's. Every method is atomic.
/// Every method but [`Queue::open`], [`Queue::generation`] and [`Queue::lead`] returns [`Error::Lost`] when nobody has opened the queue since it was
/// emptied, and also when this handle has opened an earlier generation: the coordinator then opens it again and re-admits what the store
/// lacks; workers, which never open, wait.
///
/// Values out of bounds are refused with [`Error::Invalid`] before anything is changed.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Makes the queue usable if it is empty; returns its generation. A new generation means that everything queued before is gone. Only the
    /// leading coordinator opens.
    async fn open(&self) -> Result<Generation, Error>;

    /// The generation, or `None` for an empty queue that nobody has opened.
    async fn generation(&self) -> Result<Option<Generation>, Error>;

    /// Queues entries, at most [`crate::MAX_ADMIT`] and [`crate::MAX_ADMIT_BYTES`] of payloads at a time. A unit that is queued, leased or dead already is left as it
    /// is.
    async fn admit(&self, entries: &[Entry]) -> Result<Vec<Admission>, Error>;

    /// Leases up to `request.count` units of `request.pools` to a worker: pools in the given order, in a pool the shards in the order of
    /// `request.shards` as far as they have units, then any shard. Registers the worker; a draining worker gets nothing.
    async fn take(&self, request: &TakeRequest) -> Result<Vec<Lease>, Error>;

    /// Renews leases (at most [`crate::MAX_BEAT`]) and the worker's record. Says which leases are lost, and whether the worker is to drain.
    async fn beat(&self, worker: &WorkerRecord, leases: &[LeaseRef]) -> Result<BeatReply, Error>;

    /// Records a success. A late success of a lost lease counts, whoever holds the unit now and even if it is dead; a second one changes nothing
    /// and hears [`Finished::Unknown`].
    async fn finish(&self, lease: &LeaseRef, worker: &str, report: &[u8]) -> Result<Finished, Error>;

    /// Records a failure against the attempts or the crashes of the unit: it is queued again after a backoff, or dead; for want of an input it
    /// leaves the queue ([`Finished::Recorded`]). After a fault of the machine ([`crate::FailureKind::Machine`]) it is queued again at once, and kept
    /// from this worker as long as a well one takes from its pool. A failure of a lost lease is ignored.
    async fn fail(&self, lease: &LeaseRef, worker: &str, failure: &Failure) -> Result<Finished, Error>;

    /// Gives a unit back unharmed (drain, eviction): it is queued again at once, at the end of its shard.
    async fn yield_back(&self, lease: &LeaseRef, worker: &str) -> Result<Finished, Error>;

    /// Ends leases that were not renewed (each is a crash of its unit), queues units whose backoff is over, forgets workers that are gone. Anyone
    /// may call it at any time; at most [`crate::MAX_REAP`] units of either kind a call.
    async fn reap(&self) -> Result<Reaped, Error>;

    /// Removes units, wherever they are. The worker that holds one is told at its next beats; what it still reports is
    /// [`Finished::Unknown`].
    async fn cancel(&self, units: &[UnitId]) -> Result<(), Error>;

    /// Events after `cursor`, oldest first, at most `limit` and [`crate::MAX_BATCH`], fewer when they are large ([`crate::MAX_EVENT_BYTES`]); [`Cursor::start`] begins with the
    /// oldest that is kept. Nothing but [`Queue::acknowledge`] drops an event.
    async fn events(&self, cursor: &Cursor, limit: usize) -> Result<Vec<(Cursor, Event)>, Error>;

    /// Drops the events up to and including `cursor`: the coordinator has dealt with them.
    async fn acknowledge(&self, cursor: &Cursor) -> Result<(), Error>;

    /// State of units, in their order; `None` for one the queue does not know.
    async fn status(&self, units: &[UnitId]) -> Result<Vec<Option<UnitStatus>>, Error>;

    /// Which of these units the queue holds, in their order. A server may lose a part of its data (a cut file, evicted keys) and keep the generation:
    /// what it holds of a unit by half is made whole; what it does not hold is to be admitted again.
    async fn reconcile(&self, units: &[UnitId]) -> Result<Vec<bool>, Error>;

    /// Ready, delayed and leased units of every pool that has any.
    async fn depths(&self) -> Result<Vec<Depth>, Error>;

    /// Dead units with their evidence, oldest first, after `after` (from the oldest on, if that is no longer dead), at most `limit` and
    /// [`crate::MAX_BATCH`].
    async fn dead(&self, after: Option<&UnitId>, limit: usize) -> Result<Vec<DeadUnit>, Error>;

    /// Forgets dead units, so that they can be admitted afresh.
    async fn bury(&self, units: &[UnitId]) -> Result<(), Error>;

    /// Workers that have beaten or taken lately.
    async fn workers(&self) -> Result<Vec<WorkerRecord>, Error>;

    /// Asks a worker to finish or give back what it has and to end; `false` for a worker the queue does not know.
    async fn drain(&self, worker: &str) -> Result<bool, Error>;

    /// The worker has ended: forgets it and its drain. Leases it still holds expire as usual.
    async fn leave(&self, worker: &str) -> Result<(), Error>;

    /// Takes or renews the role of the one coordinator for `ttl_ms` (0 gives it up); `false` while another process holds it.
    async fn lead(&self, who: &str, ttl_ms: u64) -> Result<bool, Error>;
}
