//! The preset of 2018 from a spec to the table.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ndarray::Array3;
use serde_json::Value;
use ventral_data::{Assembly, Table, Values, write_assembly};

use crate::support::{finish, root, succeed, ventral};

const STIMULI: usize = 40;
/// Images that the preset's 1,000 components are fitted on.
const IMAGES: usize = 1000;
const LABELS: [&str; 2] = ["cat", "dog"];

/// Uniform in [0, 1), the same for the same place.
fn noise(i: usize, j: usize, stream: usize) -> f64 {
    let mut h = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ (j as u64 + 1).wrapping_mul(0xC2B2_AE3D_27D4_EB4F)
        ^ (stream as u64).wrapping_mul(0x1656_67B1_9E37_79F9);
    h = (h ^ h >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    h = (h ^ h >> 32).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((h ^ h >> 31) >> 11) as f64 / (1u64 << 53) as f64
}

/// Rows of a table of pictures that look alike: what they look like does not matter here.
fn table(prefix: &str, count: usize) -> String {
    let row = |i: usize| format!("{prefix}{i},dot.png,{}\n", LABELS[i % 2]);
    format!("stimulus_id,filename,label\n{}", (0..count).map(row).collect::<String>())
}

/// Layers `early` and `late` of five units and two `logits`: right three times of four.
fn write_model(directory: &Path) {
    let rows = STIMULI + IMAGES;
    let layers = [["early"; 5].as_slice(), &["late"; 5], &["logits"; 2]].concat();
    let values = Array3::from_shape_fn((rows, layers.len(), 1), |(row, unit, _)| match layers[unit] {
        "logits" => f64::from(u8::from((row % 2 == unit - 10) != (row % 4 == 3))),
        layer => noise(row, unit, layer.len()),
    });
    let mut presentation = Table::new(rows);
    let ids = (0..STIMULI).map(|i| format!("s{i}")).chain((0..IMAGES).map(|i| format!("pca/p{i}")));
    presentation.push("stimulus_id", Values::Text(ids.collect())).expect("a column");
    let mut neuroid = Table::new(layers.len());
    let names = layers.iter().map(|&layer| layer.to_owned()).collect();
    neuroid.push("layer", Values::Text(names)).expect("a column");
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
    // Committed to the worse layer: the preset takes the best all the same.
    let card = "identifier = 'given'\n[activations]\nfile = 'activations.nc'\n[regions]\nV4 = 'early'\n";
    fs::write(directory.join("model/model.toml"), card).expect("writable");
}

/// Two repetitions of three neurons that listen to the layer `late`.
fn recordings() -> String {
    let mut text = "stimulus_id,repetition,n0,n1,n2\n".to_owned();
    for (repetition, i) in (0..2).flat_map(|r| (0..STIMULI).map(move |i| (r, i))) {
        write!(text, "s{i},{repetition}").expect("text");
        for k in 0..3 {
            let drive = noise(i, 5 + k, 4) + noise(i, 6 + k, 4);
            write!(text, ",{}", drive + 0.8 * noise(i, k, 20 + repetition)).expect("text");
        }
        text.push('\n');
    }
    text
}

fn prepare(directory: &Path) {
    for folder in ["images", "V4", "IT", "behavior", "V4-plain"] {
        fs::create_dir_all(directory.join(folder)).expect("writable");
    }
    let dot = root().join("crates/data/tests/data/images/png_l.png");
    fs::copy(dot, directory.join("images/dot.png")).expect("copied");
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).expect("writable");
    write("stimuli.csv", &table("s", STIMULI));
    write("pca.csv", &table("p", IMAGES));
    write("recordings.csv", &recordings());
    write("categories.csv", "index,category\n0,cat\n1,dog\n");
    write_model(directory);
    let pca = "[pca.images]\nformat = 'table'\nfile = '../images'\ntable = 'pca.csv'\n";
    let head = |name: &str, region: &str| {
        format!(
            "identifier = 'Old.{name}'\nversion = '1'\nregion = '{region}'\n\
             [stimuli]\nformat = 'table'\nfile = '../images'\ntable = 'stimuli.csv'\n"
        )
    };
    let neural = "[assembly]\nformat = 'csv'\nfile = '../recordings.csv'\n[metric]\nname = 'ridge'\n\
                  [splits]\nscheme = 'shuffle'\n[ceiling]\nsource = 'internal_consistency'\nrule = 'r2_over_c'\n";
    for region in ["V4", "IT"] {
        write(&format!("{region}/benchmark.toml"), &[&head(region, region), neural, pca].concat());
    }
    write("V4-plain/benchmark.toml", &[&head("V4-plain", "V4"), neural].concat());
    let decisions = "[behavior]\ntruth = 'label'\n[decisions]\nfile = '../categories.csv'\nrule = 'max'\nclasses = 2\n\
                     [metric]\nname = 'accuracy'\n[ceiling]\nsource = 'given'\nvalue = 0.8\nrule = 'ratio'\n";
    write(
        "behavior/benchmark.toml",
        &[
            head("behavior", "behavior").replace("[stimuli]", "kind = 'behavior'\n[stimuli]"),
            decisions.into(),
        ]
        .concat(),
    );
}

fn spec(directory: &Path, benchmarks: &[&str], more: &str) {
    let text = format!("name = 'old'\nmodels = ['model']\nbenchmarks = {benchmarks:?}\n{more}");
    fs::write(directory.join("spec.toml"), text).expect("writable");
}

fn cell<'a>(board: &'a Value, column: &str) -> &'a Value {
    let columns = board["columns"].as_array().expect("columns");
    let at = columns.iter().position(|c| c["identifier"] == column).unwrap_or_else(|| panic!("{board}"));
    &board["rows"][0]["cells"][at]
}

const PRESET: &str = "preset = 'brain-score-2018'\n";

#[test]
fn the_preset_takes_the_best_layer_and_no_ceiling() {
    let directory = tempfile::tempdir().expect("a directory");
    prepare(directory.path());
    let run = |store: &str, more: &str| -> Value {
        spec(directory.path(), &["V4", "IT", "behavior"], more);
        let store = directory.path().join(store);
        let text = succeed(ventral(&store).arg("run").arg(directory.path().join("spec.toml")).arg("--json"));
        serde_json::from_str::<Value>(&text).expect("JSON")["leaderboard"].clone()
    };
    let of_every_layer = |store: &str| -> Value {
        let store = directory.path().join(store);
        serde_json::from_str(&succeed(ventral(&store).args(["scores", "--json"]))).expect("JSON")
    };
    let (then, now) = (run("one", PRESET), run("two", ""));
    let number = |board: &Value, column: &str| {
        cell(board, column)["value"]["number"].as_f64().unwrap_or_else(|| panic!("{board}"))
    };
    for region in ["V4", "IT"] {
        let found = cell(&then, &format!("Old.{region}"));
        assert_eq!(found["layer"], "late", "{found}");
        assert_eq!(found["value"]["number"], found["raw"], "no ceiling");
        assert!(number(&then, region) > 0.3, "{found}");
    }
    for row in of_every_layer("one").as_array().expect("rows") {
        assert_eq!(row["raw"]["value"], row["ceiled"]["score"]["value"], "{row}");
    }
    assert_eq!(number(&then, "behavior"), 0.75);
    let mean = (number(&then, "V4") + number(&then, "IT") + number(&then, "behavior")) / 3.0;
    assert!((number(&then, "brain_score") - mean).abs() < 1e-12);
    assert_eq!(cell(&now, "Old.V4")["layer"], "early", "without it the card's commitment holds");
    assert!((number(&now, "behavior") - 0.75 / 0.8).abs() < 1e-12, "and so does the ceiling");
}

#[test]
fn what_the_preset_has_no_use_for_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    prepare(directory.path());
    let selection = format!("{PRESET}[[selection]]\nregion = 'V4'\nselect_on = 'Old.V4'\n");
    let cases: [(&[&str], &str, &str); 3] = [
        (&["V4-plain", "IT", "behavior"], PRESET, "not scored on 1000 principal components"),
        (&["V4", "behavior"], PRESET, "no benchmark is of region 'IT'"),
        (&["V4", "IT", "behavior"], &selection, "the preset chooses layers itself"),
    ];
    for (benchmarks, more, wanted) in cases {
        spec(directory.path(), benchmarks, more);
        let store = directory.path().join("store");
        let (_, error, code) = finish(ventral(&store).arg("run").arg(directory.path().join("spec.toml")));
        assert!(code == 2 && error.contains(wanted), "{code}: {error}");
    }
}
