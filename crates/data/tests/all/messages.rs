//! What a card that cannot be used is told: the place, what was found, and the remedy.

use ventral_data::{check_benchmark, parse_activations};

use crate::benchmarks::Folder;

const STIMULI: usize = 12;

fn npy(shape: &str, values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").as_bytes());
    bytes.extend(values.into_iter().flat_map(f64::to_le_bytes));
    bytes
}

/// Dissimilarities of a subject.
fn of(subject: usize, i: usize, j: usize) -> f64 {
    let (a, b) = (i.min(j), i.max(j));
    if i == j { 0.0 } else { 0.1 + ((7 * a + 5 * b * (subject + 1) + a * b) % 13) as f64 / 13.0 }
}

fn stack(subjects: usize, value: impl Fn(usize, usize, usize) -> f64) -> Vec<u8> {
    let places = (0..subjects * STIMULI * STIMULI)
        .map(|at| (at / STIMULI / STIMULI, at / STIMULI % STIMULI, at % STIMULI));
    npy(&format!("{subjects}, {STIMULI}, {STIMULI}"), places.map(|(s, i, j)| value(s, i, j)))
}

fn loaded(folder: &Folder, sections: &str) -> Result<ventral_data::Benchmark, String> {
    let card = "identifier = 't'\nversion = '1'\nregion = 'IT'\n\
                [stimuli]\nformat = 'table'\nfile = 'stimuli.zip'\ntable = 'stimuli.csv'\n[metric]\nname = 'rdm'\n";
    folder.write("benchmark.toml", &format!("{card}{sections}"));
    ventral_data::load_benchmark(folder.path(), None).map_err(|error| error.to_string())
}

fn refusal(folder: &Folder, sections: &str) -> String {
    loaded(folder, sections).map(drop).expect_err(sections)
}

#[track_caller]
fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

const SUBJECTS: &str = "[subjects]\nfile = 'rdms.npy'\n";
const LOWER: &str = "[ceiling]\nsource = 'rsa'\nbound = 'lower'\nrule = 'ratio'\n";

#[test]
fn similarities_are_not_taken_for_dissimilarities() {
    let folder = Folder::new();
    let write = |bytes: Vec<u8>| std::fs::write(folder.path().join("rdms.npy"), bytes).unwrap();
    write(stack(3, |s, i, j| 1.0 - of(s, i, j)));
    let parts = ["rdms.npy", "matrix 0", "stimulus 0 (from 0)", "by 1,", "give 1 - similarity"];
    says(&refusal(&folder, SUBJECTS), &parts);
    let checked = check_benchmark(folder.path(), None);
    assert!(checked.problems[0].problem.contains("1 - similarity"), "{:#?}", checked.problems);
    write(stack(3, |s, i, j| if (s, i, j) == (1, 4, 4) { 0.3 } else { of(s, i, j) }));
    says(&refusal(&folder, SUBJECTS), &["matrix 1", "stimulus 4 (from 0)", "by 0.3,"]);
    let assembly = "[assembly]\nformat = 'npy'\nfile = 'rdms.npy'\ncontent = 'rdm'\n";
    let one = |value: &dyn Fn(usize, usize) -> f64| {
        npy("12, 12", (0..STIMULI * STIMULI).map(|at| value(at / STIMULI, at % STIMULI)))
    };
    write(one(&|i, j| 1.0 - of(0, i, j)));
    says(&refusal(&folder, assembly), &["rdms.npy", "stimulus 0 (from 0)", "1 - similarity"]);
    for diagonal in [1e-6, -1e-6, f64::NAN] {
        write(one(&|i, j| if i == j { diagonal } else { of(0, i, j) }));
        assert!(loaded(&folder, assembly).is_ok(), "{diagonal}");
    }
    write(npy("66,", (0..66).map(|pair| 1.0 - f64::from(pair % 7) / 9.0)));
    assert!(loaded(&folder, assembly).is_ok(), "pairs have no diagonal");
}

#[test]
fn matrices_that_leave_no_ceiling_are_named() {
    let folder = Folder::new();
    let write = |bytes: Vec<u8>| std::fs::write(folder.path().join("rdms.npy"), bytes).unwrap();
    let sections = format!("{SUBJECTS}{LOWER}");
    write(stack(3, |s, i, j| if s == 1 { f64::from(u8::from(i != j)) } else { of(s, i, j) }));
    says(&refusal(&folder, &sections), &["rdms.npy", "subject 2", "are 1", "leave it out"]);
    write(stack(1, of));
    says(&refusal(&folder, &sections), &["one subject", "rdms.npy", "`ceiling.bound`"]);
    write(npy("12, 12", (0..STIMULI * STIMULI).map(|at| of(0, at / STIMULI, at % STIMULI))));
    says(&refusal(&folder, &sections), &["one subject", "rdms.npy"]);
    write(stack(
        3,
        |s, i, j| if s == 2 && [(3, 4), (4, 3)].contains(&(i, j)) { f64::NAN } else { of(s, i, j) },
    ));
    let error = refusal(&folder, &sections);
    says(&error, &["rdms.npy", "matrix 2", "stimuli 3 and 4 (from 0)", "NaN"]);
    assert!(!error.contains("variable"), "{error}");
}

#[test]
fn axes_are_named_as_in_the_card() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("r.npy"), npy("12, 2, 3", (0..72).map(f64::from))).unwrap();
    let axes = "format = \"npy\"\naxes = [\"presentation\", \"neuroid\", \"repetition\"]\nfile = \"r.npy\"";
    folder.card(&[("format = \"csv\"\nfile = \"responses.csv\"", axes)]);
    let error = folder.error();
    says(&error, &["`assembly.axes`", "\"repetition\"", "[repeats]", "[\"presentation\", \"neuroid\"]"]);
    assert!(!error.contains("Presentation"), "{error}");
}

#[test]
fn tables_of_responses_are_told_about_repetitions_and_text() {
    let folder = Folder::new();
    let rows = |cell: &str| {
        let row = |i: usize| {
            format!("s{:02},{i},{}\n", i % 12, if i == 14 { cell.to_owned() } else { (i * i).to_string() })
        };
        format!("stimulus_id,n1,n2\n{}", (0..24).map(row).collect::<String>())
    };
    folder.write("responses.csv", &rows("2"));
    says(&folder.error(), &["responses.csv", "`s00` appears twice", "column `repetition`"]);
    folder.write("responses.csv", &rows("abc"));
    says(&folder.error(), &["responses.csv", "`n2`", "`abc`", "row 15"]);
}

#[test]
fn more_components_than_a_split_can_have_are_refused() {
    let folder = Folder::new();
    folder.card(&[("components = 3", "components = 6")]);
    says(&folder.error(), &["`metric.components`", "is 6", "split 0 trains on 6", "at most 5"]);
    assert!(!check_benchmark(folder.path(), None).problems.is_empty());
    folder.card(&[("components = 3", "components = 5")]);
    assert!(check_benchmark(folder.path(), None).problems.is_empty());
}

#[test]
fn neuroids_that_are_constant_in_a_test_set_are_noted() {
    let folder = Folder::new();
    let rows = |value: &dyn Fn(usize) -> String| {
        (0..12).map(|i| format!("s{i:02},{}\n", value(i))).collect::<String>()
    };
    let value = |i: usize| format!("{i},{}", if i % 3 == 1 { 7 } else { i });
    folder.write("responses.csv", &format!("stimulus_id,n1,n2\n{}", rows(&value)));
    folder.write("folds.csv", &format!("stimulus_id,fold\n{}", rows(&|i| (i % 3).to_string())));
    let folds = "scheme = \"folds\"\nfile = \"folds.csv\"";
    folder.card(&[("scheme = \"shuffle\"\ncount = 4\ntrain_size = 0.5", folds)]);
    let checked = check_benchmark(folder.path(), None);
    let notes = checked.benchmark.unwrap_or_else(|| panic!("{:#?}", checked.problems)).notes;
    let note = notes.iter().find(|note| note.contains("test")).unwrap_or_else(|| panic!("{notes:?}"));
    says(note, &["n2 in split 1", "undefined"]);
    assert!(!note.contains("n1"), "{note}");
}

#[test]
fn sections_and_fields_are_named_as_in_the_card() {
    let folder = Folder::new();
    for (from, to, parts) in [
        ("[splits]", "[split]", &["unknown field `split`", "did you mean `splits`?"][..]),
        ("count = 4", "count = \"four\"", &["`splits.count`", "expected a whole number"]),
        ("degrees = 8.0", "degrees = \"8\"", &["`stimuli.degrees`", "expected a number"]),
        ("count = 4", "stratify = \"x\"", &["scheme `shuffle`"]),
        ("components = 3", "alpha = 3.0", &["the metric is `pls`"]),
        (
            "scheme = \"shuffle\"\ncount = 4\ntrain_size = 0.5",
            "scheme = \"fixed\"\ncolumn = \"x\"",
            &["scheme `fixed`"],
        ),
        (
            "scheme = \"shuffle\"",
            "scheme = \"stratified\"\nstratify = \"x\"",
            &["there are: stimulus_id, filename, object_name"],
        ),
        (
            "table = \"stimuli.csv\"",
            "table = \"other/stimuli.csv\"",
            &["`stimuli.table`", "in the folder that holds"],
        ),
        (
            "[metric]",
            "[ceiling]\nsource = \"even_odd\"\nvalue = 1.0\nrule = \"ratio\"\n[metric]",
            &["source `even_odd`"],
        ),
    ] {
        folder.card(&[(from, to)]);
        says(&folder.error(), parts);
    }
    folder.card(&[("[splits]", "[split]")]);
    let problems = check_benchmark(folder.path(), None).problems;
    assert!(problems.iter().any(|p| p.field.as_deref() == Some("split")), "{problems:#?}");
}

#[test]
fn lines_of_tables_are_counted_from_one() {
    let folder = Folder::new();
    for end in ["\n", "\r\n"] {
        let lines = ["stimulus_id,n1,n2", "s00,1,2", "s01,1,2", "s02,1", "s03,1,2", ""];
        folder.write("responses.csv", &lines.join(end));
        says(&folder.error(), &["row 3 (line 4)"]);
    }
}

#[test]
fn a_table_is_no_file_of_activations() {
    let error = parse_activations(b"stimulus_id,n1\ns00,1.5\n".to_vec(), "x").unwrap_err().to_string();
    says(&error, &["npy, npz, safetensors or NetCDF", "numpy.save"]);
}
