//! Verified objects and blobs of a remote store, kept on a local disk: the least recently used go first.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::SystemTime;

use ventral_plan::Digest;

use crate::backend::{Pieces, check_size, read_pieces};
use crate::frame::{self, HEAD_BYTES};
use crate::key::Key;
use crate::local::{link_verified, new_file_in, remove_stale};
use crate::{Error, MAX_BLOB_IN_MEMORY_BYTES, MAX_OBJECT_BYTES};

/// After this share of the limit was written, the directory is looked through again: other processes write to it too.
const RECOUNT_SHARE: u64 = 16;

/// Share of the limit that eviction leaves free.
const FREE_SHARE: u64 = 10;

/// A directory of verified copies. What goes wrong here costs time, never a read.
#[derive(Debug)]
pub(crate) struct Cache {
    root: PathBuf,
    max_bytes: u64,
    /// Bytes written since the directory was last looked through; `None` before the first time.
    unseen_bytes: Mutex<Option<u64>>,
}

impl Cache {
    pub fn open(root: PathBuf, max_bytes: u64) -> Self {
        let cache = Self { root, max_bytes, unseen_bytes: Mutex::new(None) };
        let prepared = fs::create_dir_all(cache.temporary())
            .map_err(|e| Error::io("cannot create", cache.temporary(), e))
            .and_then(|()| remove_stale(&cache.temporary()));
        if let Err(error) = prepared {
            tracing::warn!(%error, "the cache cannot be used; everything is read from the store");
        }
        cache
    }

    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Head and payload of a kept object, verified again.
    pub fn object(&self, key: &Key) -> Option<Pieces> {
        let (head, payload) = self.read(key, HEAD_BYTES, MAX_OBJECT_BYTES)?;
        let verified = frame::verify(&self.path(key), key, &head, &payload);
        self.trusted(key, verified).map(|()| (head, payload))
    }

    /// A kept blob, verified again.
    pub fn blob(&self, key: &Key, digest: &Digest) -> Option<Vec<u8>> {
        let (_, bytes) = self.read(key, 0, MAX_BLOB_IN_MEMORY_BYTES)?;
        let verified = crate::local::check_blob(&self.path(key), digest, &Digest::of_bytes(&bytes));
        self.trusted(key, verified).map(|()| bytes)
    }

    /// Links a kept blob to `target`, verified again; false if it has to come from the store.
    pub fn blob_to_file(&self, key: &Key, digest: &Digest, target: &Path) -> bool {
        let path = self.path(key);
        let linked = self.trusted(key, link_verified(&path, digest, target)).unwrap_or(false);
        if linked {
            touch(&path);
        }
        count(linked);
        linked
    }

    /// Keeps verified bytes, if there is room.
    pub fn keep(&self, key: &Key, parts: &[&[u8]]) {
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        self.insert(key, bytes, |path| {
            let mut file = new_file_in(&self.temporary())?;
            parts.iter().try_for_each(|part| file.write_all(part))?;
            file.persist(path)?;
            Ok(())
        });
    }

    /// Keeps a verified file as a hard link, if there is room and it lies on the same file system.
    pub fn adopt(&self, key: &Key, file: &Path) {
        let bytes = fs::metadata(file).map_or(u64::MAX, |metadata| metadata.len());
        self.insert(key, bytes, |path| match fs::hard_link(file, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
                let mut copy = new_file_in(&self.temporary())?;
                io::copy(&mut File::open(file)?, copy.as_file_mut())?;
                copy.persist(path)?;
                Ok(())
            }
            linked => linked,
        });
    }

    /// Removes what is kept under a key.
    pub fn forget(&self, key: &Key) {
        // It may not be there.
        let _ = fs::remove_file(self.path(key));
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// The value of what was verified; what was not is forgotten.
    fn trusted<T>(&self, key: &Key, verified: Result<T, Error>) -> Option<T> {
        verified
            .inspect_err(|error| {
                tracing::warn!(%error, "not read from the cache");
                self.forget(key);
            })
            .ok()
    }

    fn read(&self, key: &Key, head: usize, limit: u64) -> Option<Pieces> {
        let path = self.path(key);
        let read = || -> io::Result<Pieces> {
            let mut file = File::open(&path)?;
            let size = file.metadata()?.len();
            check_size(size, limit).map_err(io::Error::other)?;
            read_pieces(&mut file, size, head, limit)
        };
        let found = read().ok();
        if found.is_some() {
            touch(&path);
        }
        count(found.is_some());
        found
    }

    fn insert(&self, key: &Key, bytes: u64, write: impl FnOnce(&Path) -> io::Result<()>) {
        let path = self.path(key);
        if bytes > self.max_bytes {
            return;
        }
        self.make_room(bytes);
        let directory = path.parent().unwrap_or(&self.root);
        if let Err(error) = fs::create_dir_all(directory).and_then(|()| write(&path)) {
            tracing::debug!(path = %path.display(), %error, "not kept in the cache");
            metrics::counter!("ventral_store_cache_refusals_total").increment(1);
        }
    }

    /// Evicts what was not used for longest until `bytes` more fit.
    fn make_room(&self, bytes: u64) {
        let mut unseen = self.unseen_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let written = unseen.map(|before| before.saturating_add(bytes));
        if let Some(written) = written.filter(|written| *written <= self.max_bytes / RECOUNT_SHARE) {
            *unseen = Some(written);
            return;
        }
        *unseen = Some(0);
        let mut kept = Vec::new();
        list(&self.root.join("objects"), &mut kept);
        list(&self.root.join("blobs"), &mut kept);
        let reserve = bytes.max(self.max_bytes / RECOUNT_SHARE);
        let mut total = kept.iter().map(|file| file.bytes).sum::<u64>();
        if total.saturating_add(reserve) <= self.max_bytes {
            return;
        }
        kept.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.path.cmp(&b.path)));
        let target = self.max_bytes.saturating_sub(reserve.max(self.max_bytes / FREE_SHARE));
        for file in kept {
            if total <= target {
                break;
            }
            // Another process may have removed it first.
            let _ = fs::remove_file(&file.path);
            total = total.saturating_sub(file.bytes);
        }
    }
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

fn list(directory: &Path, kept: &mut Vec<Kept>) {
    for shelf in fs::read_dir(directory).into_iter().flatten().flatten() {
        for entry in fs::read_dir(shelf.path()).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            kept.push(Kept { path: entry.path(), bytes: metadata.len(), used });
        }
    }
}

/// Notes that a file was used; a file that cannot be touched is only evicted earlier.
fn touch(path: &Path) {
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

fn count(hit: bool) {
    let outcome = if hit { "hit" } else { "miss" };
    metrics::counter!("ventral_store_cache_reads_total", "outcome" => outcome).increment(1);
}
