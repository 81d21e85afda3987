//! Benchmarks of behaviour that people and models make odd: what is printed, and the exit code.

use std::fs;
use std::path::Path;

use ndarray::Array3;
use serde_json::Value;
use ventral_data::{Assembly, Table, Values, write_assembly};

use crate::support::{finish, root, succeed, ventral};

/// The model sees `a` and `b` as they are and `c` and `d` as the other animal; Ann errs where it does not.
const STIMULI: &str =
    "stimulus_id,filename,label\na,dot.png,cat\nb,dot.png,dog\nc,dot.png,cat\nd,dot.png,dog\n";
const SEES_A_CAT: [bool; 4] = [true, false, false, true];
const ANN: &str = "subject,stimulus_id,choice\nann,a,dog\nann,b,cat\nann,c,cat\nann,d,dog\n";
const BOB: &str = "bob,a,cat\nbob,b,dog\nbob,c,cat\nbob,d,cat\n";

fn write_model(directory: &Path) {
    let values = Array3::from_shape_fn((4, 2, 1), |(row, unit, _)| f64::from(SEES_A_CAT[row] == (unit == 0)));
    let mut presentation = Table::new(4);
    let ids = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    presentation.push("stimulus_id", Values::Text(ids)).expect("a column");
    let mut neuroid = Table::new(2);
    neuroid.push("layer", Values::Text(vec!["logits".to_owned(); 2])).expect("a column");
    let assembly = Assembly {
        identifier: "given".into(),
        values,
        presentation,
        neuroid,
        time_bins: Vec::new(),
        neuroid_axis: "neuroid".into(),
        extra_groups: Vec::new(),
    };
    fs::create_dir_all(directory.join("model")).expect("writable");
    write_assembly(&directory.join("model/activations.nc"), &assembly).expect("written");
    let card = "identifier = 'given'\n[activations]\nfile = 'activations.nc'\n";
    fs::write(directory.join("model/model.toml"), card).expect("writable");
}

fn write_card(directory: &Path, identifier: &str, trials: &str, sections: &str) {
    let folder = directory.join(identifier);
    fs::create_dir_all(&folder).expect("writable");
    fs::write(folder.join("trials.csv"), trials).expect("writable");
    let card = format!(
        "identifier = '{identifier}'\nversion = '1'\nregion = 'behavior'\nkind = 'behavior'\n\
         [stimuli]\nformat = 'table'\nfile = '../images'\ntable = 'stimuli.csv'\n\
         [behavior]\ntruth = 'label'\n[decisions]\nfile = '../map.csv'\nrule = 'max'\nclasses = 2\n\
         [trials]\nfile = 'trials.csv'\n{sections}"
    );
    fs::write(folder.join("benchmark.toml"), card).expect("writable");
}

#[test]
fn one_person_is_summarised_like_many_and_a_failed_ceiling_makes_a_job_partial() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("images")).expect("writable");
    fs::copy(root().join("crates/data/tests/data/images/png_l.png"), at("images/dot.png")).expect("copied");
    fs::write(at("stimuli.csv"), STIMULI).expect("writable");
    fs::write(at("map.csv"), "index,category\n0,cat\n1,dog\n").expect("writable");
    write_model(directory.path());
    write_card(directory.path(), "opposed", ANN, "[metric]\nname = 'error_consistency'\n");
    let above_people = "[metric]\nname = 'accuracy_distance'\n[ceiling]\nsource = 'people'\n\
                        rule = { chance_ratio = { chance = 0.999 } }\n";
    write_card(directory.path(), "guessed", &[ANN, BOB].concat(), above_people);

    let check = succeed(ventral(&at("store")).args(["benchmarks", "check"]).arg(at("opposed")));
    assert!(check.contains("4 answers of people") && !check.contains("repetitions"), "{check}");

    let run = |benchmarks: &str| {
        let spec = format!("name = 'odd'\nmodels = ['model']\nbenchmarks = [{benchmarks}]\n");
        fs::write(at("spec.toml"), spec).expect("writable");
        finish(ventral(&at("store")).arg("run").arg(at("spec.toml")))
    };
    let (text, stderr, code) = run("'opposed'");
    assert_eq!(code, 0, "{text}\n{stderr}");
    let (text, stderr, code) = run("'opposed', 'guessed'");
    assert_eq!(code, 3, "{text}\n{stderr}");
    assert!(text.contains("failed: given, layer logits, on guessed: "), "{text}");
    assert!(text.contains("larger than chance") && text.contains(", 1 failed"), "{text}");
    let jobs: Value =
        serde_json::from_str(&succeed(ventral(&at("store")).args(["jobs", "--json"]))).expect("JSON");
    let last = jobs.as_array().expect("jobs").iter().find(|job| job["benchmarks"] == 2).expect("the job");
    assert_eq!(
        (&last["failed"], &last["state"], &last["left_out"]),
        (&1.into(), &"failed units".into(), &0.into())
    );
    let scores = finish(ventral(&at("store")).args(["scores", "--benchmark", "guessed"])).0;
    let widest = scores.lines().filter(|line| line.starts_with(' ')).map(|line| line.chars().count()).max();
    assert!(widest < Some(100) && scores.contains("\nfailed: given, layer logits, on guessed: "), "{scores}");

    let scores = succeed(ventral(&at("store")).args(["scores", "--json", "--benchmark", "opposed"]));
    let scores: Value = serde_json::from_str(&scores).expect("JSON");
    assert_eq!(scores[0]["raw"]["value"], 1.0, "{scores}");
    assert_eq!(scores[0]["raw"]["error"], Value::Null, "{scores}");
}
