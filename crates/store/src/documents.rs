//! Documents: the small files of a job, `jobs/<id>/<name>`.

use std::path::PathBuf;

use crate::backend::check_size;
use crate::key::Key;
use crate::seal::{self, SEAL_BYTES};
use crate::{Error, Store};

/// Largest document in bytes; a plan of a million units takes about half of it.
pub const MAX_DOCUMENT_BYTES: u64 = 1 << 30;

impl Store {
    /// Writes a document that is never replaced; false if it was there, and is kept.
    ///
    /// On a remote store a create whose answer got lost is tried again and may find itself: who must know whose document it
    /// is reads it back.
    ///
    /// # Errors
    /// [`Error::Name`] unless `job` and `name` are plain file names; [`Error::TooLarge`], [`Error::Io`], [`Error::Remote`].
    pub fn create_document(&self, job: &str, name: &str, bytes: &[u8]) -> Result<bool, Error> {
        let key = Key::document(job, name)?;
        check_size(bytes.len() as u64, MAX_DOCUMENT_BYTES)?;
        self.backend.create(&key, &[&seal::seal(name, bytes)])
    }

    /// Writes a document, replacing an older one atomically.
    ///
    /// # Errors
    /// As [`Store::create_document`].
    pub fn write_document(&self, job: &str, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let key = Key::document(job, name)?;
        check_size(bytes.len() as u64, MAX_DOCUMENT_BYTES)?;
        self.backend.replace(&key, &seal::seal(name, bytes))
    }

    /// [`Store::write_document`]; returns the document's file or URL.
    ///
    /// # Errors
    /// As there.
    pub fn write_job_file(&self, job: &str, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        self.write_document(job, name, bytes)?;
        Ok(self.backend.place(&Key::document(job, name)?))
    }

    /// A document's bytes; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Damaged`] for bytes that are not those written and for more than [`MAX_DOCUMENT_BYTES`],
    /// [`Error::Io`], [`Error::Remote`].
    pub fn document(&self, job: &str, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let key = Key::document(job, name)?;
        let Some((_, bytes)) = self.backend.read(&key, 0, MAX_DOCUMENT_BYTES + SEAL_BYTES)? else {
            return Ok(None);
        };
        seal::unseal(&self.backend.place(&key), name, bytes).map(Some)
    }

    /// Removes a damaged document so that it can be written again.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Io`], [`Error::Remote`].
    pub fn discard_document(&self, job: &str, name: &str) -> Result<(), Error> {
        self.backend.remove(&Key::document(job, name)?)
    }

    /// The ids of all jobs that have a document, sorted.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn job_ids(&self) -> Result<Vec<String>, Error> {
        self.backend.job_ids()
    }
}
