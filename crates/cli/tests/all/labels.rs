//! Label behaviour from cards and files to scores: every metric as `scripts/goldens/labels.py` computes it by its definition.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{root, succeed, ventral};

fn golden(name: &str) -> PathBuf {
    root().join("crates/cli/tests/data/labels").join(name)
}

fn write_card(directory: &Path, identifier: &str, kind: &str, sections: &str) {
    let folder = directory.join(identifier);
    fs::create_dir_all(&folder).expect("writable");
    let card = format!(
        "identifier = '{identifier}'\nversion = '1'\nregion = '{kind}'\nkind = '{kind}'\n\
         [stimuli]\nformat = 'table'\nfile = '../images'\ntable = 'stimuli.csv'\nallow_unused = true\n{sections}"
    );
    fs::write(folder.join("benchmark.toml"), card).expect("writable");
}

const PEOPLE: &str = "[trials]\nfile = '../trials.csv'\n";
const TRIPLETS: &str = "[trials]\nfile = '../triplets.csv'\n";
const THRESHOLDS: &str = "[trials]\nfile = '../thresholds.csv'\n";
const CEILING: &str = "[ceiling]\nsource = 'people'\nrule = 'ratio'\n";

/// Identifier, metric, more of `[behavior]`, sections of people and ceiling.
fn cases() -> Vec<(&'static str, &'static str, &'static str, String)> {
    let conditions = |rest: &str| format!("{PEOPLE}condition = 'condition'\n{rest}");
    let offset = "variable = 'offset'\n";
    let flanked = "variable = 'offset'\nbaseline = ['flank', 'none']\n";
    vec![
        ("accuracy", "accuracy", "", String::new()),
        (
            "error_consistency",
            "error_consistency",
            "",
            conditions(&["exclude = ['easy']\n", CEILING].concat()),
        ),
        ("accuracy_distance", "accuracy_distance", "", [PEOPLE, CEILING].concat()),
        ("by_condition", "accuracy_distance", "by_condition = true\n", conditions("")),
        ("confusion_similarity", "confusion_similarity", "", PEOPLE.to_owned()),
        ("shape_bias", "shape_bias", "texture = 'texture'\n", String::new()),
        ("value_delta", "value_delta", "scale = 0.75\n", PEOPLE.to_owned()),
        ("odd_one_out", "odd_one_out", "", TRIPLETS.to_owned()),
        ("odd_one_out_cosine", "odd_one_out", "similarity = 'cosine'\n", TRIPLETS.to_owned()),
        ("threshold", "threshold", offset, THRESHOLDS.to_owned()),
        (
            "threshold_individual",
            "threshold",
            "variable = 'offset'\nscoring = 'individual'\n",
            THRESHOLDS.to_owned(),
        ),
        ("threshold_elevation", "threshold_elevation", flanked, THRESHOLDS.to_owned()),
    ]
}

#[test]
fn every_metric_of_labels_follows_its_definition() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("images")).expect("writable");
    fs::create_dir_all(at("model")).expect("writable");
    fs::copy(root().join("crates/data/tests/data/images/png_l.png"), at("images/dot.png")).expect("copied");
    for file in ["stimuli.csv", "categories.csv", "trials.csv", "triplets.csv", "thresholds.csv"] {
        fs::copy(golden(file), at(file)).expect("copied");
    }
    fs::copy(golden("activations.npz"), at("model/activations.npz")).expect("copied");
    let card = "identifier = 'given'\n[activations]\nfile = 'activations.npz'\n";
    fs::write(at("model/model.toml"), card).expect("writable");
    let mut names = Vec::new();
    for rule in ["max", "mean"] {
        for (identifier, metric, more, rest) in cases() {
            let name = format!("{identifier}-{rule}");
            let similarity = metric == "odd_one_out";
            let decisions =
                format!("[decisions]\nfile = '../categories.csv'\nrule = '{rule}'\nclasses = 40\n");
            let truth = if similarity { "" } else { "truth = 'category'\n" };
            let decisions = if similarity { "" } else { decisions.as_str() };
            let sections = format!("[metric]\nname = '{metric}'\n[behavior]\n{truth}{more}{decisions}{rest}");
            write_card(
                directory.path(),
                &name,
                if metric == "accuracy" { "engineering" } else { "behavior" },
                &sections,
            );
            names.push(name);
        }
    }
    let spec = format!("name = 'labels'\nmodels = ['model']\nbenchmarks = {names:?}\n");
    fs::write(at("spec.toml"), spec).expect("writable");
    let store = at("store");
    succeed(ventral(&store).arg("run").arg(at("spec.toml")));
    let scores: Value =
        serde_json::from_str(&succeed(ventral(&store).args(["scores", "--json"]))).expect("JSON");
    let expected: Value =
        serde_json::from_slice(&fs::read(golden("expected.json")).expect("readable")).expect("JSON");
    for name in &names {
        let row = scores.as_array().expect("rows").iter().find(|row| row["benchmark"] == *name);
        let row = row.unwrap_or_else(|| panic!("{name} has no score"));
        let identifier = name.rsplit_once('-').expect("a rule").0;
        let wanted = expected[identifier].as_f64().expect("a number");
        // Thresholds come from the minimum of a function, found by another method.
        let tolerance = if identifier.starts_with("threshold") { 1e-4 } else { 1e-9 };
        let close = |found: &Value, wanted: f64| {
            let found = found.as_f64().unwrap_or_else(|| panic!("{name}: {row}"));
            assert!((found - wanted).abs() < tolerance, "{name}: {found}, not {wanted}");
        };
        close(&row["raw"]["value"], wanted);
        if let Some(ceiling) = expected[format!("{identifier}_ceiling")].as_f64() {
            close(&row["ceiled"]["score"]["value"], wanted / ceiling);
        }
    }
}
