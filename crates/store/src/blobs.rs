//! Blobs: raw bytes named by their own SHA-256, such as uploaded files.

use std::fs::File;
use std::io;
use std::path::Path;

use ventral_plan::Digest;

use crate::backend::{check_size, copy_hashed};
use crate::key::Key;
use crate::local::check_blob;
use crate::{Error, Put, Store};

/// Largest blob that is held in memory whole ([`Store::blob`], [`Store::put_blob`]), in bytes.
pub const MAX_BLOB_IN_MEMORY_BYTES: u64 = 1 << 30;

/// Largest blob in bytes, on any kind of store.
pub const MAX_BLOB_BYTES: u64 = 32 << 30;

impl Store {
    /// Stores bytes under their own digest.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Io`], [`Error::Remote`].
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let size = bytes.len() as u64;
        check_size(size, MAX_BLOB_IN_MEMORY_BYTES)?;
        let digest = Digest::of_bytes(bytes);
        let key = Key::blob(&digest);
        if !self.backend.create(&key, &[bytes])? && !self.is_whole(&digest)? {
            self.backend.replace(&key, bytes)?;
        }
        Ok(digest)
    }

    /// Whether the blob is there and not damaged.
    fn is_whole(&self, digest: &Digest) -> Result<bool, Error> {
        match self.verify_blob(digest) {
            Err(Error::Damaged { .. }) => Ok(false),
            verified => verified,
        }
    }

    /// Stores a file under `expected`, the digest of its bytes, without holding it in memory.
    ///
    /// # Errors
    /// [`Error::Changed`] if its bytes have another digest; [`Error::TooLarge`], [`Error::Io`], [`Error::Remote`].
    pub fn put_blob_file(&self, path: &Path, expected: &Digest) -> Result<Put, Error> {
        let read_error = |e| Error::io("cannot read", path, e);
        let mut file = File::open(path).map_err(read_error)?;
        let metadata = file.metadata().map_err(read_error)?;
        if metadata.is_dir() {
            return Err(read_error(io::ErrorKind::IsADirectory.into()));
        }
        let size = metadata.len();
        check_size(size, MAX_BLOB_BYTES)?;
        let found = copy_hashed(&mut file, io::sink()).map_err(read_error)?;
        if found != *expected {
            return Err(Error::Changed { path: path.to_owned(), expected: expected.clone(), found });
        }
        let key = Key::blob(expected);
        if self.is_whole(expected)? {
            return Ok(Put::Identical);
        }
        self.backend.remove(&key)?;
        let created = self.backend.create_from(&key, path, size, expected)?;
        Ok(if created { Put::Created } else { Put::Identical })
    }

    /// The bytes of a blob, verified; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::TooLarge`] for one to be read with [`Store::blob_to_file`], [`Error::Io`], [`Error::Remote`].
    pub fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let key = Key::blob(digest);
        if let Some(bytes) = self.cache.as_ref().and_then(|cache| cache.blob(&key, digest)) {
            return Ok(Some(bytes));
        }
        let Some(size) = self.backend.size(&key)? else { return Ok(None) };
        check_size(size, MAX_BLOB_IN_MEMORY_BYTES)?;
        let Some((_, bytes)) = self.backend.read(&key, 0, MAX_BLOB_IN_MEMORY_BYTES)? else { return Ok(None) };
        check_blob(&self.backend.place(&key), digest, &Digest::of_bytes(&bytes))?;
        if let Some(cache) = &self.cache {
            cache.keep(&key, &[&bytes]);
        }
        Ok(Some(bytes))
    }

    /// Puts a blob at `target`, verified and replacing what is there; false if there is none. It may be a hard link into the store
    /// or its cache: read it, do not write to it.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`], [`Error::Remote`].
    pub fn blob_to_file(&self, digest: &Digest, target: &Path) -> Result<bool, Error> {
        let key = Key::blob(digest);
        let Some(cache) = &self.cache else { return self.backend.fetch(&key, digest, target) };
        if cache.blob_to_file(&key, digest, target) {
            return Ok(true);
        }
        let found = self.backend.fetch(&key, digest, target)?;
        if found {
            cache.adopt(&key, target);
        }
        Ok(found)
    }

    /// Whether a blob is there, its bytes verified without holding them in memory.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`], [`Error::Remote`].
    pub fn verify_blob(&self, digest: &Digest) -> Result<bool, Error> {
        let key = Key::blob(digest);
        let Some(found) = self.backend.scan(&key, 0, 0)? else { return Ok(false) };
        check_blob(&self.backend.place(&key), digest, &found.digest).map(|()| true)
    }

    /// Whether a blob exists (its bytes are verified when read).
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        Ok(self.backend.size(&Key::blob(digest))?.is_some())
    }

    /// Those of the blobs that do not exist, in order.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn missing_blobs(&self, digests: &[Digest]) -> Result<Vec<Digest>, Error> {
        let keys: Vec<Key> = digests.iter().map(Key::blob).collect();
        let found = self.backend.exist(&keys)?;
        Ok(digests.iter().zip(found).filter(|(_, there)| !there).map(|(digest, _)| digest.clone()).collect())
    }

    /// Removes a damaged blob so that it can be uploaded again.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn discard_blob(&self, digest: &Digest) -> Result<(), Error> {
        self.remove(&Key::blob(digest))
    }
}
