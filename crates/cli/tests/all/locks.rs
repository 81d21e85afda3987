//! One process computes a job at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use ventral_testkit::files_below;

use crate::support::{finish, root, ventral};

/// Longest time that something may take to happen.
const SOON: Duration = Duration::from_secs(120);

fn spec(directory: &Path, steps: usize) -> PathBuf {
    let model = root().join("examples/demo/models/convnet_trained");
    let path = directory.join("spec.toml");
    let text = format!(
        "name='images'\nmodels=[{model:?}]\n[layers]\nconvnet_trained=['conv1','block3']\n\
         [synthesis]\nimages=6\nsteps={steps}\nrestarts=1\ncheckpoint_steps=2\n"
    );
    fs::write(&path, text).expect("writable");
    path
}

fn start(store: &Path, arguments: &[&str], spec: &Path) -> Child {
    let mut command = ventral(store);
    command.args(arguments).arg(spec).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

fn wait_for_checkpoint(store: &Path) {
    let started = Instant::now();
    while files_below(&store.join("checkpoints")).is_empty() {
        assert!(started.elapsed() < SOON, "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_second_run_is_told_who_computes_and_a_killed_one_holds_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, spec) = (directory.path().join("store"), spec(directory.path(), 5000));
    let mut first = start(&store, &["synthesize"], &spec);
    wait_for_checkpoint(&store);
    let pid = first.id().to_string();
    let (stdout, _, _) = finish(ventral(&store).arg("jobs"));
    assert!(stdout.contains(&format!("running (pid {pid})")), "{stdout}");
    let json = finish(ventral(&store).args(["jobs", "--json"])).0;
    let jobs: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(jobs[0]["owner"]["pid"].to_string(), pid);
    let refused = |arguments: &[&str], spec: Option<&Path>| {
        let (stdout, stderr, code) = finish(ventral(&store).args(arguments).args(spec));
        assert_eq!(code, 4, "{arguments:?}: {stdout}\n{stderr}");
        for part in [&format!("process {pid}"), "synthesize", "--wait", "--force"] {
            assert!(stderr.contains(part), "{part}: {stderr}");
        }
    };
    refused(&["run"], Some(&spec));
    refused(&["synthesize"], Some(&spec));
    refused(&["resume"], None);
    // Nobody gives the lock back: the system does.
    first.kill().expect("killed");
    first.wait().expect("it ends");
    let (stdout, _, _) = finish(ventral(&store).arg("jobs"));
    assert!(stdout.contains("interrupted"), "{stdout}");
    let mut again = start(&store, &["synthesize"], &spec);
    let started = Instant::now();
    while !finish(ventral(&store).arg("jobs")).0.contains(&format!("running (pid {})", again.id())) {
        assert!(started.elapsed() < SOON && again.try_wait().expect("a child").is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    // Beside it, as was asked for.
    let mut forced = start(&store, &["synthesize", "--force"], &spec);
    std::thread::sleep(Duration::from_secs(2));
    assert!(forced.try_wait().expect("a child").is_none(), "it computes");
    for mut child in [again, forced] {
        child.kill().expect("killed");
        child.wait().expect("it ends");
    }
}

#[test]
fn a_run_that_waits_finds_the_work_done() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, spec) = (directory.path().join("store"), spec(directory.path(), 60));
    let first = start(&store, &["synthesize"], &spec);
    wait_for_checkpoint(&store);
    let (stdout, stderr, code) = finish(ventral(&store).args(["synthesize", "--wait"]).arg(&spec));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(stderr.contains("waiting: job images-") && stderr.contains(&first.id().to_string()), "{stderr}");
    assert!(!stderr.contains("synthesising"), "the first has made them: {stderr}");
    let output = first.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
