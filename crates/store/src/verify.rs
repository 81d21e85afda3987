//! Looks through everything in a store.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use ventral_plan::Digest;

use crate::backend::Listed;
use crate::frame::{self, HEAD_BYTES};
use crate::jobs::RECORD;
use crate::key::{BLOBS, CHECKPOINTS, JOBS, Key, OBJECTS};
use crate::lock::LOCK;
use crate::{Error, Store, codec};

/// Bytes at the beginning of an object among which its kind is looked for.
const START_BYTES: usize = 256 << 10;

/// What lies in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Gram matrix of a layer.
    Gram,
    /// Score of a layer.
    Score,
    /// Piece of a brain map.
    Map,
    /// Set of synthesised images.
    Synthesis,
    /// An object that does not say what it is.
    Object,
    /// How far a long unit has come.
    Checkpoint,
    /// File named by its own bytes.
    Blob,
    /// Document of a job.
    Document,
    /// Nothing that this store wrote.
    Foreign,
}

impl Kind {
    /// All kinds, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::Gram,
        Self::Score,
        Self::Map,
        Self::Synthesis,
        Self::Object,
        Self::Checkpoint,
        Self::Blob,
        Self::Document,
        Self::Foreign,
    ];

    /// In words, in the plural.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gram => "Gram matrices",
            Self::Score => "scores",
            Self::Map => "pieces of maps",
            Self::Synthesis => "synthesised images",
            Self::Object => "other objects",
            Self::Checkpoint => "checkpoints",
            Self::Blob => "blobs",
            Self::Document => "documents of jobs",
            Self::Foreign => "foreign files",
        }
    }
}

/// One thing in a store, not looked at yet.
#[derive(Debug, Clone)]
pub struct Entry {
    key: Key,
    /// Size in bytes.
    pub bytes: u64,
}

/// One thing in a store that was read.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it is.
    pub kind: Kind,
    /// File or URL.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// Kind of an object, and its problem.
type Found = (Kind, Option<String>);

impl Store {
    /// Everything in the store: objects, checkpoints, blobs, documents of jobs.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        for directory in [OBJECTS, CHECKPOINTS, BLOBS, JOBS] {
            let listed = self.backend.list(directory)?.into_iter();
            let entry = |Listed { key, bytes }: Listed| Entry { key, bytes };
            entries.extend(listed.map(entry).filter(|entry| !self.is_beside(&entry.key)));
        }
        Ok(entries)
    }

    /// Folders of files that are made from a job's results, and its lock.
    fn is_beside(&self, key: &Key) -> bool {
        match key.parts() {
            Some((JOBS, _, LOCK)) => true,
            Some((JOBS, _, name)) => !name.contains('.') || name.starts_with('.'),
            _ => false,
        }
    }

    /// Reads one thing from its first to its last byte.
    ///
    /// # Errors
    /// A store that fails; damage is no error.
    pub fn check(&self, entry: &Entry) -> Result<Checked, Error> {
        let found = match entry.key.parts() {
            Some((JOBS, job, name)) => self.check_document(job, name),
            Some((directory, shelf, name)) => match Digest::try_from(name.to_owned()) {
                Ok(digest) if name.starts_with(shelf) => self.check_addressed(entry, directory, &digest),
                _ => Ok((Kind::Foreign, None)),
            },
            None if entry.key.is_misplaced() => {
                Ok((Kind::Foreign, Some("it lies where a folder belongs".to_owned())))
            }
            None => Ok((Kind::Foreign, None)),
        };
        let (kind, problem) = match found {
            // No store gives a document such a name.
            Err(Error::Name { .. }) => (Kind::Foreign, None),
            found => found?,
        };
        Ok(Checked { kind, path: self.backend.place(&entry.key), problem })
    }

    /// Removes something that was found damaged.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn discard_entry(&self, entry: &Entry) -> Result<(), Error> {
        self.remove(&entry.key)
    }

    fn check_addressed(&self, entry: &Entry, directory: &str, name: &Digest) -> Result<Found, Error> {
        let plain = match directory {
            CHECKPOINTS => Some(Kind::Checkpoint),
            BLOBS => Some(Kind::Blob),
            _ => None,
        };
        let skip = if plain == Some(Kind::Blob) { 0 } else { HEAD_BYTES };
        let place = self.backend.place(&entry.key);
        let scanned = match self.backend.scan(&entry.key, skip, HEAD_BYTES + START_BYTES) {
            Err(Error::Damaged { problem, .. }) => return Ok((plain.unwrap_or(Kind::Object), Some(problem))),
            scanned => scanned?,
        };
        // Removed meanwhile: a process may run.
        let Some(found) = scanned else { return Ok((plain.unwrap_or(Kind::Object), None)) };
        let checked = match plain {
            Some(Kind::Blob) => crate::local::check_blob(&place, name, &found.digest),
            _ => frame::verify_digest(&place, &entry.key, &found.start, &found.digest),
        };
        let kind = plain.unwrap_or_else(|| kind_of(found.start.get(HEAD_BYTES..).unwrap_or_default()));
        Ok((kind, problem_of(checked)?))
    }

    fn check_document(&self, job: &str, name: &str) -> Result<Found, Error> {
        let read = match name {
            RECORD => self.load_job(job).map(drop),
            _ => self.document(job, name).and_then(|bytes| {
                let json = bytes.filter(|_| name.ends_with(".json"));
                let parsed = json.map(|json| serde_json::from_slice::<IgnoredAny>(&json)).transpose();
                parsed.map(drop).map_err(|e| Error::Damaged { path: PathBuf::new(), problem: e.to_string() })
            }),
        };
        Ok((Kind::Document, problem_of(read)?))
    }
}

/// What damage there is; other errors stay errors.
fn problem_of(outcome: Result<(), Error>) -> Result<Option<String>, Error> {
    match outcome {
        Ok(()) => Ok(None),
        Err(Error::Damaged { problem, .. }) => Ok(Some(problem)),
        Err(error) => Err(error),
    }
}

/// What an object's payload says it is, by its first bytes: the header of safetensors is JSON with a length before it.
fn kind_of(payload: &[u8]) -> Kind {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(rename = "__metadata__")]
        fields: HashMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Header {
        kind: String,
    }
    let header = || -> Option<Header> {
        let (length, rest) = payload.split_first_chunk::<8>()?;
        let json = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let metadata: Metadata = serde_json::from_slice(json).ok()?;
        serde_json::from_str(metadata.fields.get(codec::HEADER)?).ok()
    };
    match header().as_ref().map(|header| header.kind.as_str()) {
        Some(codec::GRAM) => Kind::Gram,
        Some(codec::SCORE) => Kind::Score,
        Some(crate::maps::MAP) => Kind::Map,
        Some(crate::synthesis::SYNTHESIS) => Kind::Synthesis,
        _ => Kind::Object,
    }
}
