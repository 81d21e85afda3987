//! A job's documents in the store. They are the truth that the coordinator is rebuilt from.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ventral_plan::{Digest, Plan};
use ventral_store::{Failure, Store};

use super::{Counts, Error, JobRequest, JobState, Submission};

/// What was submitted; written once.
pub const SUBMISSION: &str = "submission.json";
/// What has become of the job; replaced.
pub const CONTROL: &str = "control.json";
/// The plan; written once, by a worker.
pub const PLAN: &str = "plan.json";
/// Scores that cannot be had; replaced before each assembly.
pub const FAILURES: &str = "failures.json";

/// What users and time have made of a job: `control.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlDocument {
    /// Whether admission is stopped.
    pub paused: bool,
    /// Counts retries; the names of the plan and assembly units contain it.
    pub round: u32,
    /// How it ended, if it has.
    pub end: Option<End>,
    /// Units whose results were in the store when it was planned: what is there later was computed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The final state.
    pub state: JobState,
    /// Why.
    pub reason: String,
    /// Units by state.
    pub counts: Counts,
    /// Unix time in milliseconds.
    pub ended_ms: u64,
}

/// The part of `plan.json` that the coordinator reads.
#[derive(Deserialize)]
struct PlanDocument {
    plan: Plan,
}

/// What the store knows of a job.
pub struct Stored {
    /// Its id.
    pub id: String,
    /// What was submitted.
    pub submission: Submission,
    /// What has become of it.
    pub control: ControlDocument,
}

/// A plan, and those of its results that are in the store.
pub type PlanAndResults = (Arc<Plan>, Vec<Digest>);

/// Runs work on the store where it may block.
pub async fn blocking<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let store = store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(result) => result,
        Err(_) => Err(Error::NotReady("it is shutting down")),
    }
}

/// Writes a submission unless the job exists; returns what is stored now.
pub fn create(store: &Store, id: &str, submission: &Submission) -> Result<Submission, Error> {
    if store.create_document(id, SUBMISSION, &to_json(submission))? {
        return Ok(submission.clone());
    }
    read(store, id, SUBMISSION)?.ok_or_else(|| Error::NoJob(id.to_owned()))
}

/// Writes what has become of a job.
pub fn save_control(store: &Store, id: &str, control: &ControlDocument) -> Result<(), Error> {
    Ok(store.write_document(id, CONTROL, &to_json(control))?)
}

/// Writes the scores that cannot be had.
pub fn save_failures(store: &Store, id: &str, failures: &[Failure]) -> Result<(), Error> {
    Ok(store.write_document(id, FAILURES, &to_json(&failures))?)
}

/// All jobs of the store that were submitted to a coordinator.
pub fn load_all(store: &Store) -> Result<Vec<Stored>, Error> {
    let mut jobs = Vec::new();
    for id in store.job_ids()? {
        let Some(submission) = read_or_warn::<Submission>(store, &id, SUBMISSION)? else { continue };
        let control = read_or_warn(store, &id, CONTROL)?.unwrap_or_default();
        jobs.push(Stored { id, submission, control });
    }
    Ok(jobs)
}

/// What a job was submitted with.
pub struct Bundle {
    /// Digest of the manifest.
    pub digest: Digest,
    /// When the job ended (Unix time in milliseconds), if it has.
    pub ended_ms: Option<u64>,
}

/// The bundles of all jobs.
///
/// # Errors
/// [`Error::Document`] for a job whose documents are damaged: who asks must not take its bundle for one that is not needed.
pub fn bundles(store: &Store) -> Result<Vec<Bundle>, Error> {
    let mut bundles = Vec::new();
    for id in store.job_ids()? {
        let Some(submission) = read::<Submission>(store, &id, SUBMISSION)? else { continue };
        if let JobRequest::Evaluation { bundle, .. } = submission.request {
            let control = read::<ControlDocument>(store, &id, CONTROL)?.unwrap_or_default();
            bundles.push(Bundle { digest: bundle, ended_ms: control.end.map(|end| end.ended_ms) });
        }
    }
    Ok(bundles)
}

/// A job's plan with the results of it that are in the store; `None` before it is planned.
pub fn load_plan(store: &Store, id: &str) -> Result<Option<PlanAndResults>, Error> {
    let Some(document) = read::<PlanDocument>(store, id, PLAN)? else { return Ok(None) };
    let plan = Arc::new(document.plan);
    let results = super::units::Evaluation::new(plan.clone()).results();
    let found = store.contains_many(&results)?;
    let present =
        results.into_iter().zip(found).filter(|(_, found)| *found).map(|(digest, _)| digest).collect();
    Ok(Some((plan, present)))
}

fn read<T: DeserializeOwned>(store: &Store, id: &str, name: &str) -> Result<Option<T>, Error> {
    let Some(bytes) = store.document(id, name)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::Document {
        document: format!("jobs/{id}/{name}"),
        problem: error.to_string(),
    })
}

/// One job's damaged document must not keep the others from running.
fn read_or_warn<T: DeserializeOwned>(store: &Store, id: &str, name: &str) -> Result<Option<T>, Error> {
    match read(store, id, name) {
        Err(Error::Document { document, problem }) => {
            tracing::error!(job = id, document, problem, "a document is damaged: the job is left out");
            Ok(None)
        }
        other => other,
    }
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_else(|error| unreachable!("plain data: {error}"))
}
