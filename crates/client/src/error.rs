use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What can go wrong with a call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The coordinator could not be reached, or not for long enough.
    #[error("{url} does not answer: {problem}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened last.
        problem: String,
    },
    /// The coordinator said no.
    #[error("{message}")]
    Refused {
        /// The gRPC code.
        code: Code,
        /// The stable reason, see `docs/reference/errors.md`; empty if the answer came from somewhere else.
        reason: String,
        /// In words.
        message: String,
        /// Fields that cannot be used, each with what is wrong.
        fields: Vec<(String, String)>,
    },
    /// A file to upload cannot be read.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// Why.
        problem: String,
    },
    /// An answer that the contract does not allow.
    #[error("the coordinator sent something unexpected: {0}")]
    Protocol(String),
    /// The caller's output failed.
    #[error("cannot write: {0}")]
    Output(std::io::Error),
}

impl Error {
    /// The stable reason of a refusal.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { reason, .. } if !reason.is_empty() => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        Self::Refused {
            code: status.code(),
            reason: details.error_info().map(|info| info.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            fields: violations.iter().map(|field| (field.field.clone(), field.description.clone())).collect(),
        }
    }
}

/// How long to wait before the same call may succeed; `None` if it will not.
pub(crate) fn wait_after(status: &Status) -> Option<Duration> {
    let told = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Unavailable => Some(told.unwrap_or(Duration::ZERO)),
        // A connection that breaks in the middle of a call shows in these two.
        Code::Unknown | Code::Internal if is_transport(status) => Some(Duration::ZERO),
        Code::ResourceExhausted | Code::Aborted => told,
        _ => None,
    }
}

/// Whether the coordinator was not reached, as opposed to having said no.
pub(crate) fn is_transport(status: &Status) -> bool {
    use std::error::Error as _;
    status.get_details_error_info().is_none()
        && (status.code() == Code::Unavailable || status.source().is_some())
}
