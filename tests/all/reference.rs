//! The fault-free run that every other run must equal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;
use ventral_tests::binary::{repository, ventral};
use ventral_tests::cluster::{Cluster, JOB, succeeded};
use ventral_tests::compare::assert_same_objects;

use crate::api::Api;
use ventral_proto::v1::JobState;

/// Two networks on the demo's benchmarks.
pub const SMALL: &str = "tests/data/small.toml";
/// Units of [`SMALL`].
pub const SMALL_UNITS: u64 = 58;
/// The demo of the quick start.
pub const DEMO: &str = "examples/demo.toml";

/// What `ventral run` of a spec leaves: one run per spec and test process.
pub fn reference(spec: &str) -> PathBuf {
    static RUNS: Mutex<Option<(TempDir, Vec<String>)>> = Mutex::new(None);
    let mut runs = RUNS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (dir, done) = runs.get_or_insert_with(|| (tempfile::tempdir().expect("a folder"), Vec::new()));
    let store = dir.path().join(spec.replace('/', "-"));
    if !done.iter().any(|known| known == spec) {
        embedded(spec, &store);
        done.push(spec.to_owned());
    }
    store
}

/// Runs a spec in one process.
pub fn embedded(spec: &str, store: &Path) {
    let store = store.to_str().expect("a temporary path");
    let arguments = ["run", spec, "--store", store];
    let output = Command::new(ventral())
        .args(arguments)
        .current_dir(repository())
        .env_remove("VENTRAL_COORDINATOR")
        .output()
        .expect("the program can be run");
    succeeded(&arguments, &output);
}

/// Submits a spec; the job's id.
pub fn submit(cluster: &Cluster, spec: &str) -> String {
    let text = cluster.run(&["submit", spec, "--json"]);
    let job: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    job["id"].as_str().unwrap_or_else(|| panic!("no id in {text}")).to_owned()
}

/// Waits for the end of a job and checks that nothing was lost, nothing counted twice, and that every byte is that of the fault-free run.
#[track_caller]
pub fn assert_as_reference(cluster: &Cluster, api: &Api, id: &str, spec: &str) {
    let job = api.ended(id, JOB);
    assert_eq!(job.state(), JobState::Succeeded, "{}", job.reason);
    let counts = job.counts.expect("an ended job has counts");
    assert_eq!(
        (counts.done + counts.cached, counts.failed, counts.waiting),
        (counts.total, 0, 0),
        "{counts:?}"
    );
    let expected = reference(spec);
    assert_same_objects(&expected, cluster.store());
    assert_same_scores(&expected, cluster.store(), id);
}

/// Compares everything that can be exported from the two stores, read without the cluster.
#[track_caller]
fn assert_same_scores(expected: &Path, found: &Path, id: &str) {
    for what in ["leaderboard", "layers", "raw"] {
        let mut tables = Vec::new();
        for (store, job) in [(expected, None), (found, Some(id))] {
            let mut arguments = vec!["export", "--what", what, "--format", "csv", "--store"];
            arguments.push(store.to_str().expect("a temporary path"));
            arguments.extend(job);
            let mut command = Command::new(ventral());
            command.args(&arguments).current_dir(repository()).env_remove("VENTRAL_COORDINATOR");
            tables.push(succeeded(&arguments, &command.output().expect("the program can be run")));
        }
        assert!(tables[0].lines().count() > 1, "{what} is empty");
        assert_eq!(tables[0], tables[1], "{what}");
    }
    let results = found.join("jobs").join(id).join("results.json");
    assert!(fs::metadata(&results).is_ok(), "no {}", results.display());
}
