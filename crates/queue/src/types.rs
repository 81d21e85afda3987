//! Entries, leases, outcomes, events, limits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Length of a lease in milliseconds.
pub const LEASE_MS: u64 = 30_000;
/// Time between beats in milliseconds.
pub const BEAT_MS: u64 = 5_000;
/// Time between reaps in milliseconds.
pub const REAP_MS: u64 = 5_000;
/// Failures that the unit itself reports before it is dead.
pub const MAX_ATTEMPTS: u32 = 4;
/// Vanished workers before the unit is dead.
pub const MAX_CRASHES: u32 = 3;
/// First backoff in milliseconds; it doubles with every failure.
pub const BACKOFF_MS: u64 = 1_000;
/// Longest backoff in milliseconds.
pub const MAX_BACKOFF_MS: u64 = 300_000;
/// Most entries of one admission.
pub const MAX_ADMIT: usize = 1_000;
/// Most bytes of the payloads of one admission.
pub const MAX_ADMIT_BYTES: usize = 8 << 20;
/// Most units of one take.
pub const MAX_TAKE: usize = 64;
/// Shards of a pool.
pub const SHARDS: u16 = 16;
/// Largest payload of an entry in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// Largest report of a unit in bytes.
pub const MAX_REPORT_BYTES: usize = 64 << 10;
/// Most characters of a reason; longer ones are cut.
pub const MAX_REASON_CHARS: usize = 4_000;
/// Longest unit, pool, job or worker name in bytes; control characters are refused.
pub const MAX_NAME_BYTES: usize = 200;
/// Most pools of a take or of a worker's record.
pub const MAX_POOLS: usize = 64;
/// Most leases of one beat.
pub const MAX_BEAT: usize = 1_000;
/// Most units of one cancel, bury or status, and most events or dead units of one reading.
pub const MAX_BATCH: usize = 1_000;
/// One reading of events ends with the event whose texts and report make it pass this many bytes.
pub const MAX_EVENT_BYTES: usize = 4 << 20;
/// Most leases that one reap ends, and most units whose backoff it ends.
pub const MAX_REAP: usize = 1_000;
/// Dead units kept; beyond, the oldest is forgotten.
pub const MAX_DEAD: usize = 10_000;
/// Faults of machines that cost a unit nothing; each one more counts as a failure of its own: a unit must not fill disk after disk for ever.
pub const MAX_MACHINE_FAULTS: u32 = 30;
/// Workers whose machine failed a unit that it remembers; beyond, the oldest is forgotten.
pub const MAX_SHUNNED: usize = 16;
/// Most characters of what ails a worker; more are cut.
pub const MAX_TROUBLE_CHARS: usize = 500;
/// A worker that was not heard of for this many leases is forgotten.
pub const WORKER_LEASES: u64 = 4;

/// Times that tests shorten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Length of a lease.
    pub lease_ms: u64,
    /// First backoff.
    pub backoff_ms: u64,
    /// Longest backoff.
    pub max_backoff_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { lease_ms: LEASE_MS, backoff_ms: BACKOFF_MS, max_backoff_ms: MAX_BACKOFF_MS }
    }
}

/// Name of a unit: the digest of everything that can change its result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitId(pub String);

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Random name of one life of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub String);

/// A place in the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

impl Cursor {
    /// Before all events.
    pub fn start() -> Self {
        Self("0-0".to_owned())
    }
}

/// A unit to be queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The unit.
    pub unit: UnitId,
    /// Workers that can run it: numeric profile and memory class.
    pub pool: String,
    /// Units that share a `LayerGram` have one shard, below [`SHARDS`].
    pub shard: u16,
    /// The job, for logs and listings.
    pub job: String,
    /// What the worker is told; opaque to the queue.
    pub payload: Vec<u8>,
}

/// What admission found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// It is queued now.
    Queued,
    /// It was queued or leased before.
    Known,
    /// It is dead; bury it to try again.
    Dead,
}

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeRequest {
    /// The worker.
    pub worker: String,
    /// Pools, the preferred one first.
    pub pools: Vec<String>,
    /// Shards, the preferred one first.
    pub shards: Vec<u16>,
    /// Most units.
    pub count: usize,
}

/// A unit in the hands of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Unit and epoch.
    pub held: LeaseRef,
    /// Pool it came from.
    pub pool: String,
    /// Its shard.
    pub shard: u16,
    /// Its job.
    pub job: String,
    /// The entry's payload.
    pub payload: Vec<u8>,
    /// Failures so far.
    pub attempts: u32,
    /// Vanished workers so far.
    pub crashes: u32,
    /// Milliseconds since it was first queued.
    pub waited_ms: u64,
}

/// A lease by name: the epoch fences queue state. No two leases of one life of the queue have the same epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseRef {
    /// The unit.
    pub unit: UnitId,
    /// Number of the lease; a later lease has a larger one.
    pub epoch: u64,
}

/// Why a unit did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose fault it was.
    pub kind: FailureKind,
    /// For people: what happened, and where.
    pub reason: String,
    /// What was seen: exit status, last lines of output.
    pub evidence: String,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The unit said no; another try may help ([`MAX_ATTEMPTS`]).
    Attempt,
    /// The process that computed it vanished ([`MAX_CRASHES`]).
    Crash,
    /// The unit said no and always will: dead at once.
    Permanent,
    /// An input is missing from the store or damaged: it leaves the queue, and the coordinator makes the input again.
    Input,
    /// The machine failed, not the unit (a full disk, a missing device): it costs the unit nothing up to [`MAX_MACHINE_FAULTS`], and goes to
    /// another worker as long as there is one.
    Machine,
}

/// What became of a report about a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finished {
    /// Recorded.
    Recorded,
    /// A late success of a lost lease: recorded.
    Late,
    /// Queued again.
    Requeued,
    /// The unit is dead now.
    Dead,
    /// The unit has left the queue: finished, cancelled or never there.
    Unknown,
    /// Another worker holds it: ignored.
    Ignored,
}

/// Reply to a beat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BeatReply {
    /// Leases that are lost, and why.
    pub lost: Vec<(LeaseRef, Loss)>,
    /// Whether to drain.
    pub drain: bool,
}

/// Why a lease is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// It was not renewed in time.
    Expired,
    /// Its job was cancelled.
    Cancelled,
    /// Another worker finished it.
    Finished,
}

/// What a reap did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Units whose lease ended, queued again after a backoff.
    pub expired: u64,
    /// Units that are dead now.
    pub dead: u64,
    /// Units whose backoff was over.
    pub promoted: u64,
}

/// Something the coordinator must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The unit.
    pub unit: UnitId,
    /// Its job.
    pub job: String,
    /// The worker, when there was one.
    pub worker: String,
    /// What happened.
    pub what: Happening,
    /// Queue time in milliseconds.
    pub at_ms: u64,
}

/// What happened to a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happening {
    /// It succeeded; the worker's report.
    Finished {
        /// The worker's report.
        report: Vec<u8>,
    },
    /// It is dead.
    Died {
        /// Why.
        failure: Failure,
    },
    /// An input is missing; the unit has left the queue.
    NeedsInput {
        /// Why.
        failure: Failure,
    },
}

/// Where a unit is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// Its state.
    pub state: UnitState,
    /// The worker that holds it.
    pub worker: Option<String>,
    /// Epoch of its last lease, 0 before the first.
    pub epoch: u64,
    /// Failures so far.
    pub attempts: u32,
    /// Vanished workers so far.
    pub crashes: u32,
    /// Drains so far.
    pub evictions: u32,
    /// When a delayed unit is queued again, queue time in milliseconds.
    pub due_ms: Option<u64>,
    /// The last failure.
    pub failure: Option<Failure>,
}

/// State of a unit in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// Waits for a worker.
    Ready,
    /// Waits for its backoff.
    Delayed,
    /// In the hands of a worker.
    Leased,
    /// Given up.
    Dead,
}

/// Units of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// The pool.
    pub pool: String,
    /// Units that wait for a worker.
    pub ready: u64,
    /// Units that wait for their backoff.
    pub delayed: u64,
    /// Units in the hands of workers.
    pub leased: u64,
}

/// A unit that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadUnit {
    /// The unit.
    pub unit: UnitId,
    /// Its job.
    pub job: String,
    /// Its pool.
    pub pool: String,
    /// The last failure.
    pub failure: Failure,
    /// The last worker.
    pub worker: String,
    /// Failures.
    pub attempts: u32,
    /// Vanished workers.
    pub crashes: u32,
    /// When it died, queue time in milliseconds.
    pub at_ms: u64,
}

/// What the queue knows of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// Its name.
    pub name: String,
    /// Pools it takes from.
    pub pools: Vec<String>,
    /// Units it runs at a time.
    pub slots: u32,
    /// Memory of a slot in bytes.
    pub slot_bytes: u64,
    /// Version of the program.
    pub version: String,
    /// Units it held at its last beat. Set by the queue.
    pub leases: u32,
    /// What ails its machine, empty when nothing does. Units that it failed go to others.
    #[serde(default)]
    pub trouble: String,
    /// Whether it takes nothing until its machine has passed a test.
    #[serde(default)]
    pub quarantined: bool,
    /// Whether it was asked to drain. Set by the queue.
    pub draining: bool,
    /// Milliseconds since it was last heard of. Set by the queue.
    pub silent_ms: u64,
}

/// What can go wrong with a queue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue was emptied since it was opened, or nobody has opened it.
    #[error("the queue is empty of everything, its generation too: the coordinator will rebuild it")]
    Lost,
    /// The server cannot be reached, or refuses.
    #[error("the queue does not answer: {0}")]
    Unavailable(String),
    /// A value is out of bounds.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What was found and what is allowed.
        problem: String,
    },
    /// What came back is not what was stored: another version, or another program's keys.
    #[error("the queue holds something unexpected: {0}")]
    Corrupt(String),
}
