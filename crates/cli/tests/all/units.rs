//! Benchmarks of single units from cards and files to scores: shares of factors, distributions of properties.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use ventral_data::{Target, UnitTask, load_benchmark};

use crate::support::{finish, root, succeed, ventral};

const PROPERTIES: [(&str, &str); 5] = [
    ("max", ""),
    ("mean", ""),
    ("sparseness", ""),
    ("circular_variance", "by = 'degrees'\n"),
    ("modulation_index", "by = 'family'\nkinds = ['texture', 'noise']\n"),
];

fn golden(name: &str) -> PathBuf {
    root().join("crates/cli/tests/data/units").join(name)
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(golden("expected.json")).expect("readable")).expect("JSON")
}

fn write_card(directory: &Path, identifier: &str, sections: &str) {
    let folder = directory.join(identifier);
    fs::create_dir_all(&folder).expect("writable");
    let card = format!(
        "identifier = '{identifier}'\nversion = '1'\nregion = 'V1'\n\
         [stimuli]\nformat = 'table'\nfile = '../images'\ntable = 'stimuli.csv'\n{sections}"
    );
    fs::write(folder.join("benchmark.toml"), card).expect("writable");
}

/// A model of given activations, seven benchmarks, and a spec of both.
fn prepare(directory: &Path) {
    let images = directory.join("images");
    fs::create_dir_all(&images).expect("writable");
    fs::copy(root().join("crates/data/tests/data/images/png_l.png"), images.join("dot.png")).expect("copied");
    for (file, to) in [("stimuli.csv", "stimuli.csv"), ("neurons.csv", "neurons.csv")] {
        fs::copy(golden(file), directory.join(to)).expect("copied");
    }
    let model = directory.join("model");
    fs::create_dir_all(&model).expect("writable");
    fs::copy(golden("activations.npy"), model.join("activations.npy")).expect("copied");
    let card = "identifier = 'given'\n[activations]\nfile = 'activations.npy'\n";
    fs::write(model.join("model.toml"), card).expect("writable");
    for factor in ["shape", "texture"] {
        let sections = format!(
            "[pairs]\nshape = 'shape'\ntexture = 'texture'\nimage = 'image'\nfactor = '{factor}'\n\
             [metric]\nname = 'factor_dimensionality'\n[ceiling]\nsource = 'given'\nvalue = 1.0\nrule = 'ratio'\n"
        );
        write_card(directory, factor, &sections);
    }
    for (kind, more) in PROPERTIES {
        let bins = &expected()["properties"][kind]["bins"];
        let sections = format!(
            "[property]\nkind = '{kind}'\nfile = '../neurons.csv'\ncolumn = '{kind}'\nbins = {bins}\n\
             resamplings = 200\nseed = 3\n{more}\
             [metric]\nname = 'ks_similarity'\n[ceiling]\nsource = 'resampled'\nrule = 'ratio'\n"
        );
        write_card(directory, kind, &sections);
    }
    let names: Vec<&str> = PROPERTIES.iter().map(|(kind, _)| *kind).chain(["shape", "texture"]).collect();
    let spec = format!("name = 'units'\nmodels = ['model']\nbenchmarks = {names:?}\n");
    fs::write(directory.join("spec.toml"), spec).expect("writable");
}

#[test]
fn single_units_are_scored_as_by_numpy_and_python() {
    let directory = tempfile::tempdir().expect("a directory");
    prepare(directory.path());
    let store = directory.path().join("store");
    let board = succeed(ventral(&store).arg("run").arg(directory.path().join("spec.toml")));
    assert!(board.contains("given") && board.contains("V1"), "{board}");
    let scores: Value =
        serde_json::from_str(&succeed(ventral(&store).args(["scores", "--json"]))).expect("JSON");
    let scores = scores.as_array().expect("rows");
    assert_eq!(scores.len(), 7);
    let row = |name: &str| scores.iter().find(|row| row["benchmark"] == name).expect("scored");
    let close = |found: &Value, wanted: f64, what: &str| {
        let found = found.as_f64().unwrap_or_else(|| panic!("{what}: {found}"));
        assert!((found - wanted).abs() < 1e-9, "{what}: {found}, not {wanted}");
    };
    let expected = expected();
    for factor in ["shape", "texture"] {
        let share = expected["shares"][factor].as_f64().expect("a share");
        close(&row(factor)["raw"]["value"], share, factor);
        close(&row(factor)["ceiled"]["score"]["value"], share, factor);
    }
    for (kind, _) in PROPERTIES {
        let golden = &expected["properties"][kind];
        let number = |field: &str, index: usize| golden[field][index].as_f64().expect("a number");
        let raw = &row(kind)["raw"];
        close(&raw["value"], number("score", 0), kind);
        close(&raw["error"], number("score", 1), kind);
        let ratio = number("score", 0) / number("ceiling", 0);
        close(&row(kind)["ceiled"]["score"]["value"], ratio, kind);
    }
    let again: Value = serde_json::from_str(&succeed(
        ventral(&store).arg("run").arg(directory.path().join("spec.toml")).arg("--json"),
    ))
    .expect("JSON");
    assert_eq!(again["usage"]["computed"], 0, "everything is in the store, and no Gram matrix was wanted");
}

#[test]
fn pairs_are_those_of_the_reference() {
    let directory = tempfile::tempdir().expect("a directory");
    prepare(directory.path());
    let benchmark = load_benchmark(&directory.path().join("shape"), None).expect("fine");
    let Target::Units(task) = &benchmark.target else { panic!("not of units") };
    let UnitTask::Factors { factors, wanted } = task.as_ref() else { panic!("no factors") };
    assert_eq!((factors[*wanted].name.as_str(), factors.len()), ("shape", 2));
    for factor in factors {
        let pairs: Vec<[usize; 2]> =
            serde_json::from_value(expected()["pairs"][&factor.name].clone()).expect("pairs");
        assert_eq!(factor.pairs, pairs, "{}", factor.name);
    }
    let texture = load_benchmark(&directory.path().join("texture"), None).expect("fine");
    assert_ne!(benchmark.digest().expect("readable"), texture.digest().expect("readable"));
}

#[test]
fn what_is_wrong_with_a_card_of_units_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    prepare(directory.path());
    let store = directory.path().join("store");
    let pairs = "[pairs]\nshape = 'shape'\ntexture = 'texture'\nimage = 'image'\nfactor = 'shape'\n";
    let property =
        "[property]\nkind = 'mean'\nfile = '../neurons.csv'\ncolumn = 'mean'\nbins = [0.0, 1.0, 2.0]\n";
    let (factors, ks) = ("[metric]\nname = 'factor_dimensionality'\n", "[metric]\nname = 'ks_similarity'\n");
    let given = |from: &str, to: &str, text: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let cases: Vec<(String, &str)> = vec![
        (factors.to_owned(), "is what factor_dimensionality needs"),
        ([property, factors].concat(), "is what factor_dimensionality needs"),
        ([pairs, ks].concat(), "is what ks_similarity needs"),
        ([pairs, "[metric]\nname = 'cka'\n"].concat(), "has no meaning for the metric `cka`"),
        ([pairs, factors, "[splits]\nscheme = 'shuffle'\n"].concat(), "has no meaning"),
        ([&given("'image'", "'picture'", pairs), factors].concat(), "no column `picture`"),
        ([&given("image = 'image'", "image = 'texture'", pairs), factors].concat(), "partners of texture"),
        ([&given("factor = 'shape'", "factor = 'colour'", pairs), factors].concat(), "neither `shape`"),
        ([&given("shape = 'shape'", "shape = 'filename'", pairs), factors].concat(), "at least two shapes"),
        ([&given("column = 'mean'", "column = 'neuron'", property), ks].concat(), "no column of numbers"),
        ([&given("1.0, 2.0", "1.0", property), ks].concat(), "at least 3"),
        ([&given("1.0, 2.0", "1.0, 0.5", property), ks].concat(), "rise from bin to bin"),
        ([property, "resamplings = 0\n", ks].concat(), "from 1 to 100000"),
        ([property, "resamplings = 100001\n", ks].concat(), "from 1 to 100000"),
        (
            [&given("'mean'\nfile", "'circular_variance'\nfile", property), ks].concat(),
            "is missing; name the column with the orientation",
        ),
        (
            [&given("'mean'\nfile", "'circular_variance'\nby = 'family'\nfile", property), ks].concat(),
            "no column of degrees",
        ),
        (
            [&given("'mean'\nfile", "'modulation_index'\nby = 'family'\nfile", property), ks].concat(),
            "is missing; name the two kinds",
        ),
        (
            [
                &given(
                    "'mean'\nfile",
                    "'modulation_index'\nby = 'family'\nkinds = ['texture', 'x']\nfile",
                    property,
                ),
                ks,
            ]
            .concat(),
            "no stimulus is of the kind `x`",
        ),
        (
            [pairs, factors, "[ceiling]\nsource = 'resampled'\nrule = 'ratio'\n"].concat(),
            "the metric is another",
        ),
        ([&given("neurons.csv", "absent.csv", property), ks].concat(), "absent.csv"),
    ];
    for (sections, wanted) in cases {
        write_card(directory.path(), "wrong", &sections);
        let card = directory.path().join("wrong");
        let error = load_benchmark(&card, None).map(drop).expect_err(&sections).to_string();
        assert!(error.contains(wanted), "{sections}\n{error}");
        let (out, err, code) = finish(ventral(&store).args(["benchmarks", "check"]).arg(&card));
        assert!(code == 2 && (out.contains(wanted) || err.contains(wanted)), "{sections}\n{out}\n{err}");
    }
    for name in ["mean", "shape"] {
        succeed(ventral(&store).args(["benchmarks", "check"]).arg(directory.path().join(name)));
    }
}
