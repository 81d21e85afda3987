use std::io;
use std::path::PathBuf;

use ventral_plan::Digest;

/// What can go wrong with the store. Nothing half-written is ever visible, whichever it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("{action} {path}: {source}{hint}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
        /// What to do about it.
        hint: &'static str,
    },
    /// A remote store refused, or did not answer after every retry.
    #[error("{action} {url}: {problem}{hint}")]
    Remote {
        /// What was tried.
        action: &'static str,
        /// On which object; without credentials.
        url: String,
        /// What the store said.
        problem: String,
        /// What to do about it.
        hint: &'static str,
        /// Whether the same may succeed later: a fault of the network or of the server.
        transient: bool,
    },
    /// A location of a store that cannot be used.
    #[error("store {location:?}: {problem}")]
    Location {
        /// The location, without credentials.
        location: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A job id or document name that cannot be part of a path.
    #[error("{what} {name:?} {problem}")]
    Name {
        /// `job id` or `document name`.
        what: &'static str,
        /// What was given, cut to a readable length.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The bytes of an object, blob, checkpoint or document are not those that were written.
    #[error("{path}: {problem}; it is damaged: the next run discards it and makes it anew", path = path.display())]
    Damaged {
        /// The object's file or URL.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// The same unit gave other bytes than before: determinism is broken, nothing was overwritten.
    #[error("unit {digest} gave bytes that differ from those stored in {path}; nothing was overwritten. \
             One of the two results is wrong: report this with both machines' `ventral doctor`", path = path.display())]
    Conflict {
        /// The unit.
        digest: Digest,
        /// The stored object's file or URL.
        path: PathBuf,
    },
    /// A file is not the one it was announced as.
    #[error("{path}: SHA-256 {found} was found, {expected} was announced; the file changed meanwhile, submit again", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The digest announced.
        expected: Digest,
        /// The digest of its bytes.
        found: Digest,
    },
    /// A result, blob or document is larger than an object may be.
    #[error("{found} bytes are more than an object of this store may have ({limit} bytes)")]
    TooLarge {
        /// Its size.
        found: u64,
        /// The limit.
        limit: u64,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "; free some space and run again, finished results are kept"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "; choose a writable directory with --store or VENTRAL_STORE"
            }
            _ => "",
        };
        Self::Io { action, path: path.into(), source, hint }
    }

    /// Whether the same may succeed later without anybody's doing: a fault of the network or of a remote server.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Remote { transient, .. } => *transient,
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::StaleNetworkFileHandle
            ),
            _ => false,
        }
    }
}
