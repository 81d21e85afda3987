//! The store itself, whatever it lies on.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ventral_plan::Digest;

use crate::Error;
use crate::backend::{Backend, Pieces, check_size};
use crate::cache::Cache;
use crate::frame::{self, HEAD_BYTES};
use crate::key::Key;
use crate::local::Local;

/// Largest object in bytes: the Gram of 65,536 stimuli. Remote stores have their own, smaller limit
/// ([`crate::MAX_REMOTE_OBJECT_BYTES`]).
pub const MAX_OBJECT_BYTES: u64 = 32 << 30;

/// How often a put starts again because the object in its way was damaged or vanished.
const PUT_ATTEMPTS: usize = 4;

/// Create-only objects named by a unit's digest, blobs named by their own, and the documents of jobs.
///
/// All methods are synchronous, may be called from any thread, and block for as long as disk or network take: async code calls them
/// through `spawn_blocking`. A clone is the same store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    temporary: PathBuf,
    remote: bool,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) cache: Option<Arc<Cache>>,
}

/// What a put found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object is new.
    Created,
    /// The object was there with the same bytes.
    Identical,
}

impl Store {
    /// Opens the store at `root`, creating the directory if needed, and removes left-over temporary files.
    ///
    /// # Errors
    /// [`Error::Io`] for a place that cannot be written.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        let local = Local::open(root.clone())?;
        Ok(Self { root, temporary: local.temporary(), remote: false, backend: Arc::new(local), cache: None })
    }

    pub(crate) fn on_remote(backend: Arc<dyn Backend>, root: PathBuf) -> Self {
        Self { root, temporary: env::temp_dir(), remote: true, backend, cache: None }
    }

    /// Keeps verified objects and blobs of a remote store in a local directory, up to `max_bytes`; several processes may share it.
    /// Of a store that is a directory itself nothing is kept.
    ///
    /// A cache that cannot be written is no error: everything is read from the store then.
    #[must_use]
    pub fn with_cache(mut self, directory: PathBuf, max_bytes: u64) -> Self {
        if self.remote {
            let cache = Cache::open(directory, max_bytes);
            self.temporary = cache.temporary();
            self.cache = Some(Arc::new(cache));
        }
        self
    }

    /// Whether it lies elsewhere than in a directory.
    pub fn is_remote(&self) -> bool {
        self.remote
    }

    /// The directory it lives in, or the URL of a remote store (for messages only).
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A local directory for temporary files; of a directory store and of a cache it is on the same file system.
    pub fn temporary(&self) -> PathBuf {
        self.temporary.clone()
    }

    /// Whether the store can be reached and written, and a remote one refuses to overwrite what is create-only.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn ping(&self) -> Result<(), Error> {
        self.backend.ping()
    }

    /// Whether an object of this name exists (its bytes are verified when read). A store that cannot be asked counts as one
    /// without the object; [`Store::contains_many`] tells the two apart.
    pub fn contains(&self, digest: &Digest) -> bool {
        let found = self.backend.size(&Key::object(digest));
        found
            .inspect_err(|error| tracing::warn!(%digest, %error, "cannot tell whether an object exists"))
            .is_ok_and(|size| size.is_some())
    }

    /// Which of these objects exist, in order; many at a time on a remote store.
    ///
    /// # Errors
    /// [`Error::Remote`] or [`Error::Io`] if the store cannot be asked.
    pub fn contains_many(&self, digests: &[Digest]) -> Result<Vec<bool>, Error> {
        let keys: Vec<Key> = digests.iter().map(Key::object).collect();
        self.backend.exist(&keys)
    }

    /// Writes `payload` under `digest`, once and for all. A damaged object of that name is replaced.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the object exists with other bytes; [`Error::TooLarge`]; [`Error::Io`] for a full or unwritable
    /// disk; [`Error::Remote`].
    pub fn put(&self, digest: &Digest, payload: &[u8]) -> Result<Put, Error> {
        check_size((payload.len() + HEAD_BYTES) as u64, self.object_limit())?;
        let key = Key::object(digest);
        let head = frame::head(&key, payload);
        for _ in 0..PUT_ATTEMPTS {
            if self.backend.create(&key, &[&head, payload])? {
                return Ok(Put::Created);
            }
            match self.read_object(&key) {
                Ok(Some((_, stored))) if stored == payload => return Ok(Put::Identical),
                Ok(Some(_)) => {
                    return Err(Error::Conflict { digest: digest.clone(), path: self.path(digest) });
                }
                // Another process discarded it, its own create failed in the end, or what is in the way cannot be followed.
                Ok(None) | Err(Error::Damaged { .. }) => self.backend.remove(&key)?,
                Err(error) => return Err(error),
            }
        }
        let problem = "it cannot be written although it is not there".to_owned();
        Err(Error::Damaged { path: self.path(digest), problem })
    }

    /// The payload stored under `digest`, verified; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`] if its bytes are not those that were written; [`Error::Io`]; [`Error::Remote`].
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let key = Key::object(digest);
        if let Some((_, payload)) = self.cache.as_ref().and_then(|cache| cache.object(&key)) {
            return Ok(Some(payload));
        }
        let Some((head, payload)) = self.read_object(&key)? else { return Ok(None) };
        if let Some(cache) = &self.cache {
            cache.keep(&key, &[&head, &payload]);
        }
        Ok(Some(payload))
    }

    /// Whether an object is there, its bytes verified without holding them in memory.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn verify(&self, digest: &Digest) -> Result<bool, Error> {
        let key = Key::object(digest);
        let Some(found) = self.backend.scan(&key, HEAD_BYTES, HEAD_BYTES)? else { return Ok(false) };
        frame::verify_digest(&self.backend.place(&key), &key, &found.start, &found.digest)?;
        Ok(true)
    }

    /// Removes a damaged object so that it can be computed again.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn discard(&self, digest: &Digest) -> Result<(), Error> {
        self.remove(&Key::object(digest))
    }

    /// File or URL of the object named `digest`, for messages.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.backend.place(&Key::object(digest))
    }

    pub(crate) fn remove(&self, key: &Key) -> Result<(), Error> {
        if let Some(cache) = &self.cache {
            cache.forget(key);
        }
        self.backend.remove(key)
    }

    /// Largest object of this store, mark and checksum included.
    fn object_limit(&self) -> u64 {
        self.backend.max_bytes()
    }

    fn read_object(&self, key: &Key) -> Result<Option<Pieces>, Error> {
        let Some((head, payload)) = self.backend.read(key, HEAD_BYTES, self.object_limit())? else {
            return Ok(None);
        };
        frame::verify(&self.backend.place(key), key, &head, &payload)?;
        Ok(Some((head, payload)))
    }
}
