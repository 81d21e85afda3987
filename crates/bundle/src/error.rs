use std::io;
use std::path::PathBuf;

use ventral_plan::Digest;

use crate::FetchError;

/// What can go wrong with a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A pattern of the spec names no card.
    #[error("{}: field '{field}': {pattern:?} {problem}", spec.display())]
    NoCard {
        /// The spec.
        spec: PathBuf,
        /// `models` or `benchmarks`.
        field: &'static str,
        /// The entry.
        pattern: String,
        /// What was found and what to do.
        problem: String,
    },
    /// The spec cannot be used.
    #[error(transparent)]
    Spec(#[from] ventral_plan::SpecError),
    /// A file cannot be read or written.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file cannot be part of a bundle.
    #[error("{path}: {problem}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// The bytes of a manifest that cannot be used.
    #[error("bundle manifest: field '{field}': {problem}")]
    Manifest {
        /// The field.
        field: String,
        /// What was found and what is allowed.
        problem: String,
    },
    /// A path that the manifest does not list.
    #[error("the bundle has no file {path:?}")]
    NotListed {
        /// The virtual path.
        path: String,
    },
    /// A file of the bundle was never uploaded, or was removed.
    #[error("file {path:?} of the bundle is missing in the store (SHA-256 {digest}); submit the job again")]
    Missing {
        /// The virtual path.
        path: String,
        /// Its digest.
        digest: Digest,
    },
    /// A file of the bundle could not be fetched.
    #[error("file {path:?} of the bundle cannot be fetched: {problem}")]
    Fetch {
        /// The virtual path.
        path: String,
        /// Why not.
        #[source]
        problem: FetchError,
    },
    /// A card of a bundle leads out of it.
    #[error(
        "card {card:?} names {found:?}, which is outside of the bundle; keep all files of a job together"
    )]
    Outside {
        /// Virtual path of the card.
        card: String,
        /// Where it leads.
        found: PathBuf,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}
