//! Benchmarks of behaviour from cards and files: human ceilings of published trials, and what is wrong with a card.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Axis};
use ventral_data::{
    BehaviorMetric, Benchmark, Choices, Error, People, Target, load_benchmark, read_assembly,
};
use ventral_metrics::correlation::pearson;
use ventral_metrics::{Pattern, d_prime_pattern, rates_of_probabilities};

use crate::support::{fixture, golden, numbers, real_data};

/// Data set, conditions that do not count, and the ceiling that Brain-Score publishes (spec §8).
///
/// Left out are conditions without a manipulation and those where people name less than a fifth of the images rightly; with
/// all conditions the means are lower (contrast .349, uniform noise .361).
const PUBLISHED: [(&str, &[&str], f64); 17] = [
    ("colour", &["cr"], 0.41543),
    ("contrast", &["c100", "c03", "c01"], 0.43703),
    ("cue-conflict", &[], 0.33105),
    ("edge", &[], 0.31844),
    ("eidolonI", &["1-10-10", "64-10-10", "128-10-10"], 0.38634),
    ("eidolonII", &["1-3-10", "32-3-10", "64-3-10", "128-3-10"], 0.45402),
    ("eidolonIII", &["1-0-10", "16-0-10", "32-0-10", "64-0-10", "128-0-10"], 0.45953),
    ("false-colour", &["True"], 0.44405),
    ("high-pass", &["inf", "0.55", "0.45", "0.4"], 0.44014),
    ("low-pass", &["0", "15", "40"], 0.46888),
    ("phase-scrambling", &["0", "150", "180"], 0.44667),
    ("power-equalisation", &["0"], 0.51063),
    ("rotation", &["0"], 0.43851),
    ("silhouette", &[], 0.47571),
    ("sketch", &[], 0.36962),
    ("stylized", &[], 0.50058),
    ("uniform-noise", &["0.0", "0.6", "0.9"], 0.43406),
];

fn task(benchmark: &Benchmark) -> &ventral_data::Behavior {
    let Target::Behavior(behavior) = &benchmark.target else { panic!("not of behaviour") };
    behavior
}

/// Categories of the images of each data set in the archive, by the part of their names after the third underscore.
fn images_of(archive: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let file = fs::File::open(archive).expect("there");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut text = String::new();
        if !path.ends_with(".csv") || entry.read_to_string(&mut text).is_err() {
            continue;
        }
        let images = found.entry(path.split('/').nth(1).expect("a folder").to_owned()).or_default();
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let name = cells[7].splitn(4, '_').nth(3).expect("a name");
            images.insert(name.to_owned(), cells[5].to_owned());
        }
    }
    found
}

#[test]
fn ceilings_of_people_are_those_published_for_17_data_sets() {
    let Some(data) = std::env::var_os("VENTRAL_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
        return;
    };
    let archive = data.join("geirhos-behaviour/model-vs-human_raw-data.tar.gz");
    let images = images_of(&archive);
    let folder = tempfile::tempdir().expect("a folder");
    // What the images look like does not matter here.
    fs::copy(fixture("images/png_l.png"), folder.path().join("dot.png")).expect("copied");
    for (name, exclude, ceiling) in PUBLISHED {
        let rows = images[name].iter().map(|(id, category)| format!("{id},dot.png,{category}\n"));
        let table = format!("stimulus_id,filename,category\n{}", rows.collect::<String>());
        fs::write(folder.path().join("stimuli.csv"), table).expect("written");
        fs::write(folder.path().join("map.csv"), map_of(&images[name])).expect("written");
        let card = format!(
            "identifier = 'x'\nversion = '1'\nregion = 'behavior'\nkind = 'behavior'\n\
             [stimuli]\nformat = 'table'\ntable = 'stimuli.csv'\nfile = '.'\nallow_unused = true\n\
             [behavior]\ntruth = 'category'\n[decisions]\nfile = 'map.csv'\nrule = 'max'\n\
             [trials]\ndata = 'geirhos-behaviour/model-vs-human_raw-data.tar.gz'\npattern = 'raw-data/{name}/*.csv'\n\
             subject = 'subj'\nchoice = 'object_response'\ncondition = 'condition'\nstimulus = 'imagename'\nskip = 3\n\
             exclude = {exclude:?}\n[metric]\nname = 'error_consistency'\n[ceiling]\nsource = 'people'\nrule = 'ratio'\n"
        );
        let path = folder.path().join("benchmark.toml");
        fs::write(&path, card).expect("written");
        let benchmark = load_benchmark(&path, Some(&data)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = benchmark.ceiling.expect("a ceiling").value;
        assert!((found - ceiling).abs() < 5.1e-6, "{name}: {found}");
    }
}

fn map_of(images: &BTreeMap<String, String>) -> String {
    let mut categories: Vec<&String> = images.values().collect();
    categories.sort();
    categories.dedup();
    let rows = categories.iter().enumerate().map(|(index, category)| format!("{index},{category}\n"));
    format!("index,category\n{}", rows.collect::<String>())
}

/// The model's side of i1 to o2 on published probabilities. Goldens by `scripts/goldens/probabilities.py`, which says what stands for the truth.
#[test]
fn patterns_of_published_probabilities_are_those_of_numpy() {
    let Some(data) = real_data() else { return };
    let folder = data.join("geirhos-behaviour/rajalingham2018_probabilities");
    let goldens = golden("probabilities.json");
    let truth: Vec<usize> = serde_json::from_value(goldens["truth"].clone()).expect("positions");
    let models = ["raj_alexnet.nc", "raj_resnet18.nc"].map(|name| {
        let values = read_assembly(&folder.join(name)).expect("readable").values;
        rates_of_probabilities(values.index_axis(Axis(2), 0), &truth).expect("rates")
    });
    let near = |found: f64, expected: f64, what: &str| {
        let same =
            found.is_nan() && expected.is_nan() || (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
        assert!(same, "{what}: {found}, not {expected}");
    };
    for pattern in [Pattern::I1, Pattern::I1n, Pattern::I2, Pattern::I2n, Pattern::O1, Pattern::O2] {
        let name = format!("{pattern:?}").to_lowercase();
        let found =
            models.each_ref().map(|rates| d_prime_pattern(rates.view(), &truth, pattern).expect("d'"));
        for (d, expected) in found.iter().zip(goldens["patterns"][&name]["models"].as_array().expect("two")) {
            let first = numbers(&expected["first"]);
            d.iter().zip(first).for_each(|(&d, expected)| near(d, expected, &name));
            let finite = || d.iter().filter(|d| !d.is_nan());
            near(finite().sum(), expected["sum"].as_f64().expect("a sum"), &name);
            near(finite().map(|d| d * d).sum(), expected["squares"].as_f64().expect("a sum"), &name);
        }
        let both: Vec<(f64, f64)> = found[0]
            .iter()
            .copied()
            .zip(found[1].iter().copied())
            .filter(|(a, b)| !(a + b).is_nan())
            .collect();
        let side = |of: fn(&(f64, f64)) -> f64| Array1::from_iter(both.iter().map(of));
        let r = pearson(side(|p| p.0).view(), side(|p| p.1).view()).expect("defined");
        near(r, goldens["patterns"][&name]["between"].as_f64().expect("r"), &name);
    }
}

/// A card and its files: four pictures, two to learn from, trials of two people.
struct Cards {
    folder: tempfile::TempDir,
}

const STIMULI: &str = "stimulus_id,filename,label,use,offset\na,dot.png,cat,fit,1\nb,dot.png,dog,fit,1\n\
                       c,dot.png,cat,test,1\nd,dot.png,dog,test,2\n";
const LABELS: &str = "subject,stimulus_id,choice\ns,c,cat\ns,d,cat\nt,c,dog\nt,d,dog\n";
const CHOICES: &str = "stimulus_id,sample_obj,dist_obj,choice\nc,cat,dog,cat\nd,dog,cat,cat\n";

impl Cards {
    fn new(trials: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::copy(fixture("images/png_l.png"), folder.path().join("dot.png")).expect("copied");
        for (name, text) in
            [("stimuli.csv", STIMULI), ("map.csv", "index,category\n0,cat\n1,dog\n"), ("trials.csv", trials)]
        {
            fs::write(folder.path().join(name), text).expect("written");
        }
        Self { folder }
    }

    fn load(&self, sections: &str) -> Result<Benchmark, Error> {
        let card = format!(
            "identifier = 'x'\nversion = '1'\nregion = 'behavior'\n[stimuli]\nformat = 'table'\ntable = 'stimuli.csv'\n\
             file = '.'\nallow_unused = true\n{sections}"
        );
        let path = self.folder.path().join("benchmark.toml");
        fs::write(&path, card).expect("written");
        load_benchmark(&path, None)
    }
}

const TRUTH: &str = "[behavior]\ntruth = 'label'\n";
const DECISIONS: &str = "[decisions]\nfile = 'map.csv'\nrule = 'mean'\nclasses = 2\n";
const DECODER: &str = "[decoder]\ncolumn = 'use'\nfit = 'fit'\n";
const TRIALS: &str = "[trials]\nfile = 'trials.csv'\n";

fn metric(name: &str) -> String {
    format!("[metric]\nname = '{name}'\n")
}

#[test]
fn a_panel_and_a_decoder_come_out_as_the_card_says() {
    let cards = Cards::new(LABELS);
    let benchmark =
        cards.load(&[TRUTH, DECISIONS, TRIALS, &metric("error_consistency")].concat()).expect("fine");
    let behavior = task(&benchmark);
    assert_eq!(
        (benchmark.stimuli.len(), &behavior.tested[..], &behavior.truth[..]),
        (2, &[0, 1][..], &[0, 1][..])
    );
    let Choices::Categories { map, .. } = &behavior.choices else { panic!("decisions") };
    assert_eq!((map.classes, &map.categories), (2, &vec![vec![0], vec![1]]));
    let People::Panel(panel) = &behavior.people else { panic!("a panel") };
    assert_eq!(panel.subjects.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);

    let cards = Cards::new(CHOICES);
    let benchmark = cards.load(&[TRUTH, DECODER, TRIALS, &metric("i2n")].concat()).expect("fine");
    let behavior = task(&benchmark);
    assert!(matches!(behavior.metric, BehaviorMetric::Pattern(ventral_metrics::Pattern::I2n)));
    assert_eq!((&behavior.tested[..], behavior.labels.len()), (&[2, 3][..], 2));
    let Choices::Decoder { fit, labels, c } = &behavior.choices else { panic!("a decoder") };
    assert_eq!((&fit[..], &labels[..], *c), (&[0, 1][..], &[0, 1][..], 1e-3));
    let People::Choices(choices) = &behavior.people else { panic!("choices") };
    assert_eq!(choices.trials.len(), 2);
    let digest = benchmark.digest().expect("readable");
    let other = cards.load(&[TRUTH, DECODER, "c = 1.0\n", TRIALS, &metric("i2n")].concat()).expect("fine");
    assert_ne!(digest, other.digest().expect("readable"), "the penalty is part of the identity");
}

#[test]
fn what_is_wrong_with_a_card_is_named() {
    let cards = Cards::new(LABELS);
    let kappa = metric("error_consistency");
    let cases: Vec<(String, &str)> = vec![
        ([TRUTH, DECISIONS, &kappa].concat(), "`trials`: is missing"),
        ([TRUTH, DECISIONS, DECODER, TRIALS, &kappa].concat(), "and [decoder] exclude each other"),
        ([DECISIONS, TRIALS, &kappa].concat(), "`behavior.truth`: is missing"),
        ([TRUTH, DECISIONS, TRIALS, &metric("i2n")].concat(), "`decisions`: has no meaning"),
        ([TRUTH, DECODER, TRIALS, &metric("i2n")].concat(), "no column `sample_obj`"),
        ([TRUTH, "scale = 2.0\n", DECISIONS, TRIALS, &kappa].concat(), "`behavior.scale`: has no meaning"),
        ([TRUTH, DECISIONS, TRIALS, "subject = 'who'\n", &kappa].concat(), "no column `who`"),
        ([TRUTH, DECISIONS, TRIALS, "skip = 3\n", &kappa].concat(), "fewer than 3 underscores"),
        (
            [TRUTH, DECISIONS, TRIALS, "condition = 'subject'\nexclude = ['u']\n", &kappa].concat(),
            "no condition `u`",
        ),
        (
            [TRUTH, "[decisions]\nfile = 'map.csv'\nrule = 'mean'\nclasses = 1\n", TRIALS, &kappa].concat(),
            "1 is none of the classes",
        ),
        ([TRUTH, DECODER, "c = 0.0\n", TRIALS, &kappa].concat(), "`decoder.c`"),
        (
            [TRUTH, "[decoder]\ncolumn = 'use'\nfit = 'train'\n", TRIALS, &kappa].concat(),
            "`decoder.fit`: is `train`, which no stimulus has in `use`; there are: fit, test",
        ),
        ([TRUTH, DECISIONS, TRIALS, &kappa, "[splits]\nscheme = 'shuffle'\n"].concat(), "`splits`"),
        ([TRUTH, DECISIONS, TRIALS, &metric("threshold")].concat(), "`behavior.variable`: is missing"),
        (
            [TRUTH, "[decisions]\nfile = 'map.csv'\nrule = 'mean'\nclasses = 0\n", TRIALS, &kappa].concat(),
            "`decisions.classes`: is 0",
        ),
        (
            [TRUTH, "by_condition = true\n", DECISIONS, TRIALS, &metric("accuracy_distance")].concat(),
            "`trials.condition`: is missing",
        ),
        (
            [TRUTH, DECODER, TRIALS, "subject = 'subject'\n", &metric("i2n")].concat(),
            "`trials.subject`: has no meaning",
        ),
        (
            [
                TRUTH,
                DECISIONS,
                TRIALS,
                &metric("value_delta"),
                "[ceiling]\nsource = 'people'\nrule = 'ratio'\n",
            ]
            .concat(),
            "no ceiling from people",
        ),
    ];
    for (sections, expected) in cases {
        let error = cards.load(&sections).map(drop).expect_err(&sections).to_string();
        assert!(error.contains(expected), "{sections}\n{error}");
    }
    let shown = Cards::new("stimulus_id,sample_obj,dist_obj,choice\nc,dog,cat,cat\n");
    let error =
        shown.load(&[TRUTH, DECODER, TRIALS, &metric("i2n")].concat()).map(drop).expect_err("contradiction");
    assert!(error.to_string().contains("shows `dog`, the stimulus is `cat`"), "{error}");
}

#[test]
fn a_card_for_given_answers_alone_needs_neither_decisions_nor_a_decoder() {
    for (trials, name) in [(LABELS, "error_consistency"), (CHOICES, "i1"), (CHOICES, "o2")] {
        let cards = Cards::new(trials);
        let benchmark = cards.load(&[TRUTH, TRIALS, &metric(name)].concat()).expect(name);
        assert_eq!(task(&benchmark).tested, [0, 1]);
        let note = "only models with given probabilities";
        assert!(benchmark.notes.iter().any(|found| found.contains(note)), "{:?}", benchmark.notes);
    }
}

#[test]
fn fields_and_sections_without_a_meaning_are_refused() {
    let cards = Cards::new(LABELS);
    let kappa = metric("error_consistency");
    for (field, value) in [
        ("objects", "['a', 'b']"),
        ("triplet", "['a', 'b', 'c']"),
        ("threshold", "'threshold'"),
        ("baseline", "'baseline'"),
    ] {
        let sections = [TRUTH, DECISIONS, TRIALS, &format!("{field} = {value}\n"), &kappa].concat();
        let error = cards.load(&sections).map(drop).expect_err(&sections).to_string();
        assert!(error.contains(&format!("`trials.{field}`: has no meaning")), "{error}");
    }
    for (section, fields) in [
        ("time", "mode = 'mean'\nbins = [[70.0, 170.0]]\n"),
        ("pca", "[pca.images]\nformat = 'table'\nfile = '.'\ntable = 'stimuli.csv'\n"),
        ("neuroids", "select = ['n1']\n"),
        ("assembly", "format = 'nc'\n"),
    ] {
        let sections = [TRUTH, DECISIONS, TRIALS, &kappa, &format!("[{section}]\n{fields}")].concat();
        let error = cards.load(&sections).map(drop).expect_err(&sections).to_string();
        assert!(error.contains(&format!("`{section}`: has no meaning")), "{error}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let cards = Cards::new(LABELS);
    for scale in ["0.0", "-1.0", "inf", "nan"] {
        let sections =
            [TRUTH, &format!("scale = {scale}\n"), DECISIONS, TRIALS, &metric("value_delta")].concat();
        let error = cards.load(&sections).map(drop).expect_err(&sections).to_string();
        assert!(error.contains("`behavior.scale`: is ") && error.contains("above zero"), "{error}");
    }
    for level in ["0.5", "1.0", "75.0", "nan"] {
        let more = format!("variable = 'offset'\nlevel = {level}\n");
        let sections = [TRUTH, &more, DECISIONS, TRIALS, &metric("threshold")].concat();
        let error = cards.load(&sections).map(drop).expect_err(&sections).to_string();
        assert!(error.contains("`behavior.level`: is ") && error.contains("between 0.5"), "{error}");
    }
}

#[test]
fn impossible_trials_are_refused() {
    for (row, expected) in [
        ("d,dog,cat,bird", "`bird`, which is neither `dog` nor `cat`"),
        ("d,dog,dog,dog", "row 2 has `dog` as both objects"),
    ] {
        let cards = Cards::new(&format!("stimulus_id,sample_obj,dist_obj,choice\nc,cat,dog,cat\n{row}\n"));
        let error = cards.load(&[TRUTH, DECODER, TRIALS, &metric("i2n")].concat()).map(drop);
        let error = error.expect_err(row).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn rows_of_excluded_conditions_do_not_count() {
    let excluding = [TRIALS, "condition = 'condition'\nexclude = ['practice']\n"].concat();
    let cards = Cards::new("odd,a,b,condition\na,b,c,practice\nb,c,d,test\nnobody,c,d,practice\n");
    let benchmark = cards.load(&[&excluding, &metric("odd_one_out")[..]].concat()).expect("fine");
    let People::Triplets(triplets) = &task(&benchmark).people else { panic!("triplets") };
    assert_eq!(
        triplets.iter().map(|triplet| (triplet.odd, triplet.alike)).collect::<Vec<_>>(),
        [(1, [2, 3])]
    );

    let cards = Cards::new(
        "threshold,baseline,condition\n0.0,1.0,practice\n2.0,1.0,test\n6.0,0.0,practice\n9.0,2.0,test\n",
    );
    let elevation = [TRUTH, "variable = 'offset'\nbaseline = ['offset', '2']\n", DECISIONS, &excluding];
    let thresholds = |sections: &[&str]| {
        let benchmark = cards.load(&sections.concat()).expect("fine");
        let People::Thresholds(thresholds) = &task(&benchmark).people else { panic!("thresholds") };
        thresholds.clone()
    };
    assert_eq!(thresholds(&[&elevation.concat(), &metric("threshold_elevation")]), [2.0, 4.5]);
    let plain = [TRUTH, "variable = 'offset'\nlevel = 0.75\n", DECISIONS, &excluding].concat();
    assert_eq!(thresholds(&[&plain, &metric("threshold")]), [2.0, 9.0]);
}
