//! Damaged stores: noticed, said, made anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use ventral_testkit::files_below;

use crate::support::{finish, root, succeed, ventral};

/// Scores, maps and images, with natural images, in seconds.
fn spec(directory: &Path) -> PathBuf {
    let demo = root().join("examples/demo");
    let path = |part: &str| format!("{:?}", demo.join(part).display().to_string());
    let text = format!(
        "name = 'all'\nmodels = [{}]\nbenchmarks = [{}]\n[layers]\nconvnet_trained = ['conv1', 'block3', 'block5']\n\
         [searchlight]\nscans = [{}]\nradius = 2.0\nunit = 'voxels'\nminimum_voxels = 10\nmethods = ['raw']\n\
         [synthesis]\nimages = 6\nsteps = 10\nrestarts = 1\nnatural = {}\ndraws = 10\n",
        path("models/convnet_trained"),
        path("benchmarks/v4"),
        path("scan"),
        path("benchmarks/v4"),
    );
    let file = directory.join("all.toml");
    fs::write(&file, text).expect("writable");
    file
}

/// What a store has, but for what tells of the last run and of the machine.
fn content(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = files_below(store);
    let of_run = |name: &str| ["job.json", "report.html", "lock"].iter().any(|end| name.ends_with(end));
    files.retain(|name, _| !(name.starts_with("jobs/") && name.matches('/').count() == 2 && of_run(name)));
    files
}

/// The first object that says it is of this kind.
fn object(store: &Path, kind: &str) -> PathBuf {
    let kind = format!("kind\\\":\\\"{kind}\\\"");
    let files = files_below(&store.join("objects"));
    let is_kind = |bytes: &[u8]| bytes.windows(kind.len()).take(8192).any(|part| part == kind.as_bytes());
    let (name, _) = files.iter().find(|(_, bytes)| is_kind(bytes)).expect(&kind);
    store.join("objects").join(name)
}

/// The blob of a file that a document of the job names.
fn blob(store: &Path, document: &Path, end: &str) -> PathBuf {
    let document: Value = serde_json::from_slice(&fs::read(document).expect("a document")).expect("JSON");
    let files = document["files"].as_array().expect("files");
    let file = files.iter().find(|file| file["name"].as_str().is_some_and(|name| name.ends_with(end)));
    let digest = file.expect(end)["digest"].as_str().expect("a digest");
    store.join("blobs").join(&digest[..2]).join(digest)
}

type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 6] = [
    ("cut", |path| {
        let bytes = fs::read(path).expect("readable");
        fs::write(path, &bytes[..bytes.len() / 2]).expect("writable");
    }),
    ("one bit", |path| {
        let mut bytes = fs::read(path).expect("readable");
        let middle = bytes.len() * 2 / 3;
        bytes[middle] ^= 1;
        fs::write(path, bytes).expect("writable");
    }),
    ("first bit", |path| {
        let mut bytes = fs::read(path).expect("readable");
        bytes[0] ^= 1;
        fs::write(path, bytes).expect("writable");
    }),
    ("empty", |path| fs::write(path, b"").expect("writable")),
    ("a directory", |path| {
        fs::remove_file(path).expect("removable");
        fs::create_dir_all(path.join("inside")).expect("writable");
    }),
    ("a pipe", |path| {
        fs::remove_file(path).expect("removable");
        assert!(std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
    }),
];

#[test]
fn a_run_makes_anew_whatever_is_damaged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, spec) = (directory.path().join("store"), spec(directory.path()));
    let summary = succeed(ventral(&store).arg("run").arg(&spec).arg("--json"));
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    let job = store.join("jobs").join(summary["job"].as_str().expect("a job"));
    let expected = content(&store);
    // A document is not damaged together with the files that it names.
    let groups = |turn: usize| match turn {
        0 => vec![
            object(&store, "layer-gram"),
            object(&store, "map"),
            blob(&store, &job.join("synthesis.json"), ".png"),
            blob(&store, &job.join("maps.json"), ".nii.gz"),
            job.join("job.json"),
            job.join("report.html"),
        ],
        _ => {
            let images = object(&store, "synthesis");
            // These have to be made again: their checkpoint is looked for.
            let name = images.file_name().expect("a name").to_string_lossy().into_owned();
            let checkpoint = store.join("checkpoints").join(&name[..2]).join(&name);
            fs::create_dir_all(checkpoint.parent().expect("a shelf")).expect("writable");
            fs::write(&checkpoint, b"VENTRAL2, and longer than the head of a checkpoint").expect("writable");
            let score = object(&store, "score");
            vec![images, checkpoint, score, job.join("maps.json"), job.join("synthesis.json")]
        }
    };
    for (what, damage) in DAMAGES {
        for turn in 0..2 {
            let victims = groups(turn);
            victims.iter().for_each(|path| damage(path));
            let (stdout, stderr, code) = finish(ventral(&store).arg("run").arg(&spec));
            assert_eq!(code, 0, "{what}, {turn}: {stdout}\n{stderr}");
            for path in &victims {
                let line = stderr.lines().find(|line| line.contains(&path.display().to_string()));
                let line =
                    line.unwrap_or_else(|| panic!("{what}: nothing about {}: {stderr}", path.display()));
                assert!(line.starts_with("discarded "), "{what}: {line}");
            }
            let found = content(&store);
            for (name, bytes) in &expected {
                assert!(found.get(name) == Some(bytes), "{what}, {turn}: {name} is not what it was");
            }
            assert_eq!(found.len(), expected.len(), "{what}, {turn}");
            let (stdout, _, code) = finish(ventral(&store).args(["store", "verify"]));
            assert_eq!(code, 0, "{what}: {stdout}");
        }
    }
}

#[test]
fn verify_reads_everything_and_removes_what_is_damaged_when_asked_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let demo = root().join("examples").canonicalize().expect("the demo");
    let text = fs::read_to_string(demo.join("demo.toml")).expect("a spec");
    let text = text.replace("\"demo/", &format!("\"{}/demo/", demo.display()));
    let spec = directory.path().join("demo.toml");
    fs::write(&spec, format!("{text}\n[features]\nkeep_grams = true\n")).expect("writable");
    succeed(ventral(&store).arg("run").arg(&spec).arg("--no-report"));
    let text = succeed(ventral(&store).args(["store", "verify"]));
    assert!(text.contains("Gram matrices") && text.contains("nothing is damaged"), "{text}");
    let whole = content(&store);
    let victims = [object(&store, "layer-gram"), object(&store, "score")];
    for (path, (_, damage)) in victims.iter().zip(DAMAGES) {
        damage(path);
    }
    let (stdout, stderr, code) = finish(ventral(&store).args(["store", "verify"]));
    assert_eq!(code, 3, "{stdout}\n{stderr}");
    for path in &victims {
        assert!(stdout.contains(&format!("damaged: {}", path.display())), "{stdout}");
    }
    let (stdout, _, code) = finish(ventral(&store).args(["store", "verify", "--json", "--repair"]));
    assert_eq!(code, 0, "{stdout}");
    let found: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(found["damaged"].as_array().map(Vec::len), Some(2), "{found}");
    assert_eq!(found["damaged"][0]["removed"], true);
    let scores = found["kinds"].as_array().expect("kinds").iter().find(|row| row["kind"] == "score");
    assert!(scores.is_some_and(|row| row["count"].as_u64() > Some(10)), "{found}");
    assert!(victims.iter().all(|path| !path.exists()));
    succeed(ventral(&store).args(["store", "verify"]));
    // The score comes back; its Gram matrix is there, the other one is not needed.
    succeed(ventral(&store).args(["run", "examples/demo.toml", "--no-report"]));
    let mut expected = whole;
    expected.retain(|name, _| !victims[0].ends_with(name));
    assert_eq!(content(&store).len(), expected.len());
}

#[test]
fn one_damaged_record_hides_no_other_job() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    succeed(ventral(&store).args(["run", "examples/demo.toml", "--no-report"]));
    let jobs: Value = serde_json::from_str(&succeed(ventral(&store).args(["jobs", "--json"]))).expect("JSON");
    let id = jobs[0]["id"].as_str().expect("an id");
    let other = store.join("jobs/other-0123");
    fs::create_dir_all(&other).expect("writable");
    fs::copy(store.join("jobs").join(id).join("job.json"), other.join("job.json")).expect("copied");
    (DAMAGES[1].1)(&other.join("job.json"));
    let (stdout, stderr, code) = finish(ventral(&store).arg("jobs"));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(id) && !stdout.contains("other-0123"), "{stdout}");
    assert!(stderr.contains("other-0123") && stderr.contains("checksum"), "{stderr}");
    let (_, stderr, code) = finish(ventral(&store).args(["leaderboard", "other-0123"]));
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("job.json") && stderr.contains("checksum"), "{stderr}");
}
