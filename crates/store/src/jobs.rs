//! What was asked for and how it went: `jobs/<id>/job.json`. Scores are not here: they are objects.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use ventral_plan::{Digest, Plan};

use crate::{Error, Store};

/// Largest job record in bytes.
pub const MAX_RECORD_BYTES: u64 = 1 << 30;

const FILE: &str = "job.json";

/// A job: its plan, where it came from, and how the last run went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobRecord {
    /// The plan.
    pub plan: Plan,
    /// The spec file it was read from, absolute.
    pub spec_file: PathBuf,
    /// The data directory it ran with, absolute.
    pub data_dir: Option<PathBuf>,
    /// Units that failed in the last run.
    pub failures: Vec<Failure>,
    /// What the last run cost; `None` until one has ended.
    pub usage: Option<Usage>,
}

/// A unit that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The unit's name.
    pub digest: Digest,
    /// Which unit, in words.
    pub unit: String,
    /// Why.
    pub reason: String,
}

/// Cost of a run, predicted and measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Units computed in the run.
    pub computed: usize,
    /// Units found in the store.
    pub cached: usize,
    /// Predicted seconds of the computed units.
    pub predicted_seconds: f64,
    /// Measured seconds.
    pub seconds: f64,
    /// Predicted peak memory of the computed units, in bytes.
    pub predicted_bytes: u64,
    /// Measured peak memory of the process, in bytes; `None` where the system does not tell.
    pub peak_bytes: Option<u64>,
}

/// A job in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEntry {
    /// The job's id.
    pub id: String,
    /// When its record was last written.
    pub modified: SystemTime,
}

impl Store {
    /// Directory of a job's record and reports.
    pub fn job_dir(&self, id: &str) -> PathBuf {
        self.root().join("jobs").join(id)
    }

    /// Writes a job's record, replacing an older one of the same job atomically.
    pub fn save_job(&self, id: &str, record: &JobRecord) -> Result<(), Error> {
        let json = serde_json::to_vec_pretty(record)
            .unwrap_or_else(|e| unreachable!("a job record is plain data: {e}"));
        self.write_job_file(id, FILE, &json).map(drop)
    }

    /// Writes a file into a job's directory, replacing it atomically; returns its path.
    pub fn write_job_file(&self, id: &str, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let directory = self.job_dir(id);
        fs::create_dir_all(&directory).map_err(|e| Error::io("cannot create", &directory, e))?;
        let path = directory.join(name);
        write_atomically(&self.temporary(), &path, bytes)?;
        Ok(path)
    }

    /// Reads a job's record.
    pub fn load_job(&self, id: &str) -> Result<JobRecord, Error> {
        let path = self.job_dir(id).join(FILE);
        let size = fs::metadata(&path).map_err(|e| Error::io("cannot read", &path, e))?.len();
        let damaged = |problem: String| Error::Damaged { path: path.clone(), problem };
        if size > MAX_RECORD_BYTES {
            return Err(damaged(format!("{size} bytes; a record has at most {MAX_RECORD_BYTES}")));
        }
        let bytes = fs::read(&path).map_err(|e| Error::io("cannot read", &path, e))?;
        serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))
    }

    /// All jobs of this store, the latest first.
    pub fn jobs(&self) -> Result<Vec<JobEntry>, Error> {
        let directory = self.root().join("jobs");
        if !directory.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&directory).map_err(|e| Error::io("cannot list", &directory, e))?;
        let mut jobs: Vec<JobEntry> = entries.flatten().filter_map(|e| entry(&e.path())).collect();
        jobs.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.id.cmp(&b.id)));
        Ok(jobs)
    }
}

fn entry(directory: &Path) -> Option<JobEntry> {
    let modified = fs::metadata(directory.join(FILE)).and_then(|m| m.modified()).ok()?;
    let id = directory.file_name()?.to_str()?.to_owned();
    Some(JobEntry { id, modified })
}

/// Writes `bytes` to `path` so that a reader sees the old file or the whole new one; `temporary` is on the same file system.
pub fn write_atomically(temporary: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write as _;
    let write_error = |e| Error::io("cannot write", path, e);
    let mut file = tempfile::NamedTempFile::new_in(temporary).map_err(write_error)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(write_error)?;
    file.persist(path).map_err(|refused| write_error(refused.error))?;
    Ok(())
}
