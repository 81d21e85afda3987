use std::io;
use std::path::PathBuf;

use ventral_plan::Digest;

/// What can go wrong with the store. Nothing half-written is ever visible, whichever it is.
#[derive(Debug, thiserror::Error)]
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
    /// An object's bytes are not those that were written.
    #[error("{path}: {problem}; the object is damaged: delete it and run again, it will be recomputed", path = path.display())]
    Damaged {
        /// The object's file.
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
        /// The stored object.
        path: PathBuf,
    },
    /// A result is too large for an object.
    #[error("a result of {found} bytes is larger than an object may be ({limit} bytes)")]
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
}
