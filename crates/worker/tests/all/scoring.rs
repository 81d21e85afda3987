//! Scores where a layer is read, or in units of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use ventral_plan::{Digest, JobSpec};
use ventral_store::Store;
use ventral_worker::{Event, Job, Observer, measure, run};

use super::{Silent, root};

/// PLS, and regressions that share what they can.
const BENCHMARKS: [&str; 6] = ["it", "v4", "v4-private", "v4 ridge", "v4-private ridge", "v4 ridge_cv"];

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
    let spec = JobSpec::from_toml(&text, "test.toml").expect("a spec");
    Job::load(spec, &directory.join("test.toml"), None, measure(Some(4 << 30))).expect("a job")
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
