//! What a kind of store must be able to do.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use ventral_plan::Digest;

use crate::key::Key;
use crate::{Error, JobEntry};

/// Bytes read at a time from a file that is not held in memory.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// An object in two pieces: its head and the rest.
pub(crate) type Pieces = (Vec<u8>, Vec<u8>);

/// A directory or a remote store. Writes are whole or not at all; reads are not verified here.
pub(crate) trait Backend: Send + Sync + fmt::Debug {
    /// The file or URL of a key, for messages.
    fn place(&self, key: &Key) -> PathBuf;

    /// Largest object in bytes.
    fn max_bytes(&self) -> u64;

    /// Writes the parts, one after the other, unless the key exists; false if it does.
    fn create(&self, key: &Key, parts: &[&[u8]]) -> Result<bool, Error>;

    /// Copies a file of `bytes` bytes whose digest must be `expected`; false if the key exists. Two writers of the same
    /// content may both be told true.
    fn create_from(&self, key: &Key, file: &Path, bytes: u64, expected: &Digest) -> Result<bool, Error>;

    /// Writes bytes, replacing what is there.
    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Error>;

    /// The first `head` bytes and the rest; `None` if there is no such key; refused beyond `limit` bytes.
    fn read(&self, key: &Key, head: usize, limit: u64) -> Result<Option<Pieces>, Error>;

    /// Copies the bytes of a key into a new file beside `target` and moves it there if their digest is `expected`.
    fn fetch(&self, key: &Key, expected: &Digest, target: &Path) -> Result<bool, Error>;

    /// The keys below a directory of the store, two levels down, sorted.
    fn list(&self, directory: &str) -> Result<Vec<Key>, Error>;

    /// Size in bytes; `None` if there is no such key.
    fn size(&self, key: &Key) -> Result<Option<u64>, Error>;

    /// Which of the keys exist.
    fn exist(&self, keys: &[Key]) -> Result<Vec<bool>, Error>;

    /// Removes a key; another process may have done it before.
    fn remove(&self, key: &Key) -> Result<(), Error>;

    /// Names below `jobs/`.
    fn job_ids(&self) -> Result<Vec<String>, Error>;

    /// Jobs that have the document `name`, in no order.
    fn jobs_with(&self, name: &str) -> Result<Vec<JobEntry>, Error>;

    /// Whether it can be reached and written.
    fn ping(&self) -> Result<(), Error>;
}

/// Refuses content of more than `limit` bytes.
pub(crate) fn check_size(found: u64, limit: u64) -> Result<(), Error> {
    if found > limit { Err(Error::TooLarge { found, limit }) } else { Ok(()) }
}

/// The first `head` bytes of a file of `size` bytes and the rest, `limit` bytes at most.
pub(crate) fn read_pieces(file: &mut File, size: u64, head: usize, limit: u64) -> io::Result<Pieces> {
    let (mut first, mut rest) = (Vec::with_capacity(head), Vec::new());
    let wanted = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(head);
    rest.try_reserve_exact(wanted).map_err(io::Error::other)?;
    Read::take(&mut *file, head as u64).read_to_end(&mut first)?;
    Read::take(file, limit.saturating_sub(head as u64)).read_to_end(&mut rest)?;
    Ok((first, rest))
}

/// Passes what is written on, and hashes it.
pub(crate) struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Hashing<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new() }
    }

    pub fn finish(self) -> Digest {
        digest_of(self.hash)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The digest of a finished hash.
pub(crate) fn digest_of(hash: Sha256) -> Digest {
    let text: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::try_from(text).unwrap_or_else(|e| unreachable!("a SHA-256 is a digest: {e}"))
}

/// Copies a file chunk by chunk; returns the digest of its bytes.
pub(crate) fn copy_hashed(from: &mut File, to: impl Write) -> io::Result<Digest> {
    let mut to = Hashing::new(to);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 {
            return Ok(to.finish());
        }
        to.write_all(&chunk[..count])?;
    }
}
