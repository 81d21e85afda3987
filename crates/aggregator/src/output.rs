//! Files that a job's results consist of, and how they are kept in a store: each a blob, named by a document of the job.

use serde::{Deserialize, Serialize};
use ventral_plan::Digest;
use ventral_store::Store;

use crate::Error;

/// A file of the results of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFile {
    /// Path relative to the folder of these results, with `/`.
    pub name: String,
    /// What it is, in words.
    pub what: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The same file by its digest, in a document of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path relative to the folder of these results, with `/`.
    pub name: String,
    /// What it is, in words.
    pub what: String,
    /// Number of bytes.
    pub bytes: u64,
    /// Digest of the bytes.
    pub digest: Digest,
}

impl JobFile {
    pub(crate) fn new(name: String, what: &str, bytes: Vec<u8>) -> Self {
        Self { name, what: what.to_owned(), bytes }
    }
}

/// The files as a document names them.
pub(crate) fn entries(files: &[JobFile]) -> Vec<FileEntry> {
    let entry = |file: &JobFile| FileEntry {
        name: file.name.clone(),
        what: file.what.clone(),
        bytes: file.bytes.len() as u64,
        digest: Digest::of_bytes(&file.bytes),
    };
    files.iter().map(entry).collect()
}

/// Puts all files into the store, and then the document that names them: nothing is named unless all of it is there.
pub(crate) fn save(
    store: &Store,
    job: &str,
    document: &'static str,
    content: &impl Serialize,
    files: &[JobFile],
) -> Result<(), Error> {
    for file in files {
        store.put_blob(&file.bytes)?;
    }
    store.write_document(job, document, &serde_json::to_vec_pretty(content)?)?;
    Ok(())
}
