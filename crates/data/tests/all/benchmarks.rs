//! Benchmark cards: what they resolve to, and what is wrong with bad ones.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use ventral_data::{
    Benchmark, BenchmarkCard, CeilingSource, Error, Metric, Target, Visibility, load_benchmark,
};
use ventral_metrics::{CeilingRule, Regression};

use crate::support::{fixture, real_data};

/// Eleven presentations of two neuroids; one column is constant.
const RESPONSES: &str = "stimulus_id,n1,n2\n";

const CARD: &str = r#"identifier = "Test.V4-pls"
version = "1"
region = "V4"
visibility = "private"

[stimuli]
format = "table"
file = "stimuli.zip"
table = "stimuli.csv"
degrees = 8.0

[assembly]
format = "csv"
file = "responses.csv"

[metric]
name = "pls"
components = 3

[splits]
scheme = "shuffle"
count = 4
train_size = 0.5
"#;

/// A benchmark of twelve stimuli in a folder of its own; `card` replaces texts in the card.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        let directory = tempfile::tempdir().unwrap();
        let image = std::fs::read(fixture("images/png_l.png")).unwrap();
        let mut zip =
            zip::ZipWriter::new(std::fs::File::create(directory.path().join("stimuli.zip")).unwrap());
        let mut table = String::from("stimulus_id,filename,object_name\n");
        let mut responses = RESPONSES.to_string();
        for i in 0..12 {
            zip.start_file(format!("{i}.png"), zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, &image).unwrap();
            table += &format!("s{i:02},{i}.png,{}\n", ["dog", "cat"][i % 2]);
            // In reverse, so that the order of the assembly and of the stimuli differ.
            responses += &format!("s{:02},{},{}\n", 11 - i, i * i, 11 - i);
        }
        zip.finish().unwrap();
        let folder = Folder(directory);
        folder.write("stimuli.csv", &table);
        folder.write("responses.csv", &responses);
        folder.card(&[]);
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap();
        assert!(text.contains(from), "{from} is not in {name}");
        self.write(name, &text.replacen(from, to, 1));
    }

    pub fn card(&self, replacements: &[(&str, &str)]) {
        self.write("benchmark.toml", CARD);
        for (from, to) in replacements {
            self.edit("benchmark.toml", from, to);
        }
    }

    fn load(&self) -> Result<Benchmark, Error> {
        load_benchmark(self.path(), None)
    }

    pub fn error(&self) -> String {
        let error = self.load().unwrap_err().to_string();
        assert!(error.contains(&self.path().display().to_string()), "names no file: {error}");
        error
    }
}

#[test]
fn rows_follow_the_assembly_and_stimuli_follow_the_rows() {
    let benchmark = Folder::new().load().unwrap();
    assert_eq!(benchmark.ids[..2], ["s11", "s10"]);
    assert_eq!(benchmark.stimuli.ids, benchmark.ids);
    assert_eq!(benchmark.stimuli.labels("object_name").unwrap()[..2], ["cat", "dog"]);
    assert_eq!(benchmark.responses().unwrap().row(2).to_vec(), [4.0, 9.0]);
    assert_eq!((benchmark.rows(), benchmark.targets(), benchmark.degrees()), (12, 2, Some(8.0)));
    assert_eq!(benchmark.metric, Metric::Regression(Regression::Pls { components: 3 }));
    assert_eq!(benchmark.splits, ventral_metrics::shuffle_split(12, 4, 0.5, 1).unwrap());
    assert_eq!((benchmark.rule, benchmark.ceiling.is_none()), (CeilingRule::Raw, true));
    assert_eq!(benchmark.card.visibility, Visibility::Private);
}

#[test]
fn the_digest_covers_what_changes_scores_and_nothing_else() {
    let folder = Folder::new();
    let digest = |folder: &Folder| folder.load().unwrap().digest().unwrap();
    let original = digest(&folder);
    assert_eq!(original, digest(&Folder::new()), "the place does not matter");
    folder.card(&[("region = \"V4\"\n", "region = \"V4\"\nnote = \"x\"\ntitle = \"y\"\n")]);
    assert_eq!(original, digest(&folder), "descriptions do not matter");
    for change in [
        ("version = \"1\"", "version = \"2\""),
        ("components = 3", "components = 4"),
        ("train_size = 0.5", "train_size = 0.5\nseed = 2"),
        ("degrees = 8.0", "degrees = 8.5"),
        ("[metric]", "[ceiling]\nsource = \"given\"\nvalue = 0.8\nrule = \"ratio\"\n[metric]"),
    ] {
        folder.card(&[change]);
        assert_ne!(original, digest(&folder), "{change:?}");
    }
    folder.card(&[]);
    folder.edit("responses.csv", "s11,0,11", "s11,0,12");
    assert_ne!(original, digest(&folder), "responses");
}

#[test]
fn unknown_and_wrong_fields_are_named_with_the_nearest() {
    let folder = Folder::new();
    for (change, field, nearest) in [
        (("region =", "regoin ="), "regoin", "region"),
        (("components = 3", "component = 3"), "metric.component", "metric.components"),
        (("scheme =", "shceme ="), "splits.shceme", "splits.scheme"),
    ] {
        folder.card(&[change]);
        match folder.load().unwrap_err() {
            Error::UnknownField { field: found, nearest: Some(suggested), .. } => {
                assert_eq!((found.as_str(), suggested.as_str()), (field, nearest));
            }
            other => panic!("{change:?}: {other}"),
        }
    }
    for (change, reason) in [
        (("version = \"1\"\n", ""), "`version`: is missing"),
        (("version = \"1\"", "version = 1"), "`version`: line 2"),
        (("\"Test.V4-pls\"", "\"a/b\""), "`identifier`: `a/b` is not"),
        (("name = \"pls\"", "name = \"plz\""), "`metric.name`"),
        (("components = 3", "alpha = 3.0"), "`metric.alpha`: belongs to `ridge`"),
        (("components = 3", "components = 0"), "`metric.components`: is 0"),
        (("degrees = 8.0", "degrees = -1.0"), "`stimuli.degrees`"),
        (("count = 4", "stratify = \"x\""), "`splits.stratify`: does not belong"),
        (("scheme = \"shuffle\"\ncount = 4\ntrain_size = 0.5", ""), "`splits.scheme`: is `none`"),
        (("file = \"responses.csv\"", ""), "`assembly`: names no file"),
        (("file = \"responses.csv\"", "file = \"nothing.csv\""), "does not exist"),
        (("file = \"responses.csv\"", "file = \"/etc/passwd\""), "is an absolute path"),
        (("file = \"responses.csv\"", "data = \"responses.csv\""), "set VENTRAL_DATA"),
        (("file = \"responses.csv\"", "data = \"../x\""), "points outside"),
        (("[metric]", "[ceiling]\nrule = \"ratio\"\n[metric]"), "`ceiling.source`: is `none`"),
        (("[metric]", "[ceiling]\nsource = \"even_odd\"\nrule = \"ratio\"\n[metric]"), "needs repetitions"),
        (
            ("[metric]", "[ceiling]\nsource = \"given\"\nvalue = 0.0\nrule = \"ratio\"\n[metric]"),
            "`ceiling.value`: is 0, which no score can be divided",
        ),
        (
            ("[metric]", "[ceiling]\nsource = \"given\"\nvalue = -0.8\nrule = \"ratio\"\n[metric]"),
            "`ceiling.value`: is -0.8",
        ),
        (
            (
                "[metric]",
                "[ceiling]\nsource = \"given\"\nvalue = 0.4\nrule = { chance_ratio = { chance = 0.5 } }\n[metric]",
            ),
            "larger than chance",
        ),
        (
            ("[metric]", "[neuroids]\nselect = [\"n9\"]\n[metric]"),
            "no neuroid has neuroid_id `n9`; there are: n1, n2",
        ),
    ] {
        folder.card(&[change]);
        let error = folder.error();
        assert!(error.contains(reason), "{change:?}: {error}");
    }
}

#[test]
fn what_does_not_match_is_named() {
    let folder = Folder::new();
    folder.edit("responses.csv", "s11,0,11\n", "");
    match folder.load().unwrap_err() {
        Error::Missing { what: "stimuli", missing: 1, total: 12, first, .. } => assert_eq!(first, "s11"),
        other => panic!("{other}"),
    }
    folder.card(&[("degrees = 8.0", "allow_unused = true")]);
    let benchmark = folder.load().unwrap();
    assert_eq!((benchmark.stimuli.len(), benchmark.ids[0].as_str()), (11, "s10"));
    folder.edit("responses.csv", "s10,", "s99,");
    match folder.load().unwrap_err() {
        Error::Missing { what: "presentations", missing: 1, total: 11, first, .. } => {
            assert_eq!(first, "s99")
        }
        other => panic!("{other}"),
    }
    folder.edit("responses.csv", "s99,", "s09,");
    match folder.load().unwrap_err() {
        Error::DuplicateId { id, first: 0, second: 1, .. } => assert_eq!(id, "s09"),
        other => panic!("{other}"),
    }
}

#[test]
fn responses_that_are_not_numbers_are_errors_and_constant_ones_are_noted() {
    let folder = Folder::new();
    folder.edit("responses.csv", "s09,4,9", "s09,4,");
    match folder.load().unwrap_err() {
        Error::NonFinite { presentation, neuroid, value, count: 1, .. } => {
            assert_eq!((presentation.as_str(), neuroid.as_str(), value.is_nan()), ("s09", "n2", true));
        }
        other => panic!("{other}"),
    }
    folder.card(&[("[metric]", "[neuroids]\nexclude = [\"n2\"]\n[metric]")]);
    assert_eq!(folder.load().unwrap().targets(), 1);
    let constant = (0..12).map(|i| format!("s{i:02},{i},5\n")).collect::<String>();
    folder.write("responses.csv", &format!("{RESPONSES}{constant}"));
    folder.card(&[]);
    let benchmark = folder.load().unwrap();
    assert_eq!(benchmark.targets(), 2);
    assert!(benchmark.notes.iter().any(|n| n.contains("n2") && n.contains("NaN")), "{:?}", benchmark.notes);
    folder.card(&[("[metric]", "[neuroids]\nexclude_constant = true\n[metric]")]);
    assert_eq!(folder.load().unwrap().targets(), 1);
}

#[test]
fn too_few_stimuli_for_the_splits() {
    let folder = Folder::new();
    folder.card(&[("train_size = 0.5", "train_size = 0.9")]);
    let error = folder.error();
    assert!(
        error.contains("12 presentations has 10 to train and 2 to test on") && error.contains("1 or -1"),
        "{error}"
    );
    folder.card(&[("train_size = 0.5", "train_size = 0.8")]);
    assert!(folder.load().is_ok(), "nine to train, three to test");
    folder.card(&[("scheme = \"shuffle\"", "scheme = \"stratified\"\nstratify = \"object_name\"")]);
    assert_eq!(folder.load().unwrap().splits.len(), 4);
    folder.edit("stimuli.csv", "s00,0.png,dog", "s00,0.png,wolf");
    assert!(matches!(folder.load().unwrap_err(), Error::Metric { field: "splits", .. }));
    folder.card(&[("scheme = \"shuffle\"", "scheme = \"stratified\"\nstratify = \"object\"")]);
    let error = folder.error();
    assert!(error.contains("no column `object`; there are: stimulus_id"), "{error}");
}

#[test]
fn folds_from_a_table() {
    let folder = Folder::new();
    let folds = |name: &str| {
        (0..12).map(|i| format!("s{i:02},{}\n", i % 3)).fold(format!("{name},fold\n"), |a, b| a + &b)
    };
    folder.write("folds.csv", &folds("stimulus_id"));
    let scheme =
        ("scheme = \"shuffle\"\ncount = 4\ntrain_size = 0.5", "scheme = \"folds\"\nfile = \"folds.csv\"");
    folder.card(&[scheme]);
    let benchmark = folder.load().unwrap();
    assert_eq!(benchmark.splits.len(), 3);
    assert_eq!(benchmark.splits[1].test, [10, 7, 4, 1], "rows of s01, s04, s07, s10");
    assert_eq!(benchmark.splits[1].train.len(), 8);
    folder.edit("folds.csv", "s03,", "s33,");
    let error = folder.error();
    assert!(error.contains("members of a fold") && error.contains("`s33`"), "{error}");
}

#[test]
fn an_assembly_with_repetitions_is_averaged_and_gives_its_own_ceiling() {
    let directory = tempfile::tempdir().unwrap();
    let image = std::fs::read(fixture("images/png_l.png")).unwrap();
    std::fs::copy(fixture("recording.nc"), directory.path().join("assy.nc")).unwrap();
    for name in ["a", "b", "c"] {
        std::fs::write(directory.path().join(format!("{name}.png")), &image).unwrap();
    }
    let card = |ceiling: &str| {
        let text = format!(
            "identifier = \"t\"\nversion = \"1\"\nregion = \"IT\"\n[stimuli]\nformat = \"directory\"\nfile = \".\"\npattern = \"*.png\"\n\
             [assembly]\nformat = \"nc\"\nfile = \"assy.nc\"\n[neuroids]\ncolumn = \"region\"\nselect = [\"IT\"]\n\
             [metric]\nname = \"rdm\"\n[ceiling]\n{ceiling}"
        );
        std::fs::write(directory.path().join("benchmark.toml"), text).unwrap();
        load_benchmark(&directory.path().join("benchmark.toml"), None)
    };
    let benchmark = card("source = \"even_odd\"\nrule = \"r2_over_c\"").unwrap();
    assert_eq!((benchmark.ids.join(""), benchmark.targets()), ("abc".to_string(), 2));
    let Target::Responses { repeats: Some(repeats), .. } = &benchmark.target else { panic!("no repeats") };
    assert_eq!(repeats.dim(), (3, 3, 2));
    assert!(benchmark.ceiling.unwrap().value.is_finite());
    let error = card("source = \"internal_consistency\"\nrule = \"r2_over_c\"").unwrap_err().to_string();
    assert!(error.contains("ceiling"), "stimulus b is absent from some halves: {error}");
}

fn cards() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benchmarks");
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut cards: Vec<PathBuf> = entries.filter(|path| path.join("benchmark.toml").is_file()).collect();
    cards.sort();
    cards
}

#[test]
fn every_card_of_the_repository_parses() {
    let cards = cards();
    assert!(cards.len() >= 18);
    let identifiers: std::collections::BTreeSet<String> =
        cards.iter().map(|path| BenchmarkCard::load(path).unwrap().identifier).collect();
    assert_eq!(identifiers.len(), cards.len(), "identifiers are unique");
}

#[test]
fn every_card_of_the_repository_resolves_on_real_data() {
    let Some(data) = real_data() else { return };
    // The files of these are with their owners.
    let supplied = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("brainscore-");
    for path in cards().into_iter().filter(|path| !supplied(path)) {
        let benchmark =
            load_benchmark(&path, Some(&data)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(benchmark.digest().unwrap().len(), 64);
        let identifier = &benchmark.card.identifier;
        if identifier.contains("201025") {
            assert_eq!(
                (benchmark.rows(), benchmark.targets(), benchmark.splits.len()),
                (1200, 89, 10),
                "{identifier}"
            );
        }
        if benchmark.card.ceiling.source == CeilingSource::PerNeuroid {
            assert_eq!(benchmark.stimuli.len(), 810);
            assert!(benchmark.pools.as_ref().unwrap().iter().all(|p| p.len() == 10));
            assert_eq!((benchmark.rows(), benchmark.splits.len()), (81, 9));
            assert_eq!(
                benchmark.stimuli.labels("folder").unwrap()[benchmark.pools.unwrap()[5][9]],
                benchmark.ids[5]
            );
            assert!(benchmark.splits.iter().all(|s| s.test.len() == 9 && s.train.len() == 72));
        }
    }
}

fn real(name: &str, data: &Path) -> Benchmark {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benchmarks").join(name);
    load_benchmark(&path, Some(data)).unwrap()
}

#[test]
fn ceilings_of_real_recordings_are_the_published_ones() {
    let Some(data) = real_data() else { return };
    let v4 = real("cowley2023-v4-210325-pls", &data);
    let ceiling = v4.ceiling.unwrap();
    assert!((ceiling.value - 0.773).abs() < 5e-4, "corrected: {}", ceiling.value);
    let raw: Vec<f64> = ceiling.per_neuroid.iter().map(|c| c / (2.0 - c)).collect();
    let median = ventral_metrics::statistics::nan_median(&raw);
    assert!((median - 0.630).abs() < 5e-4, "split half: {median}");
    for (roi, voxels, median) in [("evc", 200, 0.7943242), ("loc", 195, 0.9191610), ("sts", 75, 0.5765977)] {
        let benchmark = real(&format!("object2vec-subj001-{roi}"), &data);
        let ceiling = benchmark.ceiling.unwrap();
        assert_eq!(ceiling.per_neuroid.len(), voxels);
        assert!((ceiling.value - median).abs() < 1e-6, "{roi}: {}", ceiling.value);
    }
    let human = real("kriegeskorte2008-human-it-rdm", &data).ceiling.unwrap();
    assert!(
        (human.value - 0.660684).abs() < 1e-6 && (human.lower.unwrap() - 0.378564).abs() < 1e-6,
        "{human:?}"
    );
}

/// The five entries of `upper` that are 0 belong to no voxel: the others are, voxel by voxel, the root mean square of the
/// responses times one constant, which they are not under any other alignment.
#[test]
fn object2vec_ceilings_are_aligned_with_voxels() {
    let Some(data) = real_data() else { return };
    for roi in ["evc", "loc", "pfs", "eba"] {
        let benchmark = real(&format!("object2vec-subj001-{roi}"), &data);
        let ceiling = benchmark.ceiling.as_ref().unwrap();
        let columns = benchmark.responses().unwrap();
        let ratio = |(column, c): (ndarray::ArrayView1<f64>, &f64)| c / (column.dot(&column) / 81.0).sqrt();
        let ratios: Vec<f64> = columns.columns().into_iter().zip(&ceiling.per_neuroid).map(ratio).collect();
        assert!(ratios.iter().all(|r| (r / ratios[0] - 1.0).abs() < 1e-5), "{roi}: {ratios:?}");
    }
}

#[test]
fn dissimilarities_are_in_the_order_of_the_images() {
    let Some(data) = real_data() else { return };
    let monkey = real("kriegeskorte2008-monkey-it-rdm", &data);
    assert_eq!((monkey.rows(), monkey.targets(), monkey.ids[0].as_str()), (92, 4186, "01"));
    let Target::Rdm { rdms: monkey, subjects: none } = monkey.target else { panic!("not an RDM") };
    assert_eq!((monkey.nrows(), none.len()), (1, 0));
    let human = real("kriegeskorte2008-human-it-rdm", &data);
    assert_eq!((human.rows(), human.targets(), human.ids[0].as_str()), (92, 4186, "01"));
    let Target::Rdm { rdms, subjects } = human.target else { panic!("not an RDM") };
    assert_eq!((rdms.dim(), subjects.len(), subjects[3].as_str()), ((4, 4186), 4, "subject 4"));
    let pooled = rdms.mean_axis(ndarray::Axis(0)).unwrap();
    let r = ventral_metrics::rdm_similarity(monkey.row(0), pooled.view()).unwrap();
    assert!((r - 0.438924).abs() < 1e-6, "man and monkey: {r}");
}
