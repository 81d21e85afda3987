//! Models that are given by their answers: two published matrices against made people, and what is refused.
//! Goldens by `scripts/goldens/probabilities.py`.

use std::fs;
use std::path::Path;

use ventral_data::{Probabilities, read_probabilities};
use ventral_plan::JobSpec;
use ventral_store::{ScoreRecord, Store};
use ventral_worker::{Job, measure, run};

use crate::{Silent, root};

const NAMES: [&str; 6] = ["i1", "i1n", "i2", "i2n", "o1", "o2"];
const MODELS: [&str; 2] = ["raj_alexnet", "raj_resnet18"];

/// The numbers of `u` in `scripts/goldens/behavior.py`.
fn u(i: usize, j: usize, stream: usize) -> f64 {
    let mut h = (i as u32).wrapping_mul(73_856_093)
        ^ (j as u32).wrapping_mul(19_349_663)
        ^ (stream as u32).wrapping_mul(83_492_791);
    for _ in 0..2 {
        h = (h ^ h >> 16).wrapping_mul(0x045D_9F3B);
    }
    f64::from(h ^ h >> 16) / f64::from(1u32 << 16).powi(2)
}

fn golden() -> serde_json::Value {
    let path = root().join("crates/data/tests/data/probabilities.json");
    serde_json::from_slice(&fs::read(path).expect("there")).expect("JSON")
}

/// A benchmark of the published images: one picture for all, two trials per image and distractor.
fn write_benchmarks(directory: &Path, given: &Probabilities, truth: &[usize]) {
    fs::create_dir_all(directory.join("images")).expect("writable");
    let picture = root().join("crates/data/tests/data/images/png_l.png");
    fs::copy(picture, directory.join("images/dot.png")).expect("copied");
    let mut stimuli =
        "stimulus_id,filename,object,use\nlearn,dot.png,".to_owned() + &given.labels[0] + ",fit\n";
    let mut trials = "stimulus_id,sample_obj,dist_obj,choice\n".to_owned();
    let mut count = 0;
    for (image, &shown) in truth.iter().enumerate() {
        let (id, object) = (&given.ids[image], &given.labels[shown]);
        stimuli += &format!("{id},dot.png,{object},test\n");
        for other in (0..given.labels.len()).filter(|&other| other != shown) {
            for _ in 0..2 {
                let right = u(count, 0, 12) < 0.55 + 0.4 * u(image, other, 11);
                let choice = if right { object } else { &given.labels[other] };
                trials += &format!("{id},{object},{},{choice}\n", given.labels[other]);
                count += 1;
            }
        }
    }
    fs::write(directory.join("stimuli.csv"), stimuli).expect("writable");
    fs::write(directory.join("trials.csv"), trials).expect("writable");
    for name in NAMES.into_iter().chain(["accuracy"]) {
        let people = if name == "accuracy" { "" } else { "[trials]\nfile = '../trials.csv'\n" };
        write_card(directory, name, &format!("[decoder]\ncolumn = 'use'\nfit = 'fit'\n{people}"));
    }
}

fn write_card(directory: &Path, name: &str, sections: &str) {
    fs::create_dir_all(directory.join(name)).expect("writable");
    let card = format!(
        "identifier = '{name}'\nversion = '1'\nregion = 'behavior'\nkind = 'behavior'\n[stimuli]\nformat = 'table'\nfile = '../images'\n\
         table = 'stimuli.csv'\n[behavior]\ntruth = 'object'\n[metric]\nname = '{name}'\n{sections}"
    );
    fs::write(directory.join(name).join("benchmark.toml"), card).expect("writable");
}

fn write_model(directory: &Path, name: &str, section: &str) {
    fs::create_dir_all(directory.join(name)).expect("writable");
    let card = format!("identifier = '{name}'\n{section}");
    fs::write(directory.join(name).join("model.toml"), card).expect("writable");
}

fn load(
    directory: &Path,
    models: &[&str],
    benchmarks: &[&str],
    data: Option<&Path>,
) -> Result<Job, ventral_worker::Error> {
    let spec = format!("name = 'answers'\nmodels = {models:?}\nbenchmarks = {benchmarks:?}\n");
    let spec = JobSpec::from_toml(&spec, "test.toml").expect("a spec");
    Job::load(spec, &directory.join("test.toml"), data, measure(Some(4 << 30)))
}

#[test]
fn patterns_of_published_answers_against_people_are_those_of_numpy() {
    let Some(data) = std::env::var_os("VENTRAL_DATA").map(std::path::PathBuf::from) else {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let place = "geirhos-behaviour/rajalingham2018_probabilities";
    let given = read_probabilities(&data.join(place).join("raj_alexnet.nc")).expect("readable");
    assert_eq!(given.values.dim(), (240, 24));
    let golden = golden();
    let truth: Vec<usize> = serde_json::from_value(golden["truth"].clone()).expect("positions");
    write_benchmarks(directory.path(), &given, &truth);
    for model in MODELS {
        write_model(directory.path(), model, &format!("[probabilities]\ndata = '{place}/{model}.nc'\n"));
    }
    let benchmarks: Vec<&str> = NAMES.into_iter().chain(["accuracy"]).collect();
    let job = load(directory.path(), &MODELS, &benchmarks, Some(&data)).expect("a job");
    let store = Store::open(directory.path().join("store")).expect("a store");
    assert_eq!(run(&job, &store, &Silent).expect("a run").failures, []);
    assert_eq!(job.plan.scores.len(), 2 * benchmarks.len());
    for unit in &job.plan.scores {
        let name = &job.plan.benchmarks[unit.benchmark].identifier;
        let payload = store.get(&unit.digest).expect("readable").expect("stored");
        let found = ScoreRecord::decode(&payload).expect("a record").scores.values;
        if name == "accuracy" {
            let accuracy = golden["accuracy"][unit.model].as_f64().expect("a number");
            assert!((found.mean().expect("values") - accuracy).abs() < 1e-12, "{found} {accuracy}");
            continue;
        }
        let expected = golden["scores"][name][unit.model].as_array().expect("two halvings");
        for (found, expected) in found.iter().zip(expected) {
            let expected = expected.as_f64().expect("a number");
            assert!((found - expected).abs() < 1e-9, "{name}, model {}: {found}, not {expected}", unit.model);
        }
    }
}

const SMALL: &str = "stimulus_id,cat,dog\na,0.7,0.3\nb,0.4,0.6\nc,0.9,0.1\nd,0.2,0.8\n";

/// Four images, two labels, and a neural benchmark of the same images.
fn small() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("images")).expect("writable");
    fs::copy(root().join("crates/data/tests/data/images/png_l.png"), at("images/dot.png")).expect("copied");
    let stimuli = "stimulus_id,filename,object\na,dot.png,cat\nb,dot.png,cat\nc,dot.png,cat\nd,dot.png,dog\n";
    fs::write(at("stimuli.csv"), stimuli).expect("writable");
    fs::write(at("map.csv"), "index,category\n0,cat\n1,dog\n").expect("writable");
    write_card(directory.path(), "accuracy", "[decisions]\nfile = '../map.csv'\nrule = 'max'\n");
    directory
}

fn failure(directory: &Path, table: &str) -> String {
    write_model(directory, "m", "[probabilities]\nfile = 'p.csv'\n");
    fs::write(directory.join("m/p.csv"), table).expect("writable");
    let job = match load(directory, &["m"], &["accuracy"], None) {
        Ok(job) => job,
        Err(error) => return error.to_string(),
    };
    let store = Store::open(directory.join("store")).expect("a store");
    let failures = run(&job, &store, &Silent).expect("a run").failures;
    failures.iter().map(|failure| failure.reason.clone()).collect()
}

#[test]
fn answers_are_taken_as_they_are_and_only_for_behaviour() {
    let directory = small();
    assert_eq!(failure(directory.path(), SMALL), "");
    let rdm = "identifier = 'rdm'\nversion = '1'\nregion = 'IT'\n[stimuli]\nformat = 'table'\nfile = '../images'\ntable = 'stimuli.csv'\n\
               [assembly]\nformat = 'csv'\nfile = 'r.csv'\n[metric]\nname = 'rdm'\n";
    fs::create_dir_all(directory.path().join("rdm")).expect("writable");
    fs::write(directory.path().join("rdm/benchmark.toml"), rdm).expect("writable");
    let responses = "stimulus_id,n1,n2,n3\na,1,2,4\nb,2,0,1\nc,3,5,1\nd,0,1,7\n";
    fs::write(directory.path().join("rdm/r.csv"), responses).expect("writable");
    let job = load(directory.path(), &["m"], &["accuracy", "rdm"], None).expect("a job");
    assert_eq!(job.plan.scores.len(), 1, "there is nothing to compare with brains");
    let store = Store::open(directory.path().join("store")).expect("a store");
    run(&job, &store, &Silent).expect("a run");
    let payload = store.get(&job.plan.scores[0].digest).expect("readable").expect("stored");
    let found = ScoreRecord::decode(&payload).expect("a record").scores.values;
    assert_eq!(found.iter().copied().collect::<Vec<f64>>(), [1.0, 0.0, 1.0, 1.0]);
}

#[test]
fn a_benchmark_without_a_decoder_is_for_given_answers() {
    let directory = small();
    let place = directory.path();
    let trials = "stimulus_id,sample_obj,dist_obj,choice\na,cat,dog,cat\nb,cat,dog,dog\nc,cat,dog,cat\nd,dog,cat,dog\n";
    fs::write(place.join("trials.csv"), trials.to_owned() + trials.split_once('\n').expect("rows").1)
        .expect("writable");
    write_card(place, "i1", "[trials]\nfile = '../trials.csv'\n");
    write_model(place, "m", "[probabilities]\nfile = 'p.csv'\n");
    fs::write(place.join("m/p.csv"), SMALL).expect("writable");
    let job = load(place, &["m"], &["i1"], None).expect("a job");
    let store = Store::open(place.join("store")).expect("a store");
    assert_eq!(run(&job, &store, &Silent).expect("a run").failures, []);
    let network = root().join("examples/demo/models/convnet_trained");
    let job = load(place, &[network.to_str().expect("a path")], &["i1"], None).expect("a job");
    let failures = run(&job, &store, &Silent).expect("a run").failures;
    let reasons: Vec<_> = failures.iter().map(|failure| failure.reason.as_str()).collect();
    let said = reasons.iter().all(|reason| reason.contains("neither [decisions] nor [decoder]"));
    assert!(!reasons.is_empty() && said, "{reasons:?}");
}

#[test]
fn answers_that_do_not_fit_are_refused_with_the_reason() {
    let directory = small();
    for (table, part) in [
        (SMALL.replace("dog", "wolf"), "`wolf`"),
        (SMALL.replace("cat,dog", "cat,dog,cow").replace("\n", ",0\n").replacen("cow,0", "cow", 1), "`cow`"),
        (SMALL.replace("d,0.2,0.8\n", ""), "`d`"),
        (SMALL.replace("0.3", "0.4"), "sum to 1.1000, not to 1"),
        (SMALL.replace("0.7,0.3", "1.7,-0.7"), "1.7 is no probability"),
        (SMALL.replace("0.7", "nan"), "no probability"),
        (SMALL.replace("b,", "a,"), "`a`"),
        (SMALL.replace("stimulus_id", "image"), "no column `stimulus_id`"),
        (SMALL.replace("0.7", "high"), "holds no numbers"),
        ("stimulus_id,cat\na,1\n".to_owned(), "two are needed"),
        ("\u{0}\u{1}".to_owned(), "p.csv"),
    ] {
        let error = failure(directory.path(), &table);
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = |section: &str| {
        write_model(directory.path(), "m", section);
        load(directory.path(), &["m"], &["accuracy"], None).err().expect("refused").to_string()
    };
    assert!(error("file = 'a.onnx'\n[probabilities]\nfile = 'p.csv'\n").contains("keep one"));
    assert!(error("[activations]\nfile = 'p.csv'\n[probabilities]\nfile = 'p.csv'\n").contains("keep one"));
    assert!(error("readout = 'fc'\n[probabilities]\nfile = 'p.csv'\n").contains("`readout`"));
}
