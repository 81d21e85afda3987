//! Errors on the wire: a code, words, a stable reason, the fields at fault, and when to try again.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use ventral_proto::ERROR_DOMAIN;

use crate::core::Error;

macro_rules! reasons {
    ($($(#[doc = $words:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a call failed; the names are stable, and each has an entry in `docs/reference/errors.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $($(#[doc = $words])+ $variant,)+
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name on the wire.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

reasons! {
    /// Neither a token nor a certificate was sent.
    NoToken = "NO_TOKEN",
    /// The token stands for nobody.
    TokenUnknown = "TOKEN_UNKNOWN",
    /// No name of the certificate stands for anybody.
    CertificateUnknown = "CERTIFICATE_UNKNOWN",
    /// The caller's role does not suffice.
    RoleTooLow = "ROLE_TOO_LOW",
    /// There is no such RPC.
    MethodUnknown = "METHOD_UNKNOWN",
    /// Too many calls per second.
    RateLimited = "RATE_LIMITED",
    /// Too many calls or streams at a time.
    TooManyCalls = "TOO_MANY_CALLS",
    /// A unary call took too long.
    Deadline = "DEADLINE",
    /// A field cannot be used.
    FieldInvalid = "FIELD_INVALID",
    /// The request id was used for another request.
    RequestIdReused = "REQUEST_ID_REUSED",
    /// The page token is not one that this coordinator gave to this tenant for this query.
    PageTokenInvalid = "PAGE_TOKEN_INVALID",
    /// The resume token does not belong to this job.
    ResumeTokenInvalid = "RESUME_TOKEN_INVALID",
    /// No such job, or another tenant's.
    JobNotFound = "JOB_NOT_FOUND",
    /// No such unit in the caller's jobs.
    UnitNotFound = "UNIT_NOT_FOUND",
    /// No such worker.
    WorkerNotFound = "WORKER_NOT_FOUND",
    /// No such model in the results.
    ModelNotFound = "MODEL_NOT_FOUND",
    /// No blob or result of this digest.
    ArtifactNotFound = "ARTIFACT_NOT_FOUND",
    /// The state of the job does not allow it.
    StateForbids = "STATE_FORBIDS",
    /// The job has no plan yet.
    PlanNotReady = "PLAN_NOT_READY",
    /// The job has no results yet.
    ResultsNotReady = "RESULTS_NOT_READY",
    /// A quota of the tenant is reached.
    QuotaReached = "QUOTA_REACHED",
    /// Another stream uploads this blob.
    UploadBusy = "UPLOAD_BUSY",
    /// The upload does not go on where it stopped.
    UploadOffset = "UPLOAD_OFFSET",
    /// The upload ended before its last byte.
    UploadCut = "UPLOAD_CUT",
    /// Nothing arrived for too long.
    UploadStalled = "UPLOAD_STALLED",
    /// The bytes have another SHA-256.
    DigestMismatch = "DIGEST_MISMATCH",
    /// The tenant has too many unfinished uploads.
    UploadQuota = "UPLOAD_QUOTA",
    /// The tenant keeps too much in the store.
    StorageQuota = "STORAGE_QUOTA",
    /// The message cannot be decoded.
    MessageInvalid = "MESSAGE_INVALID",
    /// The coordinator is starting, ending, or another one leads.
    NotReady = "NOT_READY",
    /// The queue does not answer or is being rebuilt.
    QueueUnavailable = "QUEUE_UNAVAILABLE",
    /// The store does not answer.
    StoreUnavailable = "STORE_UNAVAILABLE",
    /// Something in the store is damaged.
    Damaged = "DAMAGED",
    /// A fault of the program.
    Internal = "INTERNAL",
}

/// When to try again what failed because something was not there.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(2);

/// A refusal.
pub fn refuse(code: Code, reason: Reason, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message, details(reason))
}

/// A refusal that ends by waiting.
pub fn refuse_for(wait: Duration, code: Code, reason: Reason, message: impl Into<String>) -> Status {
    let mut details = details(reason);
    details.set_retry_info(Some(wait));
    Status::with_error_details(code, message, details)
}

/// A field that cannot be used.
pub fn invalid(field: &str, problem: impl Into<String>) -> Status {
    let problem = problem.into();
    let mut details = details(Reason::FieldInvalid);
    details.add_bad_request_violation(field, problem.clone());
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {problem}"), details)
}

/// Says whose fault it is when a message cannot be decoded: the transport calls that an internal error, and gives no reason.
pub fn undecoded(headers: &mut http::HeaderMap) {
    let Some(status) = Status::from_header_map(headers) else { return };
    if status.code() == Code::Internal && status.details().is_empty() {
        let message = format!("the message cannot be decoded: {}", status.message());
        // What cannot be told in headers stays as it was.
        let _ = refuse(Code::InvalidArgument, Reason::MessageInvalid, message).add_header(headers);
    }
}

/// The reason of a status, empty if it has none.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

fn details(reason: Reason) -> ErrorDetails {
    ErrorDetails::with_error_info(reason.name(), ERROR_DOMAIN, [])
}

/// What the core says, on the wire. What concerns the operator alone goes to the log.
pub fn of_core(error: Error) -> Status {
    match error {
        Error::NoJob(_) => refuse(Code::NotFound, Reason::JobNotFound, error.to_string()),
        Error::NoUnit(_) => refuse(Code::NotFound, Reason::UnitNotFound, error.to_string()),
        Error::RequestReused(_) => refuse(Code::AlreadyExists, Reason::RequestIdReused, error.to_string()),
        Error::State { .. } => refuse(Code::FailedPrecondition, Reason::StateForbids, error.to_string()),
        Error::Limit(message) => refuse(Code::ResourceExhausted, Reason::QuotaReached, message),
        Error::Invalid { field, problem } => invalid(field, problem),
        Error::NotReady(_) => {
            refuse_for(RETRY_UNAVAILABLE, Code::Unavailable, Reason::NotReady, error.to_string())
        }
        Error::Store(error) => of_store(error),
        Error::Queue(error) => of_queue(error),
        Error::Document { .. } => {
            tracing::error!(%error, "a document is damaged");
            refuse(
                Code::DataLoss,
                Reason::Damaged,
                "a document of the job is damaged; the coordinator's log names it",
            )
        }
    }
}

/// What the store says, on the wire.
pub fn of_store(error: ventral_store::Error) -> Status {
    use ventral_store::Error as Store;
    tracing::error!(%error, "the store failed a call");
    match error {
        Store::Damaged { .. } | Store::Conflict { .. } => {
            refuse(Code::DataLoss, Reason::Damaged, "an object is damaged; the coordinator's log names it")
        }
        Store::TooLarge { found, limit } => {
            invalid("total_bytes", format!("{found}; this store takes at most {limit}"))
        }
        _ => refuse_for(
            RETRY_UNAVAILABLE,
            Code::Unavailable,
            Reason::StoreUnavailable,
            "the store refused or does not answer; the coordinator's log says why",
        ),
    }
}

fn of_queue(error: ventral_queue::Error) -> Status {
    match error {
        ventral_queue::Error::Invalid { field, problem } => invalid(field, problem),
        error => {
            tracing::error!(%error, "the queue failed a call");
            let message = "the queue does not answer or is being rebuilt; jobs are safe in the store";
            refuse_for(RETRY_UNAVAILABLE, Code::Unavailable, Reason::QueueUnavailable, message)
        }
    }
}

/// A fault of the program.
pub fn internal(problem: impl std::fmt::Display) -> Status {
    tracing::error!(%problem, "internal error");
    refuse(
        Code::Internal,
        Reason::Internal,
        "an internal error; the coordinator's log has it, please report it",
    )
}
