//! The files of jobs on this machine: a workspace per bundle, the longest unused removed first.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ventral_bundle::{FetchError, Manifest, Workspace};
use ventral_plan::Digest;
use ventral_store::Store;

use super::slot::SlotConfig;
use crate::Error;
use crate::execution::patiently;

/// Workspaces of bundles below one directory, shared by all slots of the machine.
pub struct Bundles {
    root: PathBuf,
    max_bytes: u64,
    store: Store,
    patience: Duration,
}

/// A workspace in use: others leave it alone as long as this lives.
pub struct OpenBundle {
    /// The files.
    pub workspace: Workspace,
    store: Store,
    patience: Duration,
    _lock: File,
}

impl Bundles {
    pub fn new(config: &SlotConfig) -> Self {
        Self {
            root: config.bundles.clone(),
            max_bytes: config.bundle_bytes,
            store: config.store.clone(),
            patience: config.patience,
        }
    }

    /// Opens the workspace of a bundle; its files come when they are needed.
    pub fn open(&self, digest: &Digest) -> Result<OpenBundle, Error> {
        let bytes = patiently(self.patience, || self.store.blob(digest))
            .inspect_err(|error| discard_damaged(&self.store, digest, error))?;
        let missing =
            || Error::Mismatch(format!("the job's manifest {} is not in the store", digest.short()));
        let manifest = Manifest::from_bytes(&bytes.ok_or_else(missing)?)?;
        let directory = self.root.join(digest.as_str());
        fs::create_dir_all(&self.root).map_err(|error| cannot("create", &self.root, error))?;
        let lock = self.lock(&directory)?;
        lock.lock_shared().map_err(|error| cannot("lock", &directory, error))?;
        let held = Workspace::last_used(&directory).is_some();
        if !held {
            self.make_room(manifest.total_bytes(), &directory);
        }
        let workspace = Workspace::open(&directory, &manifest)?;
        Ok(OpenBundle { workspace, store: self.store.clone(), patience: self.patience, _lock: lock })
    }

    fn lock(&self, directory: &Path) -> Result<File, Error> {
        let path = directory.with_extension("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        file.map_err(|error| cannot("create", &path, error))
    }

    /// Removes bundles that nobody uses until `needed` bytes more fit. Bundles in use stay, even if that is too much.
    fn make_room(&self, needed: u64, but: &Path) {
        let mut others: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let path = entry.path();
            if let (true, Some(used)) = (path != but, Workspace::last_used(&path)) {
                let bytes = size_bytes(&path);
                others.push((used, path, bytes));
            }
        }
        others.sort();
        let mut total = others.iter().fold(needed, |total, (_, _, bytes)| total.saturating_add(*bytes));
        for (_, path, bytes) in others {
            if total <= self.max_bytes {
                return;
            }
            let Ok(lock) = self.lock(&path) else { continue };
            if lock.try_lock().is_err() {
                continue;
            }
            match Workspace::remove(&path) {
                Ok(()) => total = total.saturating_sub(bytes),
                Err(error) => tracing::warn!(%error, "cannot remove the files of a job"),
            }
        }
    }
}

impl OpenBundle {
    /// Puts a blob of the bundle at `path`.
    pub fn fetch(&self, digest: &Digest, path: &Path) -> Result<bool, FetchError> {
        let fetched = patiently(self.patience, || self.store.blob_to_file(digest, path));
        Ok(fetched.inspect_err(|error| discard_damaged(&self.store, digest, error))?)
    }
}

/// A damaged blob is removed, so that the next submission of the job uploads it again.
fn discard_damaged(store: &Store, digest: &Digest, error: &ventral_store::Error) {
    if matches!(error, ventral_store::Error::Damaged { .. })
        && let Err(error) = store.discard_blob(digest)
    {
        tracing::warn!(%error, blob = digest.short(), "a damaged blob cannot be removed");
    }
}

fn size_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

fn cannot(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Disk { action, path: path.to_owned(), source }
}
