//! Jobs in process: cards are found, activations matched, failures kept apart, simulations repeat.

mod behavior;
mod bundle;
mod maps;
mod neural;
mod precision;
mod probabilities;
mod scoring;
mod service;
mod slot;
mod synthesis;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use ventral_metrics::Simulation;
use ventral_models::ModelCard;
use ventral_plan::JobSpec;
use ventral_store::{ScoreRecord, Store};
use ventral_worker::{
    Error, Event, Job, LoadedModel, Observer, SimulationRequest, find_cards, measure, peak_memory_bytes,
    resolve, run, simulate, work,
};

struct Silent;

impl Observer for Silent {
    fn on(&self, _: &Event<'_>) {}
}

struct Stopped;

impl Observer for Stopped {
    fn on(&self, _: &Event<'_>) {}

    fn interrupted(&self) -> bool {
        true
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn stimulus_ids() -> Vec<String> {
    let table =
        fs::read_to_string(root().join("examples/demo/stimulus_demo.csv")).expect("the demo's stimuli");
    table.lines().skip(1).filter_map(|line| line.split(',').next()).map(str::to_owned).collect()
}

/// A feature of a stimulus that does not depend on the row it is stored in.
fn feature(id: &str, unit: usize) -> f32 {
    let hash = id.bytes().fold(unit as u32 + 1, |h, byte| h.wrapping_mul(0x0100_0193) ^ u32::from(byte));
    (hash.wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0
}

/// Writes a model of given activations: 40 units, rows in the order of `ids`.
fn given_model(directory: &Path, ids: &[String], change: impl Fn(usize, f32) -> f32) -> PathBuf {
    fs::create_dir_all(directory).expect("writable");
    let rows = ids.iter().enumerate();
    let values = rows.flat_map(|(row, id)| (0..40).map(move |unit| (row, feature(id, unit))));
    let bytes: Vec<u8> = values.flat_map(|(row, value)| change(row, value).to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![ids.len(), 40], &bytes).expect("a tensor");
    let names = serde_json::to_string(ids).expect("text");
    let metadata = HashMap::from([("stimulus_id".to_owned(), names)]);
    let file = safetensors::serialize([("layer", view)], Some(metadata)).expect("a file");
    fs::write(directory.join("a.safetensors"), file).expect("writable");
    let card = "identifier = 'given'\n[activations]\nfile = 'a.safetensors'\n";
    fs::write(directory.join("model.toml"), card).expect("writable");
    directory.to_owned()
}

fn job(directory: &Path, model: &Path, benchmark: &str) -> Result<Job, Error> {
    job_of(directory, model, benchmark, "")
}

fn job_of(directory: &Path, model: &Path, benchmark: &str, more: &str) -> Result<Job, Error> {
    let benchmark =
        root().join("examples/demo/benchmarks").join(benchmark).canonicalize().expect("a benchmark");
    let text = format!("name = 'test'\nmodels = [{model:?}]\nbenchmarks = [{benchmark:?}]\n{more}");
    let spec = JobSpec::from_toml(&text, "test.toml").expect("a spec");
    Job::load(spec, &directory.join("test.toml"), None, measure(Some(4 << 30)))
}

/// Runs a job in a fresh store and returns its first score as bits.
fn first_score(directory: &Path, job: &Job) -> Vec<u64> {
    let store = Store::open(directory).expect("a store");
    let report = run(job, &store, &Silent).expect("a run");
    assert_eq!(report.failures, []);
    let bytes = store.get(&job.plan.scores[0].digest).expect("readable").expect("stored");
    let scores = ScoreRecord::decode(&bytes).expect("a score").scores;
    scores.values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn entries_of_a_spec_find_cards() {
    let directory = tempfile::tempdir().expect("a directory");
    let spec = directory.path().join("spec.toml");
    for card in ["a/model.toml", "b/model.toml", "deep/er/model.toml", "b/other.toml"] {
        let path = directory.path().join(card);
        fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        fs::write(path, "").expect("writable");
    }
    let found = |entries: &[&str]| {
        let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
        let cards = resolve(&spec, "models", &entries, "model.toml")?;
        let relative = |card: &PathBuf| card.strip_prefix(directory.path()).map(|p| p.display().to_string());
        Ok::<_, Error>(cards.iter().map(|card| relative(card).expect("below")).collect::<Vec<_>>())
    };
    assert_eq!(
        found(&["b", "a"]).expect("found"),
        ["b/model.toml", "a/model.toml"],
        "in the order of the spec"
    );
    assert_eq!(found(&["*"]).expect("found"), ["a/model.toml", "b/model.toml"]);
    assert_eq!(
        found(&["b", "*", "b/model.toml"]).expect("found"),
        ["b/model.toml", "a/model.toml"],
        "once each"
    );
    assert_eq!(found(&["deep/*"]).expect("found"), ["deep/er/model.toml"]);
    assert_eq!(found(&["b/other.toml"]).expect("found"), ["b/other.toml"], "a card of any name");
    for missing in ["c", "c*", "a/b*", "["] {
        let error = found(&[missing]).expect_err(missing).to_string();
        assert!(error.contains("spec.toml") && error.contains("models"), "{error}");
    }
    assert_eq!(find_cards(directory.path(), "model.toml").len(), 3);
}

#[test]
fn given_activations_are_matched_by_id() {
    let directory = tempfile::tempdir().expect("a directory");
    let ids = stimulus_ids();
    let backwards: Vec<String> = ids.iter().rev().cloned().collect();
    let scores = ["forwards", "backwards"].map(|name| {
        let ids = if name == "forwards" { &ids } else { &backwards };
        let model = given_model(&directory.path().join(name), ids, |_, value| value);
        let job = job(directory.path(), &model, "v4").expect("a job");
        first_score(&directory.path().join(format!("store-{name}")), &job)
    });
    assert_eq!(scores[0], scores[1], "the order of rows changes no bit");
    assert!(scores[0].len() == 10 * 80);

    let model = given_model(&directory.path().join("few"), &ids[1..], |_, value| value);
    let job = job(directory.path(), &model, "v4").expect("plans");
    let store = Store::open(directory.path().join("store-few")).expect("a store");
    let report = run(&job, &store, &Silent).expect("runs");
    assert!(
        report.failures[0].reason.contains(&format!("lack 1 of the {} stimuli", ids.len())),
        "{report:?}"
    );
    assert!(report.failures[0].reason.contains(&ids[0]), "{report:?}");

    let renamed: Vec<String> = ids.iter().map(|id| format!("images/{id}")).collect();
    let model = given_model(&directory.path().join("renamed"), &renamed, |_, value| value);
    let job = job_of(directory.path(), &model, "v4", "").expect("plans");
    let reason = &run(&job, &store, &Silent).expect("runs").failures[0].reason;
    let both = format!("`{0}` in the stimulus set, `images/{0}` in the activations", ids[0]);
    assert!(reason.contains(&both), "{reason}");
}

#[test]
fn a_spec_names_layers_of_given_activations() {
    let directory = tempfile::tempdir().expect("a directory");
    let ids = stimulus_ids();
    let model = given_model(&directory.path().join("model"), &ids, |_, value| value);
    let file = model.join("a.safetensors");
    let bytes = fs::read(&file).expect("readable");
    let given = safetensors::SafeTensors::deserialize(&bytes).expect("tensors");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).expect("metadata");
    let view = given.tensor("layer").expect("a layer");
    let layers = ["early.1", "early.2", "late"].map(|name| (name, view.clone()));
    let both = safetensors::serialize(layers, metadata.metadata().clone()).expect("a file");
    fs::write(&file, both).expect("writable");
    let layers = |patterns: &str| -> Result<Vec<String>, Error> {
        let job = job_of(directory.path(), &model, "v4", &format!("[layers]\ngiven = [{patterns}]\n"))?;
        let layers = &job.plan.models[0].layers;
        assert_eq!(job.plan.scores.len(), layers.len(), "nothing else is scored");
        Ok(layers.iter().map(|layer| layer.name.clone()).collect())
    };
    assert_eq!(layers("'late'").expect("a job"), ["late"]);
    assert_eq!(layers("'early.*'").expect("a job"), ["early.1", "early.2"]);
    let error = layers("'lat'").expect_err("no such layer").to_string();
    assert!(error.contains("\"lat\"") && error.contains("late"), "{error}");
}

/// A model of given activations with a tensor that nobody reads, so that its file is large.
fn heavy_model(directory: &Path, ids: &[String], ballast: usize) -> PathBuf {
    fs::create_dir_all(directory).expect("writable");
    let values = ids.iter().flat_map(|id| (0..40).map(move |unit| feature(id, unit)));
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    let heavy = vec![0; ids.len() * ballast * 4];
    let layer = TensorView::new(Dtype::F32, vec![ids.len(), 40], &bytes).expect("a tensor");
    let unread = TensorView::new(Dtype::F32, vec![ids.len(), ballast], &heavy).expect("a tensor");
    let names = serde_json::to_string(ids).expect("text");
    let metadata = HashMap::from([("stimulus_id".to_owned(), names)]);
    let file =
        safetensors::serialize([("layer", layer), ("unread", unread)], Some(metadata)).expect("a file");
    fs::write(directory.join("a.safetensors"), file).expect("writable");
    let card = "identifier = 'heavy'\n[activations]\nfile = 'a.safetensors'\n";
    fs::write(directory.join("model.toml"), card).expect("writable");
    directory.to_owned()
}

#[test]
fn a_unit_that_does_not_fit_fails_alone_with_the_number() {
    let directory = tempfile::tempdir().expect("a directory");
    let light = given_model(&directory.path().join("light"), &stimulus_ids(), |_, value| value);
    let heavy = heavy_model(&directory.path().join("heavy"), &stimulus_ids(), 20_000);
    let benchmark = root().join("examples/demo/benchmarks/v4").canonicalize().expect("a benchmark");
    let load = |models: &[&Path], memory| {
        let text = format!("name = 'test'\nmodels = {models:?}\nbenchmarks = [{benchmark:?}]\n");
        let spec = JobSpec::from_toml(&text, "test.toml").expect("a spec");
        Job::load(spec, &directory.path().join("test.toml"), None, measure(Some(memory))).expect("plans")
    };
    let roomy = load(&[&light, &heavy], 4 << 30);
    // Without its scores, which become units of their own where memory is short.
    let heavy_unit = roomy.plan.features.iter().find(|unit| unit.model == 1).expect("a unit");
    let memory = heavy_unit.estimate.least_bytes - heavy_unit.scoring_bytes - 1;
    let tight = load(&[&light, &heavy], memory);
    let store = Store::open(directory.path().join("store")).expect("a store");
    let left = work(&tight, &store);
    assert_eq!(left.unfit.len(), 1, "{:?}", left.unfit);
    assert!(left.unfit[0].title.contains("heavy") && left.peak_bytes <= memory);
    let report = run(&tight, &store, &Silent).expect("the others go on");
    assert!(!report.failures.is_empty());
    assert!(
        report.failures.iter().all(|f| f.unit.contains("heavy") && f.reason.contains("MiB")),
        "{report:?}"
    );
    let of_light = tight.plan.scores.iter().filter(|score| score.model == 0);
    assert!(of_light.clone().count() > 0 && of_light.clone().all(|score| store.contains(&score.digest)));

    let hopeless = load(&[&heavy], memory);
    let store = Store::open(directory.path().join("other")).expect("a store");
    let error = run(&hopeless, &store, &Silent).expect_err("nothing fits");
    assert!(matches!(error, Error::Plan(ventral_plan::Error::DoesNotFit { .. })), "{error}");
}

#[test]
fn activations_that_are_not_finite_name_layer_and_stimulus() {
    let directory = tempfile::tempdir().expect("a directory");
    for bad in [f32::NAN, f32::INFINITY] {
        let spoil = |row: usize, value: f32| if row == 7 { bad } else { value };
        let model = given_model(&directory.path().join("model"), &stimulus_ids(), spoil);
        let error = job(directory.path(), &model, "v4").err().expect("refused").to_string();
        assert!(error.contains("layer") && error.contains("stimulus 7"), "{error}");
    }
}

#[test]
fn interruption_is_an_error_of_its_own_and_keeps_what_is_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let model = given_model(&directory.path().join("model"), &stimulus_ids(), |_, value| value);
    let job = job(directory.path(), &model, "it").expect("a job");
    let store = Store::open(directory.path().join("store")).expect("a store");
    assert!(matches!(run(&job, &store, &Stopped), Err(Error::Interrupted)));
    assert_eq!(work(&job, &store).scores.len(), 1);
    run(&job, &store, &Silent).expect("continues");
    let left = work(&job, &store);
    assert!(left.scores.is_empty() && left.features.is_empty());
    assert_eq!(left.cached, job.plan.unit_count());
}

#[test]
fn simulations_repeat_with_their_seed_and_no_other() {
    let card = ModelCard::load(&root().join("examples/demo/models/convnet_random/model.toml"), None)
        .expect("a card");
    let model = LoadedModel::load(&card).expect("a model");
    let directory = tempfile::tempdir().expect("a directory");
    let given = given_model(&directory.path().join("model"), &stimulus_ids(), |_, value| value);
    let stimuli = job(directory.path(), &given, "it").expect("a job").benchmarks[0].stimuli.clone();
    let record = |seed| {
        let simulation = Simulation { neurons: 3, units: 8, repeats: 2, reliability: 0.9, seed };
        let request = SimulationRequest {
            layer: "block2".into(),
            identifier: "sim".into(),
            region: "V4".into(),
            simulation,
            memory_bytes: 1 << 30,
        };
        simulate(&model, &stimuli, &request, &Silent).expect("recordings")
    };
    let first = record(1);
    assert_eq!(first.values.dim(), (2 * stimuli.len(), 3, 1));
    assert_eq!(first, record(1));
    assert_ne!(first.values, record(2).values);
}

#[test]
fn the_machine_is_measured() {
    let machine = measure(None);
    assert!(machine.f64_rate > 0.0 && machine.f32_rate > 0.0 && machine.memory_bytes > 0);
    assert!(machine.profile.contains(std::env::consts::ARCH), "{}", machine.profile);
    if cfg!(target_os = "linux") {
        assert!(peak_memory_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
