//! Synthesised images from the command line.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ventral_testkit::files_below;

use crate::support::{finish, root, ventral};

/// Two restarts of a few steps on a small network, with natural images.
const SMALL: &str = "tests/data/synthesis.toml";
/// Longest time that something may take to happen.
const SOON: Duration = Duration::from_secs(120);

/// A spec of the demo's network in a folder of its own.
fn spec(directory: &Path, text: &str) -> std::path::PathBuf {
    let model = root().join("examples/demo/models/convnet_trained");
    let path = directory.join("spec.toml");
    fs::write(&path, format!("name='images'\nmodels=[{model:?}]\n{text}")).expect("writable");
    path
}

#[test]
fn a_set_becomes_a_folder_a_table_and_the_same_files_by_export() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let (stdout, stderr, code) = finish(ventral(&store).args(["plan", SMALL]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("synthesis for") && stdout.contains("6 of 64 x 64"), "{stdout}");
    assert!(stdout.contains("0-1") && stdout.contains("2 synthesis units"), "{stdout}");
    let (stdout, stderr, code) = finish(ventral(&store).args(["synthesize", SMALL]));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(stderr.contains("synthesising 6 images for convnet_trained, seed 1"), "{stderr}");
    assert!(stderr.contains("convnet_trained 0: step limit; evaluating the images"), "{stderr}");
    assert!(
        stdout.contains("mean |r|") && stdout.contains("best of 2") && stdout.contains("step limit"),
        "{stdout}"
    );
    assert!(stdout.contains('±'), "natural images are compared: {stdout}");
    let page = stdout.lines().find_map(|line| line.strip_prefix("report: ")).expect("a page");
    let page = fs::read_to_string(page).expect("readable");
    assert!(page.contains("<html") && !page.contains("src=\"http"), "it needs nothing else");

    let (stdout, stderr, code) = finish(ventral(&store).args(["--json", "run", SMALL]));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(!stderr.contains("synthesising"), "all is in the store: {stderr}");
    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let set = &summary["synthesis"]["sets"][0];
    assert_eq!(
        (&set["model"], &set["steps"], &set["restarts"]),
        (&"convnet_trained".into(), &30.into(), &2.into())
    );
    let value = set["mean_abs_r"].as_f64().expect("a number");
    assert!(value > 0.0 && value < set["natural"]["mean"].as_f64().expect("a number"), "{set}");
    let job = summary["job"].as_str().expect("a job");
    let written = files_below(&store.join("jobs").join(job).join("synthesis"));
    let images = written.keys().filter(|name| name.ends_with(".png") && name.contains("images/")).count();
    assert_eq!(images, 6, "{:?}", written.keys());

    let output = directory.path().join("out");
    let export =
        |place: &Path| finish(ventral(&store).args(["export", "--what", "synthesis", "-o"]).arg(place));
    let (stdout, stderr, code) = export(&output);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(files_below(&output) == written, "the same files");
    let (_, stderr, code) = export(&output);
    assert_eq!(code, 2);
    assert!(stderr.contains("not an empty folder"), "{stderr}");
    let (_, stderr, code) = finish(ventral(&store).args(["export", "--what", "synthesis"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("--output DIR"), "{stderr}");
    let (stdout, _, _) = finish(ventral(&store).arg("jobs"));
    assert!(stdout.contains("complete"), "{stdout}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_synthesis_goes_on_with_the_same_command() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "[layers]\nconvnet_trained=['conv1','block3','pool']\n[synthesis]\nimages=6\nsteps=120\nrestarts=1\ncheckpoint_steps=4\n[synthesis.stop]\nmean_abs_r=0.0\n";
    let spec = spec(directory.path(), text);
    let objects = |store: &Path| files_below(&store.join("objects"));
    let whole = directory.path().join("whole");
    let (stdout, stderr, code) = finish(ventral(&whole).arg("synthesize").arg(&spec));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let store = directory.path().join("store");
    let mut command = ventral(&store);
    let child = command.arg("synthesize").arg(&spec).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().expect("the program starts");
    let started = Instant::now();
    while files_below(&store.join("checkpoints")).is_empty() {
        assert!(started.elapsed() < SOON, "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("interrupted"), "{stderr}");
    assert!(objects(&store).is_empty() && !files_below(&store.join("checkpoints")).is_empty());
    let (stdout, stderr, code) = finish(ventral(&store).arg("synthesize").arg(&spec));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(stderr.contains("seed 0, from step "), "{stderr}");
    assert!(objects(&store) == objects(&whole), "the same bytes");
    assert!(files_below(&store.join("checkpoints")).is_empty());
}

#[test]
fn specs_that_make_no_images_are_refused_by_their_field() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let cases = [
        ("", "no section [synthesis]"),
        ("[synthesis]\nimages=5\n", "synthesis.images"),
        ("[synthesis]\nsteps=0\n", "synthesis.steps"),
        ("[synthesis]\nlearning_rate=-1.0\n", "synthesis.learning_rate"),
        ("[synthesis.transforms]\nuntil=2.0\n", "synthesis.transforms.until"),
        ("[synthesis]\nnatural='nowhere'\n", "synthesis.natural"),
        ("[synthesis]\nimges=16\n", "imges"),
        ("[layers]\nconvnet_trained=['conv9']\n[synthesis]\n", "conv9"),
        ("[layers]\nconvnet_trained=['conv1']\n[synthesis]\n", "layers to tell apart"),
    ];
    for (text, expected) in cases {
        let text = if text.is_empty() { "benchmarks=['b']\n" } else { text };
        let spec = spec(directory.path(), text);
        let (stdout, stderr, code) = finish(ventral(&store).arg("synthesize").arg(&spec));
        assert_eq!(code, 2, "{expected}: {stdout}\n{stderr}");
        assert!(stderr.contains(expected), "{expected}: {stderr}");
    }
    let (_, stderr, code) = finish(ventral(&store).args(["synthesize", SMALL, "--memory", "90MiB"]));
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("needs at least") && stderr.contains("90 MiB"), "{stderr}");
    let scored = directory.path().join("scored");
    let demo = root().join("examples/demo.toml");
    let (_, stderr, code) = finish(ventral(&scored).arg("run").arg(demo).arg("--no-report"));
    assert_eq!(code, 0, "{stderr}");
    let (_, stderr, code) = finish(ventral(&scored).args(["export", "--what", "synthesis", "-o", "nowhere"]));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("its spec has no [synthesis]"), "{stderr}");
}
