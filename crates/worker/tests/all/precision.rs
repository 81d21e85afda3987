//! In which precision a score is computed, whatever is asked for.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::Array2;
use safetensors::tensor::{Dtype, TensorView};
use ventral_metrics::{LayerGram, Precision, Regression, Split, regression_scores};
use ventral_plan::{BenchmarkFacts, Consumes, Digest, JobSpec, cost};
use ventral_store::{ScoreRecord, Store};
use ventral_worker::{Job, measure, peak_memory_bytes, run};

use crate::{Silent, feature, root, stimulus_ids};

/// More than a tile.
const FEATURES: usize = 2100;

/// A model of given activations whose first feature is `first` times as large as the others.
fn model(directory: &Path, scale: f32, first: f32) -> PathBuf {
    let directory = directory.join(format!("model{scale}-{first}"));
    fs::create_dir_all(&directory).expect("writable");
    let ids = stimulus_ids();
    let factor = |unit: usize| if unit == 0 { scale * first } else { scale };
    let values = ids.iter().flat_map(|id| (0..FEATURES).map(move |unit| feature(id, unit) * factor(unit)));
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    let view = TensorView::new(Dtype::F32, vec![ids.len(), FEATURES], &bytes).expect("a tensor");
    let names = serde_json::to_string(&ids).expect("text");
    let metadata = HashMap::from([("stimulus_id".to_owned(), names)]);
    let file = safetensors::serialize([("layer", view)], Some(metadata)).expect("a file");
    fs::write(directory.join("a.safetensors"), file).expect("writable");
    let card = "identifier = 'given'\n[activations]\nfile = 'a.safetensors'\n";
    fs::write(directory.join("model.toml"), card).expect("writable");
    directory
}

/// The demo's IT with another metric.
fn benchmark(directory: &Path, metric: &str) -> PathBuf {
    let demo = root().join("examples/demo");
    for file in ["assy_demo_it.nc", "stimulus_demo.csv", "stimulus_demo.zip"] {
        fs::copy(demo.join(file), directory.join(file)).expect("a copy");
    }
    let text = fs::read_to_string(demo.join("benchmarks/it/benchmark.toml")).expect("a card");
    let text = text
        .replace("DemoIT-pls", &format!("DemoIT-{metric}"))
        .replace("name = \"pls\"\ncomponents = 25", &format!("name = \"{metric}\""));
    let directory = directory.join("benchmarks").join(metric);
    fs::create_dir_all(&directory).expect("writable");
    fs::write(directory.join("benchmark.toml"), text).expect("writable");
    directory
}

/// Why the one score of a job failed.
fn failure(model: &Path, benchmark: &Path, asked: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let job = job(directory.path(), model, &[benchmark], asked);
    let store = Store::open(directory.path()).expect("a store");
    run(&job, &store, &Silent).expect("a run").failures.remove(0).reason
}

fn job(directory: &Path, model: &Path, benchmarks: &[&Path], asked: &str) -> Job {
    let text = format!(
        "name = 'test'\nmodels = [{model:?}]\nbenchmarks = {benchmarks:?}\n[features]\nprecision = '{asked}'\n"
    );
    let spec = JobSpec::from_toml(&text, "test.toml").expect("a spec");
    Job::load(spec, &directory.join("test.toml"), None, measure(Some(4 << 30))).expect("a job")
}

/// Precision and r of every score of a job, in the order of the benchmarks.
fn scored(model: &Path, benchmarks: &[&Path], asked: &str) -> Vec<(Option<Precision>, Array2<f64>)> {
    let directory = tempfile::tempdir().expect("a directory");
    let job = job(directory.path(), model, benchmarks, asked);
    let store = Store::open(directory.path()).expect("a store");
    assert_eq!(run(&job, &store, &Silent).expect("a run").failures, []);
    let read = |digest| {
        let bytes = store.get(digest).expect("readable").expect("stored");
        let record = ScoreRecord::decode(&bytes).expect("a score");
        (record.precision, record.scores.values)
    };
    job.plan.scores.iter().map(|unit| read(&unit.digest)).collect()
}

fn apart(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).fold(0.0, |max, x| max.max(x.abs()))
}

#[test]
fn a_layer_is_read_again_in_64_bit_where_32_are_too_coarse() {
    let directory = tempfile::tempdir().expect("a directory");
    let pls = benchmark(directory.path(), "pls");
    // As they are; one feature far above the others; products beyond the range of 32 bit; products below it.
    let cases = [
        (1.0, 1.0, Precision::F32),
        (1.0, 1e4, Precision::F64),
        (1e22, 1.0, Precision::F64),
        (1e-23, 1.0, Precision::F64),
    ];
    for (scale, first, expected) in cases {
        let model = model(directory.path(), scale, first);
        let (single, double) = (scored(&model, &[&pls], "f32"), scored(&model, &[&pls], "f64"));
        assert_eq!(single[0].0, Some(expected), "{scale} {first}");
        let error = apart(&single[0].1, &double[0].1);
        assert!(
            if expected == Precision::F64 { error == 0.0 } else { error < 1e-6 },
            "{scale} {first}: {error:e}"
        );
    }
}

#[test]
fn metrics_that_solve_are_in_64_bit_whatever_else_is_in_the_job() {
    let directory = tempfile::tempdir().expect("a directory");
    let metrics = ["pls", "linear", "ridge", "rdm"];
    let cards: Vec<PathBuf> = metrics.iter().map(|metric| benchmark(directory.path(), metric)).collect();
    let model = model(directory.path(), 1.0, 1.0);
    let all: Vec<&Path> = cards.iter().map(PathBuf::as_path).collect();
    let together = scored(&model, &all, "f32");
    for (index, metric) in metrics.iter().enumerate() {
        let solves = matches!(*metric, "linear" | "ridge");
        let expected = if solves { Precision::F64 } else { Precision::F32 };
        assert_eq!(together[index].0, Some(expected), "{metric}");
        assert_eq!(scored(&model, &[all[index]], "f32")[0], together[index], "{metric} alone");
        if solves {
            assert_eq!(scored(&model, &[all[index]], "f64")[0], together[index], "{metric} in f64");
        }
    }
}

/// Activations of 64 bit, of which 32 bit lose what tells stimuli apart; `largest` is one value among them.
fn double_model(directory: &Path, features: usize, largest: f64) -> PathBuf {
    let directory = directory.join(format!("double{features}-{largest}"));
    fs::create_dir_all(&directory).expect("writable");
    let ids = stimulus_ids();
    let value = |id: &str, unit: usize| 1e6 + 1e-3 * f64::from(feature(id, unit));
    let mut values: Vec<f64> =
        ids.iter().flat_map(|id| (0..features).map(move |unit| value(id, unit))).collect();
    if largest > 0.0 {
        values[7] = largest;
    }
    let bytes: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
    let view = TensorView::new(Dtype::F64, vec![ids.len(), features], &bytes).expect("a tensor");
    let names = serde_json::to_string(&ids).expect("text");
    let metadata = HashMap::from([("stimulus_id".to_owned(), names)]);
    let file = safetensors::serialize([("layer", view)], Some(metadata)).expect("a file");
    fs::write(directory.join("a.safetensors"), file).expect("writable");
    let card = "identifier = 'given'\n[activations]\nfile = 'a.safetensors'\n";
    fs::write(directory.join("model.toml"), card).expect("writable");
    directory
}

#[test]
fn given_activations_keep_their_64_bit() {
    let directory = tempfile::tempdir().expect("a directory");
    let pls = benchmark(directory.path(), "pls");
    let double = double_model(directory.path(), FEATURES, 0.0);
    let found = scored(&double, &[&pls], "f64").remove(0).1;
    // The same features without what is the same in all stimuli, which PLS does not see.
    let without = model(directory.path(), 1.0, 1.0);
    let expected = scored(&without, &[&pls], "f64").remove(0).1;
    assert!(apart(&found, &expected) < 1e-4, "{:e}", apart(&found, &expected));
    // Metrics of the features themselves read 64 bit whatever the products are in.
    for metric in ["neuron_to_neuron", "reverse_ridge"] {
        let read = benchmark(directory.path(), metric);
        let expected = scored(&without, &[&read], "f64").remove(0).1;
        for precision in ["f64", "f32"] {
            let found = scored(&double, &[&read], precision).remove(0).1;
            assert!(apart(&found, &expected) < 1e-4, "{metric} {precision}: {:e}", apart(&found, &expected));
        }
    }
    // In 32 bit next to nothing is left of them.
    let rounded = scored(&double, &[&pls], "f32").remove(0).1;
    assert!(rounded.iter().zip(&expected).any(|(a, b)| a.is_nan() || (a - b).abs() > 1e-3), "32 bit round");
}

#[test]
fn a_value_beyond_32_bit_is_called_what_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let pls = benchmark(directory.path(), "pls");
    let wide = double_model(directory.path(), FEATURES, 1e150);
    let reason = failure(&wide, &pls, "f32");
    assert!(reason.contains("is 1e150, which does not fit 32 bit; set features.precision"), "{reason}");
    // In 64 bit it can be read, and nothing else can be seen beside it.
    let reason = failure(&wide, &pls, "f64");
    assert!(reason.contains("vary too unevenly"), "{reason}");
}

/// Set in the process whose memory is measured.
const MEASURED: &str = "VENTRAL_TEST_MEASURED";

#[test]
fn many_neuroids_are_fitted_within_the_predicted_memory() {
    const STIMULI: usize = 100;
    const NEUROIDS: usize = 20_000;
    const THREADS: usize = 2;
    if std::env::var_os(MEASURED).is_some() {
        let x = Array2::from_shape_fn((STIMULI, 300), |(i, j)| f64::from(feature(&i.to_string(), j)));
        let y = Array2::from_shape_fn((STIMULI, NEUROIDS), |(i, j)| {
            x[(i, j % 300)] + 0.5 * x[(i, (j / 300) % 300)]
        });
        let gram = LayerGram::from_features(x.view()).expect("a Gram");
        let half: Vec<usize> = (0..80).collect();
        let split = |shift: usize| Split {
            train: half.iter().map(|i| (i + shift) % STIMULI).collect(),
            test: (80..STIMULI).map(|i| (i + shift) % STIMULI).collect(),
        };
        let pls = Regression::Pls { components: 25 };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("threads");
        let scores = pool.install(|| regression_scores(&pls, &gram, y.view(), &[split(0), split(7)]));
        let values = scores.expect("scores").values;
        let undefined = values.iter().filter(|r| !r.is_finite()).count();
        assert_eq!(undefined, 0, "of {}", values.len());
        println!("\npeak {}", peak_memory_bytes().expect("a peak"));
        return;
    }
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["precision::many_neuroids_are_fitted_within_the_predicted_memory", "--exact", "--nocapture"]);
    let output = child.env(MEASURED, "1").output().expect("a child");
    let text = String::from_utf8_lossy(&output.stdout);
    let peak = text.lines().find_map(|line| line.strip_prefix("peak ")?.trim().parse::<u64>().ok());
    let peak = peak.unwrap_or_else(|| panic!("no peak: {text} {}", String::from_utf8_lossy(&output.stderr)));
    let predicted = cost::score_bytes(&facts(STIMULI, NEUROIDS), STIMULI, THREADS);
    assert!(peak <= predicted, "{} MiB, predicted {} MiB", peak >> 20, predicted >> 20);
    assert!(predicted < 300 << 20, "{} MiB", predicted >> 20);
}

fn facts(stimulus_count: usize, targets: usize) -> BenchmarkFacts {
    BenchmarkFacts {
        identifier: "wide".into(),
        version: "1".into(),
        region: "IT".into(),
        digest: Digest::of_bytes(b"wide"),
        stimuli: Digest::of_bytes(b"stimuli"),
        stimulus_count,
        targets,
        neuroids: Vec::new(),
        splits: 2,
        consumes: Consumes::Gram,
        degrees: None,
        metric: "pls".into(),
        ceiling: None,
        rule: ventral_metrics::CeilingRule::Raw,
        private: false,
        citation: None,
        notes: Vec::new(),
        variant: Default::default(),
    }
}
