//! What was asked for and how it went: `jobs/<id>/job.json`. Scores are not here: they are objects.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use ventral_plan::{Digest, Plan, Refused};

use crate::key::{JOBS, Key};
use crate::{Error, Store};

pub(crate) const RECORD: &str = "job.json";

/// A job: its plan, where it came from, and how the last run went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobRecord {
    /// The plan.
    pub plan: Plan,
    /// The spec file it was read from, absolute.
    pub spec_file: PathBuf,
    /// The data directory it ran with, absolute.
    pub data_dir: Option<PathBuf>,
    /// Scores without a value after the last run: failed, undefined, or without a ceiling.
    #[serde(default)]
    pub unscored: usize,
    /// Units that failed in the last run.
    pub failures: Vec<Failure>,
    /// What the last run cost; `None` until one has ended.
    pub usage: Option<Usage>,
}

impl JobRecord {
    /// Failures but those of cards that were left out.
    pub fn failed_units(&self) -> impl Iterator<Item = &Failure> {
        let cards: BTreeSet<Digest> = self.plan.refused.iter().map(Refused::digest).collect();
        self.failures.iter().filter(move |failure| !cards.contains(&failure.digest))
    }

    /// Results without a value: scores, maps, images.
    pub fn failed(&self) -> usize {
        let scores: BTreeSet<&Digest> = self.plan.scores.iter().map(|unit| &unit.digest).collect();
        self.unscored + self.failed_units().filter(|failure| !scores.contains(&failure.digest)).count()
    }
}

impl Failure {
    /// A unit that failed; a reason that says again which one is shortened.
    #[must_use]
    pub fn new(digest: Digest, unit: String, reason: &str) -> Self {
        let rest = reason.strip_prefix(unit.as_str()).and_then(|rest| rest.strip_prefix(": "));
        Self { reason: rest.unwrap_or(reason).to_owned(), digest, unit }
    }
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
    /// Directory (or URL) of a job's record and reports, for messages.
    pub fn job_dir(&self, id: &str) -> PathBuf {
        self.root().join(JOBS).join(id)
    }

    /// Writes a job's record, replacing an older one of the same job atomically.
    ///
    /// # Errors
    /// As [`Store::write_document`].
    pub fn save_job(&self, id: &str, record: &JobRecord) -> Result<(), Error> {
        let json = serde_json::to_vec_pretty(record)
            .unwrap_or_else(|e| unreachable!("a job record is plain data: {e}"));
        self.write_document(id, RECORD, &json)
    }

    /// Reads a job's record.
    ///
    /// # Errors
    /// [`Error::Io`] if there is none, [`Error::Damaged`] if it cannot be decoded, and as [`Store::document`].
    pub fn load_job(&self, id: &str) -> Result<JobRecord, Error> {
        let place = self.backend.place(&Key::document(id, RECORD)?);
        let bytes = self.document(id, RECORD)?;
        let bytes = bytes.ok_or_else(|| Error::io("cannot read", &place, io::ErrorKind::NotFound.into()))?;
        serde_json::from_slice(&bytes).map_err(|e| Error::Damaged { path: place, problem: e.to_string() })
    }

    /// All jobs of this store that have a record, the latest first.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn jobs(&self) -> Result<Vec<JobEntry>, Error> {
        let mut jobs = self.backend.jobs_with(RECORD)?;
        jobs.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.id.cmp(&b.id)));
        Ok(jobs)
    }
}
