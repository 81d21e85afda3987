//! Neural metrics from cards and files: time bins, models with time, groups, reverse and test-only metrics, principal components.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, Axis, s};
use tempfile::TempDir;
use ventral_data::{Assembly, Table, Values, write_assembly};
use ventral_metrics::{
    CkaEstimator, LayerGram, Regression, Repeats, ReversePredictivity, Share, Split, SplitScores,
    TileConsumer, cka_scores, grouped_regression_scores, internal_consistency, principal_components, rdm_of,
    rdm_scores, regression_scores, ridge_alphas, shuffle_split, span_time_scores, stratified_shuffle_split,
};
use ventral_plan::{JobSpec, Plan};
use ventral_store::{ScoreRecord, Store};
use ventral_worker::{Job, measure, run};

use crate::{Silent, root, stimulus_ids};

const STIMULI: usize = 60;
const UNITS: usize = 40;
const NEUROIDS: usize = 8;
const REPETITIONS: usize = 4;
const BINS: [[f64; 2]; 3] = [[0.0, 50.0], [50.0, 100.0], [100.0, 150.0]];

/// Uniform in [0, 1), the same for the same place.
fn noise(i: usize, j: usize, stream: usize) -> f64 {
    let mut h = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ (j as u64 + 1).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    h ^= (stream as u64).wrapping_mul(0x1656_67B1_9E37_79F9);
    h = (h ^ h >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    h = (h ^ h >> 32).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((h ^ h >> 31) >> 11) as f64 / (1u64 << 53) as f64
}

/// Sorted identifiers of every fifth stimulus of the demo: all categories.
fn ids() -> Vec<String> {
    let mut ids: Vec<String> = stimulus_ids().into_iter().step_by(5).take(STIMULI).collect();
    ids.sort();
    ids
}

/// Bins x stimuli by units; as 32-bit numbers, which activations are.
fn features(bins: usize) -> Array2<f64> {
    Array2::from_shape_fn((bins * STIMULI, UNITS), |(row, unit)| {
        let (bin, stimulus) = (row / STIMULI, row % STIMULI);
        let moving = if bins > 1 { noise(stimulus, unit, 10 + bin) } else { 0.0 };
        f64::from((noise(stimulus, unit, 1) + 0.5 * moving) as f32)
    })
}

/// Repetition x stimulus x (bins x neuroids).
fn recordings() -> Array3<f64> {
    let drive = features(1).dot(&Array2::from_shape_fn((UNITS, NEUROIDS), |(u, k)| noise(u, k, 2) - 0.5));
    Array3::from_shape_fn((REPETITIONS, STIMULI, BINS.len() * NEUROIDS), |(r, i, column)| {
        let (bin, k) = (column / NEUROIDS, column % NEUROIDS);
        drive[[i, k]] * (1.0 + bin as f64) + (1.0 + k as f64 * 0.3) * noise(r * 1000 + i, column, 3)
    })
}

fn averaged() -> Array2<f64> {
    recordings().mean_axis(Axis(0)).expect("repetitions")
}

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a directory"));
        bench.write_recordings();
        bench.write_model("still", features(1), &[]);
        bench.write_model("moving", features(3), &BINS.map(|[start, end]| (start, end)));
        bench
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write_recordings(&self) {
        let (values, ids) = (recordings(), ids());
        let mut presentation = Table::new(REPETITIONS * STIMULI);
        let repeated = |f: &dyn Fn(usize, usize) -> String| {
            let rows = (0..REPETITIONS).flat_map(|r| (0..STIMULI).map(move |i| (r, i)));
            Values::Text(rows.map(|(r, i)| f(r, i)).collect())
        };
        presentation.push("stimulus_id", repeated(&|_, i| ids[i].clone())).expect("a column");
        let part = |i: usize| if i >= 45 { "test" } else { "train" };
        presentation.push("part", repeated(&|_, i| part(i).to_owned())).expect("a column");
        presentation.push("repetition", repeated(&|r, _| r.to_string())).expect("a column");
        let mut neuroid = Table::new(NEUROIDS);
        let names = (0..NEUROIDS).map(|k| format!("n{k}")).collect();
        neuroid.push("neuroid_id", Values::Text(names)).expect("a column");
        let subject = (0..NEUROIDS).map(|k| if k < 3 { "ann" } else { "bob" }.to_owned()).collect();
        neuroid.push("subject", Values::Text(subject)).expect("a column");
        let assembly = Assembly {
            identifier: "timed".into(),
            values: Array3::from_shape_fn((REPETITIONS * STIMULI, NEUROIDS, BINS.len()), |(row, k, bin)| {
                values[[row / STIMULI, row % STIMULI, bin * NEUROIDS + k]]
            }),
            presentation,
            neuroid,
            time_bins: BINS.map(|[start, end]| (start, end)).to_vec(),
            neuroid_axis: "neuroid".into(),
            extra_groups: Vec::new(),
        };
        write_assembly(&self.path().join("timed.nc"), &assembly).expect("written");
    }

    fn write_model(&self, name: &str, values: Array2<f64>, bins: &[(f64, f64)]) {
        let directory = self.path().join(name);
        fs::create_dir_all(&directory).expect("writable");
        let mut presentation = Table::new(STIMULI);
        presentation.push("stimulus_id", Values::Text(ids())).expect("a column");
        let mut neuroid = Table::new(UNITS);
        neuroid.push("layer", Values::Text(vec!["all".into(); UNITS])).expect("a column");
        let assembly = Assembly {
            identifier: name.into(),
            values: Array3::from_shape_fn((STIMULI, UNITS, bins.len().max(1)), |(i, unit, bin)| {
                values[[bin * STIMULI + i, unit]]
            }),
            presentation,
            neuroid,
            time_bins: bins.to_vec(),
            neuroid_axis: "neuroid".into(),
            extra_groups: Vec::new(),
        };
        write_assembly(&directory.join("a.nc"), &assembly).expect("written");
        let card = format!("identifier = '{name}'\n[activations]\nfile = 'a.nc'\n");
        fs::write(directory.join("model.toml"), card).expect("writable");
    }

    /// Writes a card with these sections after the common ones.
    fn card(&self, name: &str, sections: &str) -> PathBuf {
        let demo = root().join("examples/demo").canonicalize().expect("the demo");
        for file in ["stimulus_demo.csv", "stimulus_demo.zip"] {
            fs::copy(demo.join(file), self.path().join(file)).expect("copied");
        }
        let directory = self.path().join("cards").join(name);
        fs::create_dir_all(&directory).expect("writable");
        let text = format!(
            "identifier = '{name}'\nversion = '1'\nregion = 'IT'\n\
             [stimuli]\nformat = 'table'\ntable = 'stimulus_demo.csv'\nfile = '../../stimulus_demo.zip'\nallow_unused = true\n\
             [assembly]\nformat = 'nc'\nfile = '../../timed.nc'\nignore = []\n{sections}"
        );
        fs::write(directory.join("benchmark.toml"), text).expect("writable");
        directory
    }

    fn job(&self, model: &str, card: &Path) -> Result<Job, ventral_worker::Error> {
        let text = format!(
            "name = 'test'\nmodels = ['{model}']\nbenchmarks = [{card:?}]\n[features]\nprecision = 'f64'\n"
        );
        let spec = JobSpec::from_toml(&text, "test.toml").expect("a spec");
        Job::load(spec, &self.path().join("test.toml"), None, measure(Some(4 << 30)))
    }

    /// The scores of the model's one layer, and the plan.
    fn scores(&self, model: &str, name: &str, sections: &str) -> (SplitScores, Plan) {
        let job = self.job(model, &self.card(name, sections)).expect("a job");
        let store = Store::open(self.path().join("store")).expect("a store");
        let report = run(&job, &store, &Silent).expect("a run");
        assert_eq!(report.failures, [], "{name}");
        let bytes = store.get(&job.plan.scores[0].digest).expect("readable").expect("stored");
        let again = run(&job, &store, &Silent).expect("a run");
        assert_eq!(again.usage.computed, 0, "{name} is computed twice");
        (ScoreRecord::decode(&bytes).expect("a score").scores, job.plan)
    }

    fn refusal(&self, sections: &str) -> String {
        let error = self.job("still", &self.card("refused", sections)).err().expect("refused");
        error.to_string()
    }
}

fn gram(bins: usize) -> LayerGram {
    LayerGram::from_features(features(bins).view()).expect("a Gram matrix")
}

fn splits() -> Vec<Split> {
    shuffle_split(STIMULI, 3, 0.8, 1).expect("splits")
}

fn of_bin(bin: usize) -> Array2<f64> {
    averaged().slice(s![.., bin * NEUROIDS..(bin + 1) * NEUROIDS]).to_owned()
}

fn assert_same(found: &Array2<f64>, expected: &Array2<f64>, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    let largest = (found - expected).iter().fold(0.0_f64, |max, d| max.max(d.abs()));
    assert!(largest < 1e-9, "{what}: {largest}");
}

const SPLITS: &str = "[splits]\nscheme = 'shuffle'\ncount = 3\ntrain_size = 0.8\n";

#[test]
fn every_way_to_treat_time_bins() {
    let bench = Bench::new();
    let pls = Regression::Pls { components: 5 };
    let section =
        |mode: &str| format!("[metric]\nname = 'pls'\ncomponents = 5\n{SPLITS}[time]\nmode = '{mode}'\n");
    let plain =
        |y: &Array2<f64>| regression_scores(&pls, &gram(1), y.view(), &splits()).expect("scores").values;

    let (each, plan) = bench.scores("still", "each", &section("each"));
    let expected: Vec<Array2<f64>> = (0..3).map(|bin| plain(&of_bin(bin))).collect();
    let views: Vec<_> = expected.iter().map(|part| part.view()).collect();
    assert_same(&each.values, &ndarray::concatenate(Axis(1), &views).expect("columns"), "each");
    let parts = &plan.benchmarks[0].variant.parts;
    assert_eq!(
        parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(),
        ["0-50 ms", "50-100 ms", "100-150 ms"]
    );
    assert_eq!(parts[1].columns, (8..16).collect::<Vec<_>>());

    let (span, _) = bench.scores("still", "span", &section("span"));
    let expected = span_time_scores(&pls, &gram(1), averaged().view(), 3, &splits()).expect("scores");
    assert_same(&span.values, &expected.values, "span");

    let (mean, plan) = bench.scores("still", "mean", &section("mean"));
    let y = (of_bin(0) + of_bin(1) + of_bin(2)) / 3.0;
    assert_same(&mean.values, &plain(&y), "mean");
    assert!(plan.benchmarks[0].variant.parts.is_empty());

    let (flat, plan) = bench.scores("still", "flatten", &section("flatten"));
    let order: Vec<usize> = (0..NEUROIDS).flat_map(|k| (0..3).map(move |bin| bin * NEUROIDS + k)).collect();
    assert_same(&flat.values, &plain(&averaged().select(Axis(1), &order)), "flatten");
    assert_eq!(plan.benchmarks[0].targets, 24);

    let late = section("mean") + "from = 50\nto = 100\n";
    assert_same(&bench.scores("still", "late", &late).0.values, &plain(&of_bin(1)), "one bin of three");
    let one = "[metric]\nname = 'pls'\ncomponents = 5\n".to_owned() + SPLITS;
    let card = bench.card("one", &one);
    let path = card.join("benchmark.toml");
    let text = fs::read_to_string(&path).expect("a card").replace("ignore = []", "time_bin = [50.0, 100.0]");
    fs::write(&path, text).expect("writable");
    let job = bench.job("still", &card).expect("a job");
    assert_ne!(job.plan.scores[0].digest, plan.scores[0].digest);
}

#[test]
fn a_model_with_time_is_aligned_to_the_recording() {
    let bench = Bench::new();
    let ridge = Regression::Ridge { alpha: 1.0 };
    let section = |mode: &str| format!("[metric]\nname = 'ridge'\n{SPLITS}[time]\nmode = '{mode}'\n");
    let (span, plan) = bench.scores("moving", "span", &section("span"));
    let expected = span_time_scores(&ridge, &gram(3), averaged().view(), 3, &splits()).expect("scores");
    assert_same(&span.values, &expected.values, "span");
    assert_eq!(plan.models[0].time_bins, BINS);

    let (each, _) = bench.scores("moving", "each", &section("each"));
    for bin in 0..3 {
        let rows: Vec<usize> = (bin * STIMULI..(bin + 1) * STIMULI).collect();
        let block = gram(3).select(&rows).expect("rows");
        let expected = regression_scores(&ridge, &block, of_bin(bin).view(), &splits()).expect("scores");
        let columns = s![.., bin * NEUROIDS..(bin + 1) * NEUROIDS];
        assert_same(&each.values.slice(columns).to_owned(), &expected.values, "each");
    }

    // From 50 to 150 ms the model's second and third bin count half each.
    let (mean, _) = bench.scores("moving", "mean", &(section("mean") + "from = 50\n"));
    let x = features(3);
    let x = (&x.slice(s![STIMULI..2 * STIMULI, ..]) + &x.slice(s![2 * STIMULI.., ..])) / 2.0;
    let gram = LayerGram::from_features(x.view()).expect("a Gram matrix");
    let y = (of_bin(1) + of_bin(2)) / 2.0;
    let expected = regression_scores(&ridge, &gram, y.view(), &splits()).expect("scores");
    assert_same(&mean.values, &expected.values, "mean");

    let nearest = format!("[metric]\nname = 'neuron_to_neuron'\n{SPLITS}[time]\nmode = 'mean'\nfrom = 50\n");
    let (nearest, _) = bench.scores("moving", "nearest", &nearest);
    let mut metric = ventral_metrics::NeuronToNeuron::new(y.view(), &splits()).expect("a metric");
    metric.push(0, x.view()).expect("a tile");
    assert_same(&nearest.values, &metric.finish().expect("scores").values, "tiles");
}

#[test]
fn subjects_have_penalties_and_ceilings_of_their_own() {
    let bench = Bench::new();
    let sections = "[metric]\nname = 'ridge_cv'\ngroups = 'subject'\n\
        [splits]\nscheme = 'fixed'\ncolumn = 'part'\ntest = 'test'\n\
        [ceiling]\nsource = 'internal_consistency'\nrule = 'r2_over_c'\ntest_only = true\n\
        [time]\nmode = 'mean'\nto = 50\n";
    let (found, plan) = bench.scores("still", "subjects", sections);
    let split = [Split { train: (0..45).collect(), test: (45..60).collect() }];
    let ridge_cv = Regression::RidgeCv { alphas: ridge_alphas() };
    let groups = [vec![0, 1, 2], vec![3, 4, 5, 6, 7]];
    let expected =
        grouped_regression_scores(&ridge_cv, &gram(1), of_bin(0).view(), &split, &groups).expect("scores");
    assert_same(&found.values, &expected.values, "scores");
    assert_eq!(found.alphas, expected.alphas);
    let variant = &plan.benchmarks[0].variant;
    assert_eq!(variant.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["ann", "bob"]);
    let cube = recordings().slice(s![.., 45.., ..NEUROIDS]).to_owned();
    let ceiling = internal_consistency(Repeats { values: cube.view() }, 10, 1).expect("a ceiling");
    for (part, group) in variant.parts.iter().zip(&groups) {
        let of_split = |row: ndarray::ArrayView1<'_, f64>| {
            let own: Vec<f64> = group.iter().map(|&k| row[k]).collect();
            ventral_metrics::statistics::median(&own)
        };
        let medians: Vec<f64> = ceiling.splits.rows().into_iter().map(of_split).collect();
        let expected = ventral_metrics::statistics::mean(&medians);
        assert!((part.ceiling.expect("a ceiling") - expected).abs() < 1e-12);
    }
}

#[test]
fn features_are_predicted_in_two_passes() {
    let bench = Bench::new();
    for (name, parameter, regression) in [
        ("reverse_pls", "components = 6\n", Regression::Pls { components: 6 }),
        ("reverse_ridge", "alpha = 2.0\n", Regression::Ridge { alpha: 2.0 }),
        ("reverse_linear", "", Regression::Linear),
    ] {
        let sections = format!(
            "[metric]\nname = '{name}'\n{parameter}{SPLITS}[ceiling]\nsource = 'predictor_consistency'\nrule = 'ratio'\n[time]\nmode = 'mean'\n"
        );
        let (found, plan) = bench.scores("still", name, &sections);
        let y = (of_bin(0) + of_bin(1) + of_bin(2)) / 3.0;
        let mut metric =
            ReversePredictivity::new(&regression, y.view(), &splits(), Some(&gram(1))).expect("a metric");
        metric.push(0, features(1).mapv(|v| v as f32).view()).expect("a tile");
        assert_same(&found.values, &metric.finish().expect("scores").values, name);
        let ceiling = plan.benchmarks[0].ceiling.expect("a ceiling").value;
        assert!(ceiling > 0.5 && ceiling < 1.0, "{ceiling}");
    }
}

#[test]
fn similarities_on_the_test_stimuli_of_splits() {
    let bench = Bench::new();
    let tail = "[splits]\nscheme = 'stratified'\nstratify = 'category_name'\ntest_size = 0.8\ncount = 4\n[time]\nmode = 'mean'\nto = 50\n";
    let labels: Vec<String> =
        ids().iter().map(|id| id.split('_').next().unwrap_or_default().to_owned()).collect();
    let splits = stratified_shuffle_split(&labels, 4, Share::Test(0.8), 1).expect("splits");
    let (found, _) = bench.scores("still", "rdm", &format!("[metric]\nname = 'rdm'\n{tail}"));
    let expected =
        rdm_scores(&gram(1), rdm_of(of_bin(0).view()).insert_axis(Axis(0)).view(), &splits).expect("scores");
    assert_same(&found.values, &expected.values, "rdm");
    let (found, _) = bench.scores("still", "cka", &format!("[metric]\nname = 'cka'\n{tail}"));
    let target = LayerGram::from_features(of_bin(0).view()).expect("a Gram matrix");
    let expected = cka_scores(&gram(1), &target, CkaEstimator::Unbiased, &splits).expect("scores");
    assert_same(&found.values, &expected.values, "cka");
    let each = "[metric]\nname = 'rdm'\n[time]\nmode = 'each'\n";
    let (found, plan) = bench.scores("still", "each-rdm", each);
    assert_eq!(found.values.dim(), (1, 3));
    assert_eq!(plan.benchmarks[0].variant.parts[2].columns, [2]);
}

#[test]
fn subjects_of_a_recording_are_scored_one_by_one() {
    let bench = Bench::new();
    let tail =
        "[ceiling]\nsource = 'rsa'\nsubjects = 'subject'\nrule = 'ratio'\n[time]\nmode = 'mean'\nto = 50\n";
    let (found, plan) = bench.scores("still", "subjects", &format!("[metric]\nname = 'rdm'\n{tail}"));
    let y = of_bin(0);
    let own: Vec<f64> = [0..3, 3..NEUROIDS]
        .map(|columns| {
            let target = rdm_of(y.slice(s![.., columns]));
            rdm_scores(&gram(1), target.insert_axis(Axis(0)).view(), &[]).expect("a score").values[[0, 0]]
        })
        .to_vec();
    assert_same(&found.values, &Array2::from_shape_vec((1, 2), own).expect("two"), "subjects");
    let facts = &plan.benchmarks[0];
    assert_eq!(facts.neuroids, ["ann", "bob"]);
    assert!(facts.variant.subjects && facts.ceiling.is_some());
    let splits = "[splits]\nscheme = 'shuffle'\ncount = 4\ntest_size = 0.8\n";
    let (found, _) =
        bench.scores("still", "subjects-splits", &format!("[metric]\nname = 'rdm'\n{splits}{tail}"));
    assert_eq!(found.values.dim(), (4, 2));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let bench = Bench::new();
    let pls = "[metric]\nname = 'pls'\ncomponents = 5\n";
    for (sections, field) in [
        (format!("{pls}{SPLITS}"), "assembly.time_bin"),
        (format!("{pls}{SPLITS}[time]\nmode = 'mean'\nfrom = 200\n"), "time"),
        (format!("{pls}groups = 'subject'\n{SPLITS}[time]\nmode = 'each'\n"), "metric.groups"),
        (format!("{pls}groups = 'animal'\n{SPLITS}[time]\nmode = 'mean'\n"), "metric.groups"),
        ("[metric]\nname = 'rdm'\ngroups = 'subject'\n[time]\nmode = 'mean'\n".to_owned(), "metric.groups"),
        (format!("[metric]\nname = 'reverse_pls'\n{SPLITS}[time]\nmode = 'each'\n"), "metric.name"),
        ("[metric]\nname = 'rdm'\n[time]\nmode = 'span'\n".to_owned(), "time.mode"),
        (format!("{pls}{SPLITS}test_size = 0.5\n[time]\nmode = 'mean'\n"), "splits.test_size"),
        (
            format!(
                "{pls}[splits]\nscheme = 'fixed'\ncolumn = 'part'\ntest = 'nobody'\n[time]\nmode = 'mean'\n"
            ),
            "splits.test",
        ),
        (
            format!(
                "{pls}[splits]\nscheme = 'fixed'\ncolumn = 'parts'\ntest = 'test'\n[time]\nmode = 'mean'\n"
            ),
            "splits.column",
        ),
        (
            format!(
                "{pls}{SPLITS}[ceiling]\nsource = 'internal_consistency'\nrule = 'ratio'\ntest_only = true\n[time]\nmode = 'mean'\n"
            ),
            "ceiling.test_only",
        ),
        (
            "[metric]\nname = 'rdm'\n[ceiling]\nsource = 'rsa'\nrule = 'ratio'\n[time]\nmode = 'mean'\n"
                .to_owned(),
            "ceiling.subjects",
        ),
        (
            "[metric]\nname = 'rdm'\n[ceiling]\nsource = 'rsa'\nsubjects = 'subject'\nrule = 'ratio'\n[time]\nmode = 'each'\n"
                .to_owned(),
            "time.mode",
        ),
        (
            "[metric]\nname = 'cka'\n[ceiling]\nsource = 'rsa'\nsubjects = 'subject'\nrule = 'ratio'\n[time]\nmode = 'mean'\n"
                .to_owned(),
            "ceiling.source",
        ),
        (
            format!("{pls}{SPLITS}[time]\nmode = 'each'\n[neuroids]\nexclude_constant = true\n"),
            "neuroids.exclude_constant",
        ),
    ] {
        let error = bench.refusal(&sections);
        assert!(error.contains(field), "{field}: {error}");
    }
}

#[test]
fn features_are_reduced_to_principal_components_of_other_images() {
    let bench = Bench::new();
    let demo = root().join("examples/demo/models/convnet_trained").canonicalize().expect("a model");
    let pca = |name: &str, components: usize, extra: &str| {
        let sections = format!(
            "[metric]\nname = 'pls'\ncomponents = 5\n{SPLITS}[time]\nmode = 'mean'\n\
             [pca]\ncomponents = {components}\nimages = {{ format = 'zip', file = '../../stimulus_demo.zip', pattern = 'fruit_*' {extra} }}\n"
        );
        bench.card(name, &sections)
    };
    let spec = |cards: &str| {
        let text = format!(
            "name = 'test'\nmodels = [{demo:?}]\nbenchmarks = [{cards}]\n[layers]\nconvnet_trained = ['block4']\n[features]\nprecision = 'f64'\nkeep_grams = true\n"
        );
        JobSpec::from_toml(&text, "test.toml").expect("a spec")
    };
    let load =
        |cards: &str| Job::load(spec(cards), &bench.path().join("test.toml"), None, measure(Some(4 << 30)));
    let reduced = pca("reduced", 12, "");
    let job = load(&format!("{reduced:?}")).expect("a job");
    let store = Store::open(bench.path().join("store")).expect("a store");
    assert_eq!(run(&job, &store, &Silent).expect("a run").failures, []);
    let facts = &job.plan.benchmarks[0];
    assert_eq!(facts.variant.components, Some(12));
    let images = facts.stimulus_count - STIMULI;
    assert!(images >= 12, "{images}");
    let unit = &job.plan.scores[0];
    let gram = store.get(&unit.gram).expect("readable").expect("stored");
    let gram = ventral_store::LayerGramRecord::decode(&gram).expect("a Gram matrix").0;
    let (rows, fit): (Vec<usize>, Vec<usize>) = (0..gram.stimuli()).partition(|&row| row < STIMULI);
    let gram = principal_components(&gram, &fit, &rows, 12).expect("components");
    let y = (of_bin(0) + of_bin(1) + of_bin(2)) / 3.0;
    let expected =
        regression_scores(&Regression::Pls { components: 5 }, &gram, y.view(), &splits()).expect("scores");
    let found = store.get(&unit.digest).expect("readable").expect("stored");
    assert_same(&ScoreRecord::decode(&found).expect("a score").scores.values, &expected.values, "reduced");
    let many = pca("many", 5000, "");
    let error = load(&format!("{many:?}")).err().expect("refused").to_string();
    assert!(error.contains("pca.components"), "{error}");
    let shown = pca("shown", 12, ", degrees = 4.0");
    let error = load(&format!("{shown:?}")).err().expect("refused").to_string();
    assert!(error.contains("pca.images"), "{error}");
}
