use serde::{Deserialize, Serialize};
use ventral_plan::{Digest, Estimate};

/// A job as submitted; written once, to `jobs/<id>/submission.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Whose it is; from the identity of the caller, never from the request.
    pub tenant: String,
    /// Makes the submission idempotent within the tenant.
    pub request_id: String,
    /// What is to be done.
    pub request: JobRequest,
    /// Higher goes first within a tenant, [`MIN_PRIORITY`] to [`MAX_PRIORITY`].
    pub priority: i32,
    /// Numeric profile of the workers; the coordinator's own when the caller names none.
    pub profile: String,
    /// Only plan: no unit is computed.
    pub dry_run: bool,
    /// When it was accepted, Unix time in milliseconds.
    pub submitted_ms: u64,
    /// W3C trace context of the caller, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What a job asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobRequest {
    /// Score what the spec of a bundle names.
    Evaluation {
        /// Name of the spec.
        name: String,
        /// Digest of the bundle's manifest, a blob that is in the store with all blobs it names.
        bundle: Digest,
    },
    /// Units that do nothing, to try a cluster out.
    Drill {
        /// Name of the drill.
        name: String,
        /// Number of units.
        units: u32,
        /// How long each takes, in milliseconds.
        milliseconds: u64,
    },
}

impl Submission {
    /// Whether there is something to plan and to assemble.
    pub fn is_evaluation(&self) -> bool {
        matches!(self.request, JobRequest::Evaluation { .. })
    }
}

impl JobRequest {
    /// Name of the spec or drill.
    pub fn name(&self) -> &str {
        match self {
            Self::Evaluation { name, .. } | Self::Drill { name, .. } => name,
        }
    }
}

/// Lowest priority.
pub const MIN_PRIORITY: i32 = -100;
/// Highest priority.
pub const MAX_PRIORITY: i32 = 100;

/// State of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// A worker reads what the spec names.
    Planning,
    /// Units are computed.
    Running,
    /// No further unit is admitted.
    Paused,
    /// The aggregator assembles the results.
    Assembling,
    /// All units succeeded; results are there.
    Succeeded,
    /// Some units failed; results say which.
    Partial,
    /// The job cannot be planned or assembled; the reason says why.
    Failed,
    /// Cancelled by a user.
    Cancelled,
    /// A dry run has been planned.
    Planned,
}

impl JobState {
    /// Whether nothing will change any more unless the job is retried.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled | Self::Planned)
    }
}

/// Units of a job by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All units.
    pub total: u64,
    /// Found in the store when the job was planned.
    pub cached: u64,
    /// Finished since.
    pub done: u64,
    /// Admitted: in the queue or in the hands of a worker.
    pub admitted: u64,
    /// Not admitted yet.
    pub waiting: u64,
    /// Given up.
    pub failed: u64,
}

/// A job as users see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// Name of the spec or drill.
    pub name: String,
    /// Its state.
    pub state: JobState,
    /// Why, when there is something to say.
    pub reason: String,
    /// Units by state.
    pub counts: Counts,
    /// Priority.
    pub priority: i32,
    /// Numeric profile.
    pub profile: String,
    /// Unix time in milliseconds.
    pub submitted_ms: u64,
    /// Unix time in milliseconds, when it has ended.
    pub ended_ms: Option<u64>,
    /// Predicted seconds of computing of what was not cached, one worker.
    pub predicted_seconds: f64,
    /// Predicted peak memory of the largest unit in bytes.
    pub peak_bytes: u64,
    /// Counts changes of this job since the coordinator started; part of a watch token.
    pub revision: u64,
}

/// A unit as users see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitView {
    /// Its digest.
    pub unit: String,
    /// Its job.
    pub job: String,
    /// `plan`, `features`, `score`, `map`, `synthesis`, `assemble` or `drill`.
    pub kind: String,
    /// In words: model, layer, benchmark; subject, centres, model.
    pub title: String,
    /// Its state.
    pub state: UnitPhase,
    /// Why it is in this state.
    pub reason: PendingReason,
    /// More words: the worker that holds it, the last failure, what is missing.
    pub detail: String,
    /// Pool it runs in.
    pub pool: String,
    /// Predicted time and memory.
    pub estimate: Option<Estimate>,
    /// Failures so far.
    pub attempts: u32,
    /// Vanished workers so far.
    pub crashes: u32,
    /// Drains so far.
    pub evictions: u32,
}

/// State of a unit as users see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitPhase {
    /// Not in the queue yet.
    Waiting,
    /// In the queue.
    Queued,
    /// In the hands of a worker.
    Running,
    /// Its result is in the store.
    Done,
    /// Given up.
    Failed,
}

/// The closed list of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingReason {
    /// It is not pending.
    NotPending,
    /// Its job is being planned.
    JobPlanning,
    /// Its job is paused.
    JobPaused,
    /// Its job was cancelled.
    JobCancelled,
    /// An input is not there yet: the Grams it reads.
    InputMissing,
    /// Other units of the tenant or of other tenants go first.
    WindowFull,
    /// The tenant has as many units in flight as it may.
    QuotaReached,
    /// No live worker has this numeric profile.
    NoWorkerOfProfile,
    /// No live worker has enough memory.
    NoWorkerLargeEnough,
    /// All fitting workers are busy.
    WorkersBusy,
    /// It failed and waits before it is tried again.
    BackingOff,
    /// A worker computes it.
    Running,
    /// The queue is being rebuilt.
    QueueRebuilding,
}

/// Ways to steer a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Admit nothing more.
    Pause,
    /// Admit again.
    Resume,
    /// Give everything up that is not finished.
    Cancel,
    /// Try failed units again.
    Retry,
}

/// Units of a pool and who serves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolView {
    /// Its name.
    pub pool: String,
    /// Units of jobs that are not admitted yet.
    pub waiting: u64,
    /// In the queue.
    pub ready: u64,
    /// Waiting for their backoff.
    pub delayed: u64,
    /// In the hands of workers.
    pub leased: u64,
    /// Live workers that take from it.
    pub workers: u64,
    /// Their slots.
    pub slots: u64,
    /// Predicted seconds of everything not finished, on one worker.
    pub backlog_seconds: f64,
}

impl PoolView {
    /// A pool without units and workers.
    pub fn empty(pool: &str) -> Self {
        Self {
            pool: pool.to_owned(),
            waiting: 0,
            ready: 0,
            delayed: 0,
            leased: 0,
            workers: 0,
            slots: 0,
            backlog_seconds: 0.0,
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such job, or another tenant's.
    #[error("no job '{0}'")]
    NoJob(String),
    /// No such unit.
    #[error("no unit begins with '{0}' in a job of this coordinator")]
    NoUnit(String),
    /// The same request id with another body.
    #[error("request id '{0}' was used before with another body; use a new id for a new request")]
    RequestReused(String),
    /// The state of the job does not allow it.
    #[error("job '{job}' is {state}: {problem}")]
    State {
        /// The job.
        job: String,
        /// Its state.
        state: String,
        /// What cannot be done.
        problem: &'static str,
    },
    /// A limit is reached.
    #[error("{0}")]
    Limit(String),
    /// A field that cannot be used.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What was found and what is allowed.
        problem: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ventral_store::Error),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] ventral_queue::Error),
    /// A document of a job cannot be read.
    #[error("{document}: {problem}; the document is damaged")]
    Document {
        /// Which.
        document: String,
        /// What was found.
        problem: String,
    },
    /// The coordinator is ending or not leading.
    #[error("the coordinator is not ready: {0}")]
    NotReady(&'static str),
}
