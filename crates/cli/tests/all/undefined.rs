//! A neuroid that is constant in one fold: what is printed, stored and exported.

use std::fs;
use std::path::Path;

use ndarray::Array3;
use serde_json::Value;
use ventral_data::{Assembly, Table, Values, write_assembly};

use crate::support::{finish, root, succeed, ventral};

const STIMULI: usize = 25;
/// The fold in which the neuroid does not respond.
const SILENT: usize = 2;

fn feature(stimulus: usize, unit: usize) -> f64 {
    ((stimulus * 37 + unit * 101) % 53) as f64 / 53.0
}

fn write(directory: &Path) {
    let at = |name: &str| directory.join(name);
    for folder in ["images", "model", "bench"] {
        fs::create_dir_all(at(folder)).expect("writable");
    }
    fs::copy(root().join("crates/data/tests/data/images/png_l.png"), at("images/dot.png")).expect("copied");
    let rows = |head: &str, of: &dyn Fn(usize) -> String| {
        (0..STIMULI).fold(format!("{head}\n"), |text, i| text + &format!("s{i:02},{}\n", of(i)))
    };
    fs::write(at("stimuli.csv"), rows("stimulus_id,filename", &|_| "dot.png".into())).expect("writable");
    fs::write(at("bench/folds.csv"), rows("stimulus_id,fold", &|i| (i % 5).to_string())).expect("writable");
    let response = |i: usize| if i % 5 == SILENT { 0.5 } else { feature(i, 0) + 0.2 * feature(i, 3) };
    fs::write(at("bench/responses.csv"), rows("stimulus_id,n1", &|i| response(i).to_string()))
        .expect("writable");
    let mut presentation = Table::new(STIMULI);
    let ids = (0..STIMULI).map(|i| format!("s{i:02}")).collect();
    presentation.push("stimulus_id", Values::Text(ids)).expect("a column");
    let mut neuroid = Table::new(4);
    neuroid.push("layer", Values::Text(vec!["conv".to_owned(); 4])).expect("a column");
    let assembly = Assembly {
        identifier: "given".into(),
        values: Array3::from_shape_fn((STIMULI, 4, 1), |(i, unit, _)| feature(i, unit)),
        presentation,
        neuroid,
        time_bins: Vec::new(),
        neuroid_axis: "neuroid".into(),
        extra_groups: Vec::new(),
    };
    write_assembly(&at("model/activations.nc"), &assembly).expect("written");
    let card = "identifier = 'given'\n[activations]\nfile = 'activations.nc'\n";
    fs::write(at("model/model.toml"), card).expect("writable");
    let card = "identifier = 'bench'\nversion = '1'\nregion = 'IT'\n\
                [stimuli]\nformat = 'table'\nfile = '../images'\ntable = 'stimuli.csv'\n\
                [assembly]\nformat = 'csv'\nfile = 'responses.csv'\n\
                [metric]\nname = 'ridge'\n[splits]\nscheme = 'folds'\nfile = 'folds.csv'\n";
    fs::write(at("bench/benchmark.toml"), card).expect("writable");
    fs::write(at("spec.toml"), "name = 'odd'\nmodels = ['model']\nbenchmarks = ['bench']\n")
        .expect("writable");
}

#[test]
fn an_undefined_fold_is_marked_and_named_wherever_the_score_is_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    write(directory.path());
    let (text, stderr, code) = finish(ventral(&at("store")).arg("run").arg(at("spec.toml")));
    assert_eq!(code, 0, "{text}\n{stderr}");
    let note = "1 of 5 values are undefined (n1 in split 2): skipped";
    let whole = "split 2 has no value, the score is that of the other 4 of 5";
    assert!(text.contains('†') && text.contains(note) && text.contains(whole), "{text}");
    let scores = succeed(ventral(&at("store")).arg("scores"));
    assert!(scores.contains("† given on bench, layer conv: 1 of 5") && scores.contains(whole), "{scores}");
    assert!(scores.contains("± standard error over splits: bench"), "{scores}");
    let json = succeed(ventral(&at("store")).args(["scores", "--json"]));
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let undefined = &json[0]["undefined"];
    assert_eq!((undefined["values"].as_u64(), undefined["of"].as_u64()), (Some(1), Some(5)), "{json}");
    assert_eq!(
        (&undefined["rule"], undefined["first_empty"][0].as_u64()),
        (&Value::from("skipped"), Some(2))
    );
    assert_eq!(json[0]["raw"]["per_split"][2], Value::Null, "{json}");
    let csv = succeed(ventral(&at("store")).args(["export", "--what", "layers"]));
    assert!(csv.contains(",undefined,note\n") && csv.contains(note), "{csv}");
    let page = at("report.html");
    succeed(ventral(&at("store")).arg("report").arg("--output").arg(&page));
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains("<h2>Undefined values</h2>") && page.contains(whole), "the report says so");
}
