//! RSA with subjects: goldens of `scripts/goldens/rsa.py`, and every format that matrices are read from.

use std::path::Path;

use ndarray::Array2;
use ventral_data::{Benchmark, Error, Target, load_benchmark};
use ventral_metrics::{LayerGram, SplitScores, Summary, rdm_scores};

use crate::benchmarks::Folder;
use crate::support::{fixture, golden, numbers, real_data};

const CARD: &str = "identifier = 't'\nversion = '1'\nregion = 'IT'\n\
                    [stimuli]\nformat = 'table'\nfile = 'stimuli.zip'\ntable = 'stimuli.csv'\n[metric]\nname = 'rdm'\n";
const RSA: &str = "[ceiling]\nsource = 'rsa'\nrule = 'ratio'\n";

fn with(folder: &Folder, sections: &str) -> Result<Benchmark, Error> {
    for entry in std::fs::read_dir(fixture("rdms")).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder.write("benchmark.toml", &format!("{CARD}{sections}"));
    load_benchmark(folder.path(), None)
}

fn subjects(benchmark: &Benchmark) -> &Array2<f64> {
    match &benchmark.target {
        Target::Rdm { rdms, .. } => rdms,
        other => panic!("not an RDM: {other:?}"),
    }
}

#[test]
fn each_subject_is_scored_and_the_mean_is_divided_by_the_bound_of_single_subjects() {
    let Some(data) = real_data() else { return };
    let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benchmarks/kriegeskorte2008-human-it-rdm");
    let benchmark = load_benchmark(&card, Some(&data)).unwrap();
    let expected = golden("rsa.json");
    let pixels = |index: usize| {
        let image = benchmark.stimuli.image(index).unwrap().pixels;
        image.slice(ndarray::s![..;25, ..;25, ..]).iter().map(|&v| f64::from(v)).collect::<Vec<f64>>()
    };
    let images: Vec<Vec<f64>> = (0..92).map(pixels).collect();
    let features = Array2::from_shape_fn((92, images[0].len()), |(i, j)| images[i][j]);
    let gram = LayerGram::from_features(features.view()).unwrap();
    let near = |found: f64, name: &str| {
        let expected = expected[name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{name}: {found}, not {expected}");
    };
    let scores: SplitScores = rdm_scores(&gram, subjects(&benchmark).view(), &benchmark.splits).unwrap();
    for (found, expected) in scores.values.iter().zip(numbers(&expected["subjects"])) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }
    let raw = scores.summary(Summary::Sample);
    near(raw.value, "score");
    near(raw.error, "error");
    let ceiling = benchmark.ceiling.as_ref().unwrap();
    near(ceiling.value, "ceiling");
    near(benchmark.rule.apply(&raw, Some(ceiling.value)).unwrap().value, "ceiled");
}

#[test]
fn matrices_of_subjects_are_the_same_from_every_format() {
    let folder = Folder::new();
    let load = |section: &str| with(&folder, &format!("[subjects]\n{section}\n{RSA}")).unwrap();
    let expected = load("file = 'stack.npy'");
    assert_eq!(subjects(&expected).dim(), (3, 66));
    assert!(expected.notes.is_empty() && expected.ceiling.as_ref().unwrap().value < 1.0);
    for section in [
        "file = 'pairs.npy'",
        "file = 'level5.mat'\nvariable = 'stack'",
        "file = 'level5.mat'\nvariable = 'cells[*]'",
        "file = 'level5.mat'\nvariable = 'pairs'",
        "file = 'level73.mat'\nvariable = 'stack'",
        "file = 'level73.mat'\nvariable = 'cells[*]'",
        "file = 'level73.mat'\nvariable = 'structs[*].rdm'",
        "file = 'level73.mat'\nvariable = 'pairs'",
        "file = 'subjects.nc'\nvariable = 'rdms'",
    ] {
        let found = load(section);
        assert_eq!(subjects(&found), subjects(&expected), "{section}");
        assert_eq!(found.digest().unwrap(), expected.digest().unwrap(), "{section}");
    }
    let grouped = load("file = 'stack.npy'\ngroups = [[0, 2], [1]]");
    let mean = (&subjects(&expected).row(0) + &subjects(&expected).row(2)) / 2.0;
    assert_eq!(subjects(&grouped).row(0), mean);
    assert_ne!(grouped.digest().unwrap(), expected.digest().unwrap());
}

#[test]
fn the_averaged_matrix_is_scored_only_when_named_and_never_with_the_ceiling_of_subjects() {
    let folder = Folder::new();
    let stack = "[subjects]\nfile = 'stack.npy'\n";
    let each = with(&folder, stack).unwrap();
    let mean = with(&folder, &format!("{stack}score = 'mean'\n")).unwrap();
    assert_eq!(subjects(&mean).row(0), subjects(&each).mean_axis(ndarray::Axis(0)).unwrap());
    assert_eq!(subjects(&mean).nrows(), 1);
    let error = with(&folder, &format!("{stack}score = 'mean'\n{RSA}")).unwrap_err().to_string();
    assert!(error.contains("`ceiling.source`") && error.contains("score each subject"), "{error}");
    let given = "[ceiling]\nsource = 'given'\nvalue = 0.8\nrule = 'ratio'\n";
    assert!(with(&folder, &format!("{stack}score = 'mean'\n{given}")).is_ok());
    // An averaged matrix beside those of subjects is no longer what is scored.
    let assembly = "[assembly]\nformat = 'npy'\nfile = 'one.npy'\ncontent = 'rdm'\n";
    let both = with(&folder, &format!("{assembly}{stack}{RSA}")).unwrap();
    assert_eq!(subjects(&both), subjects(&each));
    assert!(both.notes[0].contains("are not used"), "{:?}", both.notes);
    let given = with(&folder, &format!("{assembly}{stack}score = 'mean'\n")).unwrap();
    assert_eq!(subjects(&given).row(0), subjects(&each).row(0));
}

#[test]
fn what_is_wrong_with_matrices_of_subjects_is_named() {
    let folder = Folder::new();
    for (section, part) in [
        ("file = 'level73.mat'", "subjects.variable"),
        ("file = 'level73.mat'\nvariable = 'RDM'", "the file has: #refs#, structs, cells, pairs, stack"),
        ("file = 'level73.mat'\nvariable = 'structs'", "no array `structs`"),
        ("file = 'level5.mat'\nvariable = 'cells'", "numbers are needed"),
        ("file = 'stack.npy'\ngroups = [[0, 3]]", "names matrix 3, the file has 3"),
        ("file = 'stack.npy'\ngroups = []", "subjects.groups"),
        ("file = 'stimuli.csv'\nvariable = 'x'", "cannot be read as npy, HDF5 or MATLAB"),
    ] {
        let error = with(&folder, &format!("[subjects]\n{section}\n")).unwrap_err().to_string();
        assert!(error.contains(part), "{section}: {error}");
    }
    let responses = "[assembly]\nformat = 'csv'\nfile = 'responses.csv'\n";
    let error =
        with(&folder, &format!("{responses}[subjects]\nfile = 'stack.npy'\n")).unwrap_err().to_string();
    assert!(error.contains("`subjects`") && error.contains("remove it"), "{error}");
    let whole = std::fs::read(fixture("rdms/level73.mat")).unwrap();
    for cut in [600, 1024, 2100, whole.len() / 2, whole.len() - 9] {
        std::fs::create_dir_all(folder.path().join("cut")).unwrap();
        std::fs::write(folder.path().join("cut/level73.mat"), &whole[..cut]).unwrap();
        let _ = with(&folder, "[subjects]\nfile = 'cut/level73.mat'\nvariable = 'cells[*]'\n");
    }
}
