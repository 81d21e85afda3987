//! Behaviour from images to scores: simulated people of the demo, published decisions of a network.

use std::fs;
use std::path::PathBuf;

use ventral_data::{Choices, Target, load_benchmark};
use ventral_models::ModelCard;
use ventral_plan::JobSpec;
use ventral_store::{ScoreRecord, Store};
use ventral_worker::{Job, LoadedModel, measure, run};

use crate::{Silent, root};

const CARD: &str = "examples/demo/benchmarks/behavior/benchmark.toml";

/// The demo's benchmark of behaviour with another metric.
fn with_metric(directory: &std::path::Path, name: &str) -> PathBuf {
    let demo = root().join("examples/demo").canonicalize().expect("there");
    for file in ["stimulus_demo.zip", "stimulus_demo_people.csv", "people_demo.csv"] {
        fs::copy(demo.join(file), directory.join(file)).expect("copied");
    }
    let card = fs::read_to_string(root().join(CARD)).expect("a card");
    let card = card
        .replace("\"i2n\"", &format!("\"{name}\""))
        .replace("../../", "../")
        .replace("DemoBehavior-i2n", name);
    let folder = directory.join(name);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("benchmark.toml"), card).expect("written");
    folder
}

#[test]
fn who_sees_what_people_see_errs_as_they_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path().join("store")).expect("a store");
    let demo = root().join("examples/demo/models").canonicalize().expect("there");
    let names = ["i1", "i1n", "i2", "i2n", "o1", "o2"];
    let cards: Vec<String> =
        names.iter().map(|name| with_metric(directory.path(), name).display().to_string()).collect();
    let spec = format!(
        "name = 'people'\nmodels = ['{0}/convnet_trained', '{0}/convnet_random']\nbenchmarks = {cards:?}\n",
        demo.display()
    );
    let spec = JobSpec::from_toml(&spec, "test.toml").expect("a spec");
    let file = directory.path().join("test.toml");
    let job = Job::load(spec, &file, None, measure(Some(4 << 30))).expect("plans");
    assert_eq!(job.plan.scores.len(), 12, "one layer per model");
    assert!(job.plan.features.iter().all(|unit| unit.layers.len() == 1), "no other layer is read");
    let report = run(&job, &store, &Silent).expect("runs");
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    let score = |model: usize, name: &str| {
        let of = |u: &&ventral_plan::ScoreUnit| {
            u.model == model && job.plan.benchmarks[u.benchmark].identifier == name
        };
        let unit = job.plan.scores.iter().find(of).expect("planned");
        let payload = store.get(&unit.digest).expect("readable").expect("computed");
        let values = ScoreRecord::decode(&payload).expect("a record").scores.values;
        assert_eq!(values.dim(), (2, 1), "one value per halving");
        values.mean().expect("values")
    };
    for name in ["i1", "i1n", "i2", "i2n"] {
        assert!(score(0, name) > 3.0 * score(1, name), "{name}: {} {}", score(0, name), score(1, name));
    }
    assert!(score(0, "i2n") > 0.35 && score(1, "i2n").abs() < 0.15);
    let ceiling = |name: &str| {
        let facts = job.plan.benchmarks.iter().find(|b| b.identifier == name).expect("planned");
        (
            facts.ceiling.expect("a ceiling").value,
            facts.variant.behavior.as_ref().expect("behaviour").ceilings.len(),
        )
    };
    assert!(ceiling("i1").0 > ceiling("i2").0 && ceiling("i2n").1 == 2);
}

#[test]
fn decisions_of_googlenet_are_the_published_ones() {
    let Some(data) = std::env::var_os("VENTRAL_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
        return;
    };
    let card = ModelCard::load(&root().join("models/googlenet/model.toml"), Some(&data)).expect("a card");
    let model = LoadedModel::load(&card).expect("a model");
    for (name, file) in [("edge", "edge-experiment"), ("silhouette", "silhouette-filled-experiment")] {
        let path = root().join(format!("benchmarks/geirhos2021-{name}-error_consistency"));
        let benchmark = load_benchmark(&path, Some(&data)).expect("a benchmark");
        let Target::Behavior(behavior) = &benchmark.target else { panic!("not of behaviour") };
        let Choices::Categories { map, rule } = &behavior.choices else { panic!("no decisions") };
        let facts = model.facts(&card, None).expect("facts");
        let readout = facts.readout.expect("a readout");
        let found = model.with_source(&benchmark, None, &Silent, |source| {
            let values = source.activations(0..source.stimuli(), &[readout])?.remove(0);
            Ok(map.decide(values.mapv(f64::from).view(), *rule).expect("1,000 classes"))
        });
        let found = found.expect("runs");
        assert_eq!(found.len(), benchmark.stimuli.len());
        let published =
            data.join(format!("geirhos-behaviour/published_cnn_decisions/{file}_googlenet_session_1.csv"));
        let text = fs::read_to_string(published).expect("there");
        let equal = text.lines().skip(1).filter(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let image = cells[7].splitn(7, '_').nth(6).expect("a name").trim_end_matches(".png");
            let id = format!("{}/{image}", cells[5]);
            let row = benchmark.ids.iter().position(|known| *known == id).expect("a stimulus");
            behavior.labels[found[row]] == cells[4]
        });
        assert_eq!((equal.count(), text.lines().count() - 1), (160, 160), "{name}");
    }
}
