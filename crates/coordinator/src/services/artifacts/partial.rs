//! Unfinished uploads: a file each, private to its tenant, removed when nobody goes on with it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::{Code, Status};
use ventral_plan::Digest;

use crate::limits::Limits;
use crate::services::status::{Reason, refuse, refuse_for};

/// Most unfinished uploads of a tenant.
const MAX_PARTIALS: usize = 10_000;

/// The unfinished uploads.
pub struct Partials {
    folder: PathBuf,
    limits: Limits,
    /// Those that a stream writes, with the bytes that they will have.
    busy: Mutex<HashMap<PathBuf, u64>>,
}

/// The right to write an unfinished upload, or to remove a blob; ends when dropped.
pub struct Claim {
    partials: Arc<Partials>,
    /// Its file.
    pub path: PathBuf,
}

impl Partials {
    /// Uploads below `folder`.
    pub fn new(folder: PathBuf, limits: Limits) -> Self {
        Self { folder, limits, busy: Mutex::default() }
    }

    /// Bytes that have arrived.
    pub fn offset(&self, tenant: &str, digest: &Digest) -> u64 {
        fs::metadata(self.path(tenant, digest)).map_or(0, |metadata| metadata.len())
    }

    /// Claims an upload of `total` bytes for one stream, and the room that it will need: what is claimed counts as if it were there, so
    /// that neither many announcements at once nor many that were cut can pass a quota. `stored` are bytes and number of the blobs that the tenant has in the store,
    /// `quota` the most bytes of them.
    ///
    /// # Errors
    /// `UPLOAD_BUSY` while another stream has it; `UPLOAD_QUOTA`, `STORAGE_QUOTA`.
    pub fn claim(
        self: &Arc<Self>,
        tenant: &str,
        digest: &Digest,
        total: u64,
        quota: u64,
        stored: impl FnOnce() -> (u64, usize),
    ) -> Result<Claim, Status> {
        let path = self.path(tenant, digest);
        let mut busy = self.lock();
        if busy.contains_key(&path) || busy.contains_key(Path::new(&name(digest))) {
            let message = "another stream uploads this blob, or it is being removed; wait for it";
            let wait = Duration::from_secs(1);
            return Err(refuse_for(wait, Code::Aborted, Reason::UploadBusy, message));
        }
        let folder = self.tenant(tenant);
        let claimed = busy.iter().filter(|(path, _)| path.parent() == Some(&folder));
        let (claims, claimed) =
            claimed.fold((0, 0_u64), |(n, sum), (_, more)| (n + 1, sum.saturating_add(*more)));
        let waiting =
            files(&folder).into_iter().filter(|(other, _)| *other != path && !busy.contains_key(other));
        let (count, kept) =
            waiting.fold((claims, claimed), |(n, sum), (_, file)| (n + 1, sum.saturating_add(file.len())));
        let limit = self.limits.partial_bytes;
        if count >= MAX_PARTIALS || kept.saturating_add(total) > limit {
            let message = format!(
                "the tenant has {count} unfinished uploads of {kept} bytes and asks for {total} more, at most {MAX_PARTIALS} of {limit} \
                 may be kept; finish them or wait until they are a day old"
            );
            return Err(refuse(Code::ResourceExhausted, Reason::UploadQuota, message));
        }
        let ((bytes, blobs), most) = (stored(), self.limits.stored_blobs);
        let (bytes, blobs) = (bytes.saturating_add(kept), blobs.saturating_add(count));
        if blobs >= most || bytes.saturating_add(total) > quota {
            let message = format!(
                "the tenant keeps {blobs} files of {bytes} bytes, unfinished ones included, and asks for {total} more; it may keep {most} of \
                 {quota}. Files that no job needs go after a while; the operator can allow more (max_stored_bytes)"
            );
            return Err(refuse(Code::ResourceExhausted, Reason::StorageQuota, message));
        }
        busy.insert(path.clone(), total);
        drop(busy);
        Ok(Claim { partials: self.clone(), path })
    }

    /// The right to remove a blob; `None` while a stream of any tenant uploads it.
    pub fn leave(self: &Arc<Self>, digest: &Digest) -> Option<Claim> {
        let (mut busy, path) = (self.lock(), PathBuf::from(name(digest)));
        if busy.keys().any(|other| other.ends_with(&path)) {
            return None;
        }
        busy.insert(path.clone(), 0);
        Some(Claim { partials: self.clone(), path })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, u64>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes uploads that nothing was added to for too long.
    pub fn sweep(&self) {
        let Ok(tenants) = fs::read_dir(&self.folder) else { return };
        for tenant in tenants.flatten() {
            for (path, metadata) in files(&tenant.path()) {
                let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
                let busy = self.lock().contains_key(&path);
                if !busy && age.is_some_and(|age| age > self.limits.partial_age) {
                    tracing::info!(path = %path.display(), "an unfinished upload is removed");
                    let _ = fs::remove_file(path);
                }
            }
        }
    }

    fn tenant(&self, tenant: &str) -> PathBuf {
        self.folder.join(Digest::of_bytes(tenant.as_bytes()).short())
    }

    fn path(&self, tenant: &str, digest: &Digest) -> PathBuf {
        self.tenant(tenant).join(name(digest))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.partials.lock().remove(&self.path);
    }
}

fn name(digest: &Digest) -> String {
    format!("{digest}.part")
}

fn files(folder: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))).collect()
}
