//! The verbs against a cluster of one process: what they print, what they return.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use ventral_plan::Digest;
use ventral_testkit::{free_port, wait_until};

use crate::support::{finish, root, succeed, ventral};

const SPEC: &str = "examples/demo.toml";
const SOON: Duration = Duration::from_secs(120);

/// `ventral serve all`, ended with the test.
struct Lab {
    child: Child,
    url: String,
    dir: tempfile::TempDir,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lab {
    /// Operator `ada` and reader `eve` of the tenant `lab`; each token is its name.
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let entry = |name: &str, role: &str| {
            let sha256 = Digest::of_bytes(name.as_bytes());
            format!("[[token]]\nname = '{name}'\ntenant = 'lab'\nrole = '{role}'\nsha256 = '{sha256}'\n")
        };
        let tokens = dir.path().join("tokens.toml");
        fs::write(&tokens, entry("ada", "operator") + &entry("eve", "reader")).expect("a file");
        let url = format!("127.0.0.1:{}", free_port().expect("a port"));
        let log = fs::File::create(dir.path().join("log")).expect("a file");
        let mut command = ventral(&dir.path().join("store"));
        command.args(["serve", "all", "--listen", &url, "--tokens"]).arg(&tokens);
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("the program starts");
        let lab = Self { child, url, dir };
        wait_until("the coordinator has heard of its worker and the aggregator", SOON, || {
            let (pools, _, code) = finish(lab.as_caller("ada").args(["pools", "--json"]));
            let pools: Value = serde_json::from_str(&pools).unwrap_or_default();
            let served = |pool: &Value| pool["workers"].as_u64() > Some(0);
            code == 0 && pools.as_array().is_some_and(|pools| pools.len() > 2 && pools.iter().all(served))
        });
        lab
    }

    fn as_caller(&self, token: &str) -> Command {
        let mut command = ventral(&self.dir.path().join("unused"));
        command.env("VENTRAL_COORDINATOR", &self.url).env("VENTRAL_TOKEN", token);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        succeed(self.as_caller("ada").args(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    }

    /// Exit code 2 and what standard error says.
    fn refused(&self, token: &str, arguments: &[&str]) -> String {
        let (_, stderr, code) = finish(self.as_caller(token).args(arguments));
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        stderr
    }
}

fn local(store: &Path, arguments: &[&str]) -> String {
    succeed(ventral(store).args(arguments))
}

#[test]
fn a_spec_scores_the_same_on_a_cluster_and_every_verb_shows_it() {
    let lab = Lab::start();
    let plan = lab.json(&["plan", SPEC]);
    assert_eq!(
        (&plan["by_kind"]["features"], &plan["by_kind"]["score"]),
        (&Value::from(3), &Value::Null),
        "scores are computed where their layer is read"
    );
    assert_eq!(plan["cannot_run"].as_array().map(Vec::len), Some(0));
    assert!(plan["core_hours"].as_f64() > Some(0.0));
    let done = lab.json(&["submit", SPEC, "--follow", "--request-id", "one"]);
    let job = done["job"]["id"].as_str().expect("an id").to_owned();
    assert_eq!((&done["job"]["state"], &done["job"]["units"]), (&Value::from("succeeded"), &Value::from(3)));
    assert_eq!(lab.json(&["submit", SPEC, "--request-id", "one"])["id"], job.as_str(), "the same request");
    let submission = lab.dir.path().join("store/jobs").join(&job).join("submission.json");
    let submission = fs::read_to_string(submission).expect("the submission");
    assert!(submission.contains(r#""traceparent": "00-"#), "{submission}");
    let again = lab.json(&["submit", SPEC, "--follow"]);
    assert_eq!((&again["job"]["cached"], &again["job"]["done"]), (&Value::from(3), &Value::from(0)));

    let alone = lab.dir.path().join("alone");
    local(&alone, &["run", SPEC, "--no-report"]);
    for arguments in [
        &["leaderboard", "--json"][..],
        &["leaderboard"],
        &["scores", "--json"],
        &["export", "--what", "layers", "--format", "csv"],
        &["export", "--what", "raw", "--format", "csv"],
    ] {
        assert_eq!(lab.run(arguments), local(&alone, arguments), "{arguments:?}");
    }
    let page = lab.dir.path().join("page.html");
    lab.run(&["report", &job[..9], "--output", &page.display().to_string()]);
    assert!(fs::read_to_string(&page).expect("the page").contains("convnet_trained"));

    let listed = lab.json(&["jobs"]);
    let states: Vec<&str> =
        listed.as_array().expect("jobs").iter().filter_map(|job| job["state"].as_str()).collect();
    assert_eq!(states, ["succeeded", "succeeded", "planned"]);
    let units = lab.json(&["units", &job, "--limit", "2", "--state", "done"]);
    assert_eq!(units.as_array().map(Vec::len), Some(2), "of three");
    let unit = units[0]["unit"].as_str().expect("a digest");
    let explained = lab.json(&["explain", &unit[..10]]);
    assert!(explained.as_array().expect("units").iter().any(|entry| entry["job"] == job.as_str()));
    assert!(lab.run(&["watch", &job]).contains("succeeded, 3 units"));
}

#[test]
fn images_are_made_on_a_cluster_and_shown_when_it_is_done() {
    let lab = Lab::start();
    let spec = "tests/data/synthesis.toml";
    let plan = lab.run(&["plan", spec]);
    assert!(plan.contains("1 models, 2 restarts of synthesis compared with "), "{plan}");
    assert!(!plan.contains("0 benchmarks") && !plan.contains("no natural images"), "{plan}");
    let done = lab.run(&["submit", spec, "--follow"]);
    for part in ["mean |r|", "convnet_trained", "best of 2", "step limit", "succeeded, 3 units"] {
        assert!(done.contains(part), "{part}: {done}");
    }
    let command = done.split('`').find_map(|part| part.strip_prefix("ventral ")).expect("a command");
    let folder = lab.dir.path().join("images");
    let folder = folder.to_str().expect("UTF-8");
    let words: Vec<&str> = command.split(' ').map(|word| if word == "DIR" { folder } else { word }).collect();
    let exported = lab.run(&words);
    assert!(exported.contains("convnet_trained") && exported.contains('±'), "{exported}");
    assert!(Path::new(folder).join("convnet_trained/images/06.png").is_file());
    let again = lab.run(&["watch"]);
    assert!(again.contains("best of 2"), "{again}");
    // Other verbs compute where they are given, and say so.
    let (_, stderr, code) = finish(lab.as_caller("ada").args(["synthesize", spec]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("computing here; `ventral submit` uses the cluster"), "{stderr}");
    let (_, stderr, _) = finish(ventral(&lab.dir.path().join("unused")).args(["synthesize", spec]));
    assert!(!stderr.contains("computing here"), "{stderr}");
}

#[test]
fn jobs_are_steered_and_workers_drained() {
    let lab = Lab::start();
    let drill = ["drill", "--name", "long", "--units", "500", "--milliseconds", "200"];
    let job = lab.json(&drill)["id"].as_str().expect("an id").to_owned();
    assert_eq!(lab.json(&["pause", &job])["state"], "paused");
    assert_eq!(lab.json(&["resume", &job])["state"], "running");
    assert_eq!(lab.json(&["cancel", &job])["state"], "cancelled");
    let (_, stderr, code) = finish(lab.as_caller("ada").args(["watch", &job]));
    assert_eq!(code, 3, "a cancelled job is not done: {stderr}");
    assert!(lab.run(&["drill", "--units", "50", "--follow"]).contains("50 computed"));
    let workers = lab.json(&["workers"]);
    let workers = workers.as_array().expect("workers");
    assert_eq!(workers.len(), 2, "a worker and the aggregator");
    assert!(lab.json(&["pools"]).as_array().is_some_and(|pools| !pools.is_empty()));
    assert_eq!(lab.json(&["dead"]).as_array().map(Vec::len), Some(0));
    let name = workers[0]["name"].as_str().expect("a name");
    assert_eq!(lab.json(&["drain", name])["draining"], true);

    for (token, arguments, told) in [
        ("ada", &["pause", "nothing"][..], "no job 'nothing'"),
        ("ada", &["resume", &job], "STATE_FORBIDS"),
        ("ada", &["units", &job, "--state", "asleep"], "--state"),
        ("ada", &["explain", "xyz"], "FIELD_INVALID"),
        ("ada", &["explain", "000000000000"], "UNIT_NOT_FOUND"),
        ("ada", &["drain", "nobody"], "WORKER_NOT_FOUND"),
        ("ada", &["submit", "nowhere.toml"], "nowhere.toml"),
        ("ada", &["leaderboard", &job], "RESULTS_NOT_READY"),
        ("eve", &["drill"], "ROLE_TOO_LOW"),
        ("eve", &["cancel", &job], "ROLE_TOO_LOW"),
        ("bob", &["jobs"], "TOKEN_UNKNOWN"),
    ] {
        let stderr = lab.refused(token, arguments);
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
}

#[test]
fn verbs_of_a_cluster_say_that_they_need_one() {
    let store = tempfile::tempdir().expect("a directory");
    for arguments in [&["submit", SPEC][..], &["watch"], &["workers"], &["cancel", "j"]] {
        let (_, stderr, code) = finish(ventral(store.path()).args(arguments));
        assert!(code == 2 && stderr.contains("--coordinator"), "{arguments:?}: {code} {stderr}");
    }
    let (_, stderr, code) = finish(ventral(store.path()).args(["jobs", "--coordinator", "ftp://x"]));
    assert!(code == 2 && stderr.contains("host:port"), "{stderr}");
    assert!(root().join(SPEC).is_file());
}
