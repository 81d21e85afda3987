//! The leaderboard as pages, checks of cards, and private benchmarks, through the program.

use std::fs;
use std::path::Path;

use crate::support::{alone, data, finish, root, succeed, ventral};

/// A spec of two demo models and two benchmarks of V4, in a directory of its own.
fn spec(directory: &Path, models: &[&str], selection: &str) -> String {
    let demo = root().join("examples/demo");
    let cards = |kind: &str, names: &[&str]| {
        let card = |name: &&str| format!("\"{}\"", demo.join(kind).join(name).display());
        names.iter().map(card).collect::<Vec<_>>().join(", ")
    };
    let text = format!(
        "name = 'site'\nmodels = [{}]\nbenchmarks = [{}]\n{selection}",
        cards("models", models),
        cards("benchmarks", &["v4", "v4-private"])
    );
    let file = directory.join("spec.toml");
    fs::write(&file, text).expect("a spec");
    file.display().to_string()
}

const PUBLIC: &str = "[[selection]]\nregion = 'V4'\nselect_on = 'DemoV4public-pls'\n";
const PRIVATE: &str = "[[selection]]\nregion = 'V4'\nselect_on = 'DemoV4-pls'\n";

#[test]
fn the_site_is_written_replaced_and_never_over_something_else() {
    let _alone = alone();
    let directory = tempfile::tempdir().expect("a directory");
    let (store, site) = (directory.path().join("store"), directory.path().join("site"));
    let both = spec(directory.path(), &["gabor_v1", "convnet_random"], PUBLIC);
    succeed(ventral(&store).args(["run", &both, "--no-report"]));
    let write = || {
        let mut command = ventral(&store);
        command.args(["leaderboard", "--html"]).arg(&site);
        command
    };
    let said = succeed(&mut write());
    assert!(said.contains("gabor_v1") && said.contains("index.html (7 files)"), "{said}");
    let pages =
        ["index.html", "models/gabor_v1.html", "models/convnet_random.html", "benchmarks/demov4-pls.html"];
    for page in pages {
        assert!(site.join(page).is_file(), "{page}");
    }
    let index = fs::read_to_string(site.join("index.html")).expect("a page");
    let place = directory.path().to_string_lossy().into_owned();
    assert!(!index.contains(&place) && index.contains("spec.toml"), "no path of this machine is published");
    let model = fs::read_to_string(site.join("models/gabor_v1.html")).expect("a page");
    assert!(model.contains("layer chosen on DemoV4public-pls"));

    // A page that is not needed any more goes; a file of the user stays.
    fs::write(site.join("models/mine.html"), "mine").expect("a file");
    let one = spec(directory.path(), &["gabor_v1"], PUBLIC);
    succeed(ventral(&store).args(["run", &one, "--no-report"]));
    let said = succeed(write().arg("--json"));
    let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((json["site"]["files"].as_u64(), json["rows"].as_array().map(Vec::len)), (Some(6), Some(1)));
    assert!(!site.join("models/convnet_random.html").exists() && site.join("models/mine.html").exists());

    let other = directory.path().join("other");
    fs::create_dir(&other).expect("a directory");
    fs::write(other.join("index.html"), "a page of somebody").expect("a file");
    let (_, stderr, code) = finish(ventral(&store).args(["leaderboard", "--html"]).arg(&other));
    assert!(code == 2 && stderr.contains("name another directory"), "{code} {stderr}");
    assert_eq!(fs::read_to_string(other.join("index.html")).expect("still there"), "a page of somebody");
}

#[test]
fn a_list_of_pages_from_elsewhere_removes_nothing_outside() {
    let _alone = alone();
    let directory = tempfile::tempdir().expect("a directory");
    let (store, site) = (directory.path().join("store"), directory.path().join("site"));
    let spec = spec(directory.path(), &["gabor_v1"], PUBLIC);
    succeed(ventral(&store).args(["run", &spec, "--no-report"]));
    fs::create_dir(&site).expect("a directory");
    fs::write(directory.path().join("precious.html"), "mine").expect("a file");
    fs::write(site.join("notes.html"), "mine").expect("a file");
    let list = r#"{"job": "x", "files": ["../precious.html", "models/../../precious.html", "notes.html"]}"#;
    fs::write(site.join("site.json"), list).expect("a list");
    succeed(ventral(&store).args(["leaderboard", "--html"]).arg(&site));
    assert!(directory.path().join("precious.html").exists() && site.join("notes.html").exists());
    fs::write(site.join("site.json"), "not a list").expect("a list");
    let (_, stderr, code) = finish(ventral(&store).args(["leaderboard", "--html"]).arg(&site));
    assert!(code == 2 && stderr.contains("site.json"), "{code} {stderr}");
}

#[test]
fn a_private_benchmark_is_no_basis_for_a_choice() {
    let directory = tempfile::tempdir().expect("a directory");
    let spec = spec(directory.path(), &["gabor_v1"], PRIVATE);
    let (_, stderr, code) = finish(ventral(&directory.path().join("store")).args(["run", &spec]));
    assert_eq!(code, 2, "{stderr}");
    for part in ["DemoV4-pls", "private", "select on a public one"] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn check_says_what_a_good_card_holds_and_what_is_wrong_with_a_bad_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let said = succeed(ventral(&store).args(["benchmarks", "check", "examples/demo/benchmarks/v4"]));
    for part in ["stimuli", "neuroids", "repetitions", "splits", "ceiling", "nothing is wrong"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = succeed(ventral(&store).args(["models", "check", "examples/demo/models/gabor_v1"]));
    assert!(said.contains("nothing is wrong"), "{said}");

    let card = fs::read_to_string(root().join("examples/demo/benchmarks/v4/benchmark.toml")).expect("a card");
    let bad = directory.path().join("benchmark.toml");
    fs::write(&bad, format!("colour = 1\n{card}").replace("name = \"pls\"", "name = \"plz\""))
        .expect("a card");
    let (stdout, stderr, code) = finish(ventral(&store).args(["benchmarks", "check"]).arg(&bad));
    assert_eq!(code, 2, "{stdout}{stderr}");
    for part in ["`colour`", "`metric.name`", "plz", "does not exist", "benchmark.toml"] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert!(stdout.lines().count() >= 4, "all problems, one line each: {stdout}");
    let (stdout, _, code) = finish(ventral(&store).args(["--json", "benchmarks", "check"]).arg(&bad));
    let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert!(code == 2 && json["problems"].as_array().is_some_and(|all| all.len() >= 4), "{stdout}");
}

#[test]
fn a_card_of_brain_score_without_its_data_says_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, empty) = (directory.path().join("store"), directory.path().join("data"));
    fs::create_dir(&empty).expect("a directory");
    let card = "benchmarks/brainscore-majajhong2015public-it-pls";
    let mut check = ventral(&store);
    let (stdout, _, code) = finish(check.args(["benchmarks", "check", card]).env("VENTRAL_DATA", &empty));
    assert_eq!(code, 2, "{stdout}");
    for part in [
        "assembly.nc",
        "stimuli.zip",
        "stimuli.csv",
        "ventral datasets fetch brainscore-majajhong2015-public",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    let mut fetch = ventral(&store);
    fetch.args(["datasets", "fetch", "brainscore-majajhong2015-public"]).env("VENTRAL_DATA", &empty);
    let (_, stderr, code) = finish(&mut fetch);
    assert!(
        code == 2 && stderr.contains("no known public location") && stderr.contains("--mirror"),
        "{stderr}"
    );
}

#[test]
fn real_cards_have_nothing_wrong() {
    let Some(data) = data("real_cards_have_nothing_wrong") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    for card in ["cowley2023-v4-210325-pls", "kriegeskorte2008-monkey-it-rdm"] {
        let mut check = ventral(&directory.path().join("store"));
        check.args(["benchmarks", "check", &format!("benchmarks/{card}")]).env("VENTRAL_DATA", &data);
        assert!(succeed(&mut check).contains("nothing is wrong"), "{card}");
    }
}
