//! Jobs from spec to table: same bytes whatever happens, nothing computed twice, nothing lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{alone, data, finish, root, succeed, ventral};

const DEMO: &str = "examples/demo.toml";

/// All objects of a store: name to bytes.
fn objects(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for shelf in fs::read_dir(store.join("objects")).expect("a store").flatten() {
        for object in fs::read_dir(shelf.path()).expect("listable").flatten() {
            let name = object.file_name().to_string_lossy().into_owned();
            found.insert(name, fs::read(object.path()).expect("readable"));
        }
    }
    found
}

fn run(store: &Path, extra: &[&str]) -> String {
    succeed(ventral(store).args(["run", DEMO, "--no-report"]).args(extra))
}

#[test]
fn threads_memory_and_interruptions_change_no_byte() {
    let directory = tempfile::tempdir().expect("a directory");
    let (one, many, killed) =
        (directory.path().join("one"), directory.path().join("many"), directory.path().join("killed"));
    let first = run(&one, &["--threads", "1", "--memory", "4GiB"]);
    let second = run(&many, &["--threads", "3", "--memory", "260MiB"]);
    let board =
        |text: &str| text.lines().take_while(|line| !line.starts_with("job ")).collect::<Vec<_>>().join("\n");
    assert_eq!(board(&first), board(&second), "the same table");
    let expected = objects(&one);
    assert!(expected.len() > 20, "a demo has results");
    assert!(objects(&many) == expected, "threads and memory change no byte");

    // Killed at three moments, then continued.
    for wanted in [1, 5, 12] {
        let mut child = ventral(&killed)
            .args(["run", DEMO, "--no-report"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let deadline = Instant::now() + Duration::from_secs(120);
        let count = || if killed.join("objects").is_dir() { objects(&killed).len() } else { 0 };
        while count() < wanted && Instant::now() < deadline && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        child.wait().expect("a child");
    }
    run(&killed, &[]);
    assert!(objects(&killed) == expected, "killing and continuing changes no byte");
}

#[test]
fn a_second_run_computes_nothing_and_every_view_agrees() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    succeed(ventral(&store).args(["run", DEMO]));
    let again: Value = json(&succeed(ventral(&store).args(["run", DEMO, "--json"])));
    assert_eq!(again["usage"]["computed"], 0, "{again}");
    let plan: Value = json(&succeed(ventral(&store).args(["plan", DEMO, "--json"])));
    assert_eq!(plan["units"], plan["cached"]);

    let board: Value = json(&succeed(ventral(&store).args(["leaderboard", "--json"])));
    assert_eq!(board, again["leaderboard"], "the leaderboard comes from the store");
    let layers = succeed(ventral(&store).args(["export", "--what", "layers", "--format", "csv"]));
    let rows = layers.lines().count() - 1;
    let column = layers
        .lines()
        .next()
        .and_then(|head| head.split(',').position(|name| name == "ceiling"))
        .expect("a column");
    let ceiled = layers
        .lines()
        .skip(1)
        .filter(|row| row.split(',').nth(column).is_some_and(|ceiling| ceiling.parse::<f64>().is_ok()));
    assert!(ceiled.count() > 0, "{layers}");
    let scores: Value = json(&succeed(ventral(&store).args(["scores", "--json"])));
    assert_eq!(scores.as_array().map(Vec::len), Some(rows));

    let file = directory.path().join("raw.parquet");
    succeed(ventral(&store).args(["export", "--what", "raw", "--output"]).arg(&file));
    assert_eq!(&fs::read(&file).expect("a file")[..4], b"PAR1");
    let markdown = succeed(ventral(&store).args(["export", "--what", "leaderboard", "--format", "markdown"]));
    assert!(markdown.starts_with('|'), "{markdown}");
    let jobs: Value = json(&succeed(ventral(&store).args(["jobs", "--json"])));
    let id = jobs[0]["id"].as_str().expect("an id");
    let report = fs::read_to_string(store.join("jobs").join(id).join("report.html")).expect("a report");
    assert!(report.contains("<svg") && report.contains("convnet_trained"));
    for outside in ["<link", "src=\"", "@import", "url(http"] {
        assert!(!report.contains(outside), "the report is self-contained, found {outside}");
    }
    succeed(ventral(&store).args(["resume", id]));
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Model recovery: the layer that made the recordings is the layer that predicts them best.
#[test]
fn the_score_finds_the_layer_that_made_the_recordings() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    run(&store, &[]);
    let scores: Value = json(&succeed(ventral(&store).args(["scores", "--json"])));
    let mut best: BTreeMap<String, (f64, String)> = BTreeMap::new();
    for row in scores.as_array().expect("rows") {
        let name = |field: &str| row[field].as_str().expect("text").to_owned();
        let value = row["raw"]["value"].as_f64().unwrap_or(f64::NEG_INFINITY);
        let entry = best.entry(name("benchmark")).or_insert((f64::NEG_INFINITY, String::new()));
        if value > entry.0 {
            *entry = (value, format!("{} {}", name("model"), name("layer")));
        }
    }
    for (benchmark, (_, layer)) in &best {
        let card = card_of(benchmark);
        let (model, name) = layer.split_once(' ').expect("two words");
        // People were simulated from an inner layer; behaviour is scored on the readout.
        let layer_found = card.contains(name) || card.contains("kind = \"behavior\"");
        assert!(card.contains(model) && layer_found, "{benchmark}: best is {layer}, the card says:\n{card}");
    }
    assert_eq!(best.len(), 5);
}

/// The card of a demo benchmark; its note names the model and layer that made the recordings.
fn card_of(benchmark: &str) -> String {
    let folders = fs::read_dir(root().join("examples/demo/benchmarks")).expect("benchmarks").flatten();
    let cards =
        folders.map(|folder| fs::read_to_string(folder.path().join("benchmark.toml")).expect("a card"));
    let line = format!("identifier = \"{benchmark}\"\n");
    cards.into_iter().find(|card| card.starts_with(&line)).expect("the card of the benchmark")
}

#[test]
fn a_damaged_object_is_recomputed() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    run(&store, &[]);
    let expected = objects(&store);
    let plan: Value = json(&succeed(ventral(&store).args(["plan", DEMO, "--json"])));
    // A score that is made from its Gram matrix: behaviour reads the activations.
    let plan = &plan["plan"];
    let neural = |unit: &&Value| {
        let benchmark = unit["benchmark"].as_u64().expect("an index") as usize;
        plan["benchmarks"][benchmark]["region"] != "behavior"
    };
    let unit = plan["scores"].as_array().expect("units").iter().find(neural).expect("a unit");
    let path = |name: &Value| {
        let name = name.as_str().expect("a digest");
        store.join("objects").join(&name[..2]).join(name)
    };
    fs::write(path(&unit["gram"]), b"VENTRAL1 damaged beyond recognition, but long enough")
        .expect("writable");
    fs::remove_file(path(&unit["digest"])).expect("removable");
    run(&store, &[]);
    assert!(objects(&store) == expected);
}

#[test]
fn real_recordings_score_real_models() {
    let Some(data) = data("real_recordings_score_real_models") else { return };
    let _alone = alone();
    let directory = tempfile::tempdir().expect("a directory");
    let spec = directory.path().join("three.toml");
    let path = |part: &str| format!("{:?}", root().join(part).display().to_string());
    let models =
        ["v4_from_ensemble_model_50", "v4_from_V4data_direct_fit_50", "v4_linear_from_ensemble_model_50"];
    let text = format!(
        "name = 'three'\nmodels = [{}]\nbenchmarks = [{}]\n[layers]\n{}",
        models.map(|model| path(&format!("models/{model}"))).join(", "),
        path("benchmarks/cowley2023-v4-201025-pls"),
        models.map(|model| format!("{model} = ['y']\n")).concat(),
    );
    fs::write(&spec, text).expect("writable");
    let store = directory.path().join("store");
    let mut command = ventral(&store);
    succeed(command.env("VENTRAL_DATA", data).arg("run").arg(&spec).arg("--no-report"));
    let scores: Value = json(&succeed(ventral(&store).args(["scores", "--json"])));
    let best = |model: &str| {
        let rows = scores.as_array().expect("rows").iter().filter(|row| row["model"] == model);
        rows.filter_map(|row| row["raw"]["value"].as_f64()).fold(f64::NEG_INFINITY, f64::max)
    };
    // Cowley et al. 2023: distilled > fitted directly > linear.
    let distilled = best("v4_from_ensemble_model_50");
    let direct = best("v4_from_V4data_direct_fit_50");
    let linear = best("v4_linear_from_ensemble_model_50");
    assert!(distilled > direct && direct > linear, "{distilled} {direct} {linear}");
}

#[test]
fn stopping_by_signal_is_clean() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let child = ventral(&store)
        .args(["run", DEMO, "--no-report", "--threads", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(600));
    let (_, _, sent) = finish(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]));
    let output = child.wait_with_output().expect("a child");
    let code = output.status.code();
    assert!(sent != 0 || code == Some(130), "{code:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(store.join("tmp")).map_or(0, Iterator::count), 0, "nothing is left behind");
}

#[test]
fn a_model_that_ends_whoever_opens_it_leaves_the_others_their_scores() {
    let store = tempfile::tempdir().expect("a folder");
    let folder = tempfile::tempdir().expect("a folder");
    // A chain of additions of a tensor with itself inside a loop of 60 rounds: 2^60 times the image.
    std::fs::write(folder.path().join("bomb.onnx"), doubling()).expect("a model");
    let card = "identifier = \"bomb\"\nfile = \"bomb.onnx\"\n[input]\nsize = [8, 8]\nchannels = \"rgb\"\nscale = \"1/255\"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";
    std::fs::write(folder.path().join("model.toml"), card).expect("a card");
    let demo = root().join("examples/demo");
    let spec = folder.path().join("job.toml");
    let text = format!(
        "name = \"bombed\"\nmodels = [{:?}, {:?}]\nbenchmarks = [{:?}]\n",
        demo.join("models/gabor_v1"),
        folder.path(),
        demo.join("benchmarks/v1")
    );
    std::fs::write(&spec, text).expect("a spec");
    let (out, errors, code) =
        finish(ventral(store.path()).arg("--memory").arg("1GiB").arg("run").arg(&spec).arg("--no-report"));
    assert_eq!(code, 3, "{out}{errors}");
    assert!(out.contains("gabor_v1") && out.contains("bomb.onnx") && out.contains("GiB"), "{out}{errors}");
    assert!(!format!("{out}{errors}").contains("panicked"), "{out}{errors}");
}

/// `Loop` over a body that concatenates its value with itself.
fn doubling() -> Vec<u8> {
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(content);
        bytes
    }
    let texts = |number: u8, names: &[&str]| -> Vec<u8> {
        names.iter().flat_map(|name| field(number, name.as_bytes())).collect()
    };
    let ports = |number: u8, names: &[&str]| -> Vec<u8> {
        names.iter().flat_map(|name| field(number, &texts(1, &[name]))).collect()
    };
    let node = |operator: &str, inputs: &[&str], output: &str, attributes: &[u8]| {
        [texts(1, inputs), texts(2, &[output]), texts(4, &[operator]), attributes.to_vec()].concat()
    };
    let axis = field(5, &[texts(1, &["axis"]), vec![0x18, 0, 0xa0, 1, 2]].concat());
    let body = [
        field(1, &node("Identity", &["go"], "went", &[])),
        field(1, &node("Concat", &["value", "value"], "next", &axis)),
        ports(11, &["round", "go", "value"]),
        ports(12, &["went", "next"]),
    ]
    .concat();
    let body = field(5, &[texts(1, &["body"]), field(6, &body), vec![0xa0, 1, 5]].concat());
    let number = |name: &str, kind: u8, raw: &[u8]| {
        field(5, &[vec![0x10, kind], texts(8, &[name]), field(9, raw)].concat())
    };
    let graph = [
        field(1, &node("Loop", &["trips", "yes", "x"], "y", &body)),
        number("trips", 7, &60i64.to_le_bytes()),
        number("yes", 9, &[1]),
        ports(11, &["x"]),
        ports(12, &["y"]),
    ]
    .concat();
    [vec![0x08, 8], field(7, &graph), field(8, &[0x10, 17])].concat()
}
