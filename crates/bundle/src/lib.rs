//! The files of a job as a content-addressed manifest, and back.
//!
//! - [`resolve`], [`resolve_natural`], [`find_cards`]: from the entries of a spec to card files
//! - [`collect()`]: from a spec to the files that its job reads
//! - [`Manifest`]: these files by virtual path and digest
//! - [`Workspace`]: the files again, on another machine

mod cards;
mod collect;
mod error;
mod manifest;
mod workspace;

pub use cards::{MAX_SEARCH_DEPTH, find_cards, resolve, resolve_natural};
pub use collect::{Collected, collect};
pub use error::Error;
pub use manifest::{
    CardEntry, FileEntry, MAX_CARD_ENTRIES, MAX_CARDS, MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES,
    MAX_MANIFEST_BYTES, MAX_PART_BYTES, MAX_PATH_BYTES, MAX_TOTAL_BYTES, Manifest, REVISION,
};
pub use workspace::{CONCURRENT_FETCHES, Fetch, FetchError, Workspace};
