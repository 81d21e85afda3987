//! Scores where a layer is read, or in units of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ventral_plan::{Digest, JobSpec, ScoreUnit, Work};
use ventral_queue::FailureKind;
use ventral_store::Store;
use ventral_worker::service::Reply;
use ventral_worker::{Event, Job, Observer, measure, run};

use super::slot::{ROOMY, Slot, failed, finished};
use super::{Silent, root};

/// PLS, and regressions that share what they can.
const BENCHMARKS: [&str; 7] =
    ["it", "v4", "v4-private", "it ridge", "v4 ridge", "v4-private ridge", "v4 ridge_cv"];

/// Counts the readings of a model.
#[derive(Default)]
struct Readings(AtomicUsize);

impl Observer for Readings {
    fn on(&self, event: &Event<'_>) {
        if matches!(event, Event::FeaturesStarted { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn job(directory: &Path, benchmarks: &[&str], features: &str) -> Job {
    let file = job_files(directory, benchmarks, features);
    let text = fs::read_to_string(&file).expect("a spec");
    let spec = JobSpec::from_toml(&text, "test.toml").expect("a spec");
    Job::load(spec, &file, None, measure(Some(4 << 30))).expect("a job")
}

/// A spec, and cards with the demo's recordings beside it.
fn job_files(directory: &Path, benchmarks: &[&str], features: &str) -> PathBuf {
    let demo = root().join("examples/demo").canonicalize().expect("the demo");
    for file in fs::read_dir(&demo).expect("readable").flatten().filter(|file| file.path().is_file()) {
        fs::copy(file.path(), directory.join(file.file_name())).expect("copied");
    }
    let card = |name: &&str| {
        let (name, metric) = name.split_once(' ').unwrap_or((name, "pls"));
        let text = fs::read_to_string(demo.join("benchmarks").join(name).join("benchmark.toml"));
        let text = text.expect("a card");
        let text = match metric {
            "pls" => text,
            "wide" => text.replace("-pls\"", "-wide\"").replace("components = 25", "components = 280"),
            "reverse_pls" => text
                .replace("-pls\"", "-reverse_pls\"")
                .replace("name = \"pls\"\ncomponents = 25", "name = \"reverse_pls\"\ncomponents = 280"),
            // Other splits than those of the next: these are not shared.
            "ridge" if name == "it" => text
                .replace("-pls\"", "-ridge\"")
                .replace("name = \"pls\"\ncomponents = 25", "name = \"ridge\"")
                .replace("seed = 1", "seed = 2"),
            other => text
                .replace("-pls\"", &format!("-{other}\""))
                .replace("name = \"pls\"\ncomponents = 25", &format!("name = \"{other}\"")),
        };
        let folder = directory.join("benchmarks").join(format!("{name}-{metric}"));
        fs::create_dir_all(&folder).expect("writable");
        fs::write(folder.join("benchmark.toml"), text).expect("writable");
        folder
    };
    let cards: Vec<_> = benchmarks.iter().map(card).collect();
    let model = demo.join("models/convnet_trained");
    let text =
        format!("name = 'test'\nmodels = [{model:?}]\nbenchmarks = {cards:?}\n[features]\n{features}\n");
    let file = directory.join("test.toml");
    fs::write(&file, text).expect("writable");
    file
}

fn scores(store: &Store, job: &Job) -> BTreeMap<Digest, Vec<u8>> {
    let read = |digest: &Digest| store.get(digest).expect("readable").expect("stored");
    job.plan.scores.iter().map(|unit| (unit.digest.clone(), read(&unit.digest))).collect()
}

#[test]
fn no_byte_depends_on_where_a_score_is_computed_or_in_whose_company() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = |name: String, benchmarks: &[&str], features: &str| {
        let job = job(directory.path(), benchmarks, features);
        let store = Store::open(directory.path().join(name)).expect("a store");
        assert_eq!(run(&job, &store, &Silent).expect("a run").failures, []);
        let grams = job.plan.features.iter().flat_map(|unit| &unit.layers);
        let stored = grams.filter(|layer| store.contains(&layer.gram)).count();
        (scores(&store, &job), stored)
    };
    let (expected, grams) = made("auto".into(), &BENCHMARKS, "");
    assert_eq!(grams, 0, "Gram matrices are not kept");
    for features in ["scoring = 'together'", "scoring = 'apart'", "keep_grams = true"] {
        let (found, grams) = made(features.into(), &BENCHMARKS, features);
        assert!(found == expected, "{features}");
        assert_eq!(grams > 0, features != "scoring = 'together'", "{features}");
    }
    for alone in BENCHMARKS {
        let (found, _) = made(alone.into(), &[alone], "");
        assert!(
            !found.is_empty() && found.iter().all(|(digest, bytes)| expected[digest] == *bytes),
            "{alone}"
        );
    }
}

#[test]
fn a_benchmark_that_is_added_reads_no_model_whose_grams_were_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    for (features, readings) in [("keep_grams = true", 0), ("", 1)] {
        let store = Store::open(directory.path().join(readings.to_string())).expect("a store");
        run(&job(directory.path(), &BENCHMARKS[1..2], features), &store, &Silent).expect("a run");
        let more = job(directory.path(), &BENCHMARKS[1..3], features);
        let count = Readings::default();
        let report = run(&more, &store, &count).expect("a run");
        assert_eq!((report.failures.len(), count.0.into_inner()), (0, readings), "{features}");
        assert_eq!(report.usage.computed * 2, more.plan.scores.len(), "only the new benchmark's");
        assert_eq!(scores(&store, &more).len(), more.plan.scores.len());
    }
}

#[test]
fn a_score_that_is_not_defined_costs_no_neighbour() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = ["v4", "it ridge"];
    let job = job(directory.path(), &[good[0], "v4 wide", "it reverse_pls", good[1]], "");
    let store = Store::open(directory.path().join("store")).expect("a store");
    let report = run(&job, &store, &Silent).expect("a run");
    let plan = &job.plan;
    assert_eq!(plan.refused, []);
    // More components than the layer has features; than there are neuroids, on every layer.
    let undefined = |unit: &&ScoreUnit| match plan.benchmarks[unit.benchmark].identifier.as_str() {
        name if name.ends_with("wide") => plan.models[unit.model].layers[unit.layer].features < 280,
        name => name.ends_with("reverse_pls"),
    };
    let (lost, kept): (Vec<&ScoreUnit>, Vec<&ScoreUnit>) = plan.scores.iter().partition(undefined);
    let of_grams = lost.iter().filter(|unit| unit.benchmark == 1).count();
    assert!(of_grams > 0 && lost.len() > of_grams && kept.len() > lost.len(), "{of_grams} of {}", lost.len());
    assert!(kept.iter().all(|unit| store.contains(&unit.digest)));
    let expected: BTreeSet<&Digest> = lost.iter().map(|unit| &unit.digest).collect();
    let failed: BTreeSet<&Digest> = report.failures.iter().map(|failure| &failure.digest).collect();
    assert_eq!((failed, report.failures.len()), (expected, lost.len()), "each once: {:?}", report.failures);
    assert!(report.failures.iter().all(|failure| failure.reason.contains("components")), "{report:?}");
}

#[test]
fn a_file_that_is_gone_costs_its_scores_and_one_that_cannot_be_read_a_try() {
    let slot = Slot::new();
    let spec = job_files(slot.path(), &["v4", "it ridge"], "");
    let bundle = slot.upload_spec(&spec);
    slot.ask(ROOMY, u64::MAX, &[("j", Work::Plan { bundle })]);
    let recording = fs::read(slot.path().join("assy_demo_it.nc")).expect("the recording");
    let blob = slot.blob(&Digest::of_bytes(&recording));
    let again = || {
        fs::remove_dir_all(slot.bundles()).expect("removable");
        slot.ask(ROOMY, u64::MAX, &[("j", Work::Features { index: 0 })]).remove(0)
    };
    let plan = slot.plan("j").plan;
    let its: Vec<usize> = (0..plan.scores.len()).filter(|&i| plan.scores[i].benchmark == 1).collect();
    let whole = fs::read(&blob).expect("a blob");
    fs::write(&blob, b"something else").expect("writable");
    let reply = again();
    let (kind, reason) = failed(&reply);
    assert!(kind != FailureKind::Permanent, "another try, or another worker, may have it: {reason}");
    assert!(!blob.exists(), "what is damaged is discarded");
    let Reply::Finished { report } = again() else { panic!("the other benchmark's scores are there") };
    assert_eq!(report.failed_scores.iter().map(|(score, _)| *score).collect::<Vec<_>>(), its);
    assert_eq!(
        (report.computed, report.cached),
        (0, plan.scores.len() - its.len()),
        "what could be scored was"
    );
    fs::write(&blob, whole).expect("writable");
    assert_eq!(finished(&again()), (its.len(), plan.scores.len() - its.len()));
}
