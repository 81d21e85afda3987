//! Unfinished uploads: a file each, private to its tenant, removed when nobody goes on with it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
    busy: Mutex<HashSet<PathBuf>>,
}

/// The right to write an unfinished upload; ends when dropped.
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

    /// Claims an upload for one stream.
    ///
    /// # Errors
    /// `UPLOAD_BUSY` while another stream has it.
    pub fn claim(self: &Arc<Self>, tenant: &str, digest: &Digest) -> Result<Claim, Status> {
        let path = self.path(tenant, digest);
        if self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone()) {
            return Ok(Claim { partials: self.clone(), path });
        }
        let wait = std::time::Duration::from_secs(1);
        Err(refuse_for(
            wait,
            Code::Aborted,
            Reason::UploadBusy,
            "another stream uploads this blob; wait for it",
        ))
    }

    /// Whether the tenant may keep `more` bytes of unfinished uploads.
    ///
    /// # Errors
    /// `UPLOAD_QUOTA`.
    pub fn check_quota(&self, tenant: &str, more: u64) -> Result<(), Status> {
        let sizes = files(&self.tenant(tenant)).into_iter().map(|(_, metadata)| metadata.len());
        let (count, kept) =
            sizes.fold((0_usize, 0_u64), |(count, sum), size| (count + 1, sum.saturating_add(size)));
        let limit = self.limits.partial_bytes;
        if count >= MAX_PARTIALS || kept.saturating_add(more) > limit {
            let message = format!(
                "the tenant has {count} unfinished uploads of {kept} bytes, at most {MAX_PARTIALS} of {limit} may be kept; \
                 finish them or wait until they are a day old"
            );
            return Err(refuse(Code::ResourceExhausted, Reason::UploadQuota, message));
        }
        Ok(())
    }

    /// Removes uploads that nothing was added to for too long.
    pub fn sweep(&self) {
        let Ok(tenants) = fs::read_dir(&self.folder) else { return };
        for tenant in tenants.flatten() {
            for (path, metadata) in files(&tenant.path()) {
                let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
                let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner).contains(&path);
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
        self.tenant(tenant).join(format!("{digest}.part"))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.partials.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))).collect()
}
