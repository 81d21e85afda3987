//! From a job's documents and scores to its results, the same way as `ventral run`.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use ventral_plan::{Digest, PLAN_DOCUMENT, PlannedJob};
use ventral_queue::fault;
use ventral_store::{Error as StoreError, Failure, JobRecord, Store};

use crate::{Error, Results, assemble, html, report_of, save_maps, save_synthesis};

/// Name of the document with a job's [`Results`].
pub const RESULTS_DOCUMENT: &str = "results.json";
/// Scores that were given up, written by the coordinator.
const FAILURES_DOCUMENT: &str = "failures.json";
/// The page of a job.
const REPORT_DOCUMENT: &str = "report.html";

/// Assembles a job and writes its record, report and results; what is neither scored nor given up is named as missing.
///
/// # Errors
/// A job without a plan, a store that fails, [`Error::Input`] for a damaged score, which is discarded so that it is computed again.
pub fn assemble_job(store: &Store, job: &str) -> Result<Results, Error> {
    let planned: PlannedJob = read(store, job, PLAN_DOCUMENT)?
        .ok_or_else(|| Error::Document { document: PLAN_DOCUMENT, problem: "is not there".to_owned() })?;
    let mut failures: Vec<Failure> = read(store, job, FAILURES_DOCUMENT)?.unwrap_or_default();
    let results = assemble(&planned.plan, store, &failures).map_err(|error| discard_damaged(store, error))?;
    fault::point("mid-aggregation");
    failures.extend(planned.plan.refused.iter().map(|refused| Failure {
        digest: refused.digest(),
        unit: refused.title(),
        reason: refused.reason.clone(),
    }));
    save_maps(&planned.plan, store, job, &failures).map_err(|error| discard_damaged(store, error))?;
    save_synthesis(&planned.plan, store, job, &failures).map_err(|error| discard_damaged(store, error))?;
    let spec_file = PathBuf::from(format!("bundle {}", planned.bundle.short()));
    let (plan, unscored) = (planned.plan, results.failed());
    let record = JobRecord { plan, spec_file, data_dir: None, unscored, failures, usage: None };
    store.save_job(job, &record)?;
    let page = html(&report_of(job, &record, &results))?;
    store.write_document(job, REPORT_DOCUMENT, page.as_bytes())?;
    store.write_document(job, RESULTS_DOCUMENT, &serde_json::to_vec_pretty(&results)?)?;
    Ok(results)
}

fn read<T: DeserializeOwned>(store: &Store, job: &str, document: &'static str) -> Result<Option<T>, Error> {
    let Some(bytes) = store.document(job, document)? else { return Ok(None) };
    let damaged = |error: serde_json::Error| Error::Document { document, problem: error.to_string() };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

/// A damaged score is removed: it will be computed again.
fn discard_damaged(store: &Store, error: Error) -> Error {
    let object = match &error {
        Error::Store(StoreError::Damaged { path, .. }) => path,
        Error::Object { object, .. } | Error::Record { object, .. } => object,
        _ => return error,
    };
    let name = Path::new(object).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Ok(digest) = Digest::try_from(name.to_owned()) else { return error };
    match store.discard(&digest) {
        Ok(()) => Error::Input { score: digest, problem: error.to_string() },
        Err(error) => Error::Store(error),
    }
}
