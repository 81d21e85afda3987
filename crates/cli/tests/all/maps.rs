//! Brain maps from the command line.

use std::fs;
use std::path::Path;

use ventral_testkit::files_below;

use crate::support::{finish, root, ventral};

#[test]
fn the_bundled_people_get_maps_a_page_and_the_same_files_by_export() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let run = || {
        let spec = root().join("examples/searchlight.toml");
        finish(ventral(&store).arg("run").arg(spec).arg("--json"))
    };
    let (stdout, stderr, code) = run();
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let source = &summary["maps"]["sources"][0];
    assert_eq!((&source["group"], &source["method"]), (&true.into(), &"semi_partial".into()));
    let layers = source["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 7);
    assert!(layers.iter().all(|layer| layer["won"].as_u64() > Some(20)), "{layers:?}");
    assert_eq!(source["hierarchy"], 1.0);
    let job = summary["job"].as_str().expect("a job");
    let written = files_below(&store.join("jobs").join(job).join("maps"));
    assert!(written.contains_key("report.html"));
    let output = directory.path().join("out/maps");
    let export = |place: &Path| finish(ventral(&store).args(["export", "--what", "maps", "-o"]).arg(place));
    let (stdout, stderr, code) = export(&output);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(files_below(&output) == written, "the same files");
    let (_, stderr, code) = export(&output);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("not an empty folder"), "{stderr}");
    let (_, stderr, code) = finish(ventral(&store).args(["export", "--what", "maps"]));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--output DIR"), "{stderr}");
}

#[test]
fn a_simulated_scan_is_a_card_that_can_be_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let scan = directory.path().join("scan");
    let demo = root().join("examples/demo");
    fs::copy(demo.join("stimulus_demo_scan.csv"), directory.path().join("few.csv")).expect("copied");
    fs::copy(demo.join("stimulus_demo.zip"), directory.path().join("few.zip")).expect("copied");
    let simulate = |layers: &str| {
        let mut command = ventral(&store);
        command.arg("simulate-scan").arg("--model").arg(demo.join("models/convnet_trained"));
        command.arg("--stimuli").arg(directory.path().join("few.csv")).args([
            "--identifier",
            "Few",
            "--layers",
            layers,
        ]);
        finish(command.args(["--subjects", "2", "--snr", "4", "--output"]).arg(&scan))
    };
    let (_, stderr, code) = simulate("conv1,nowhere");
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("no layer 'nowhere'") && stderr.contains("block2"), "{stderr}");
    let (_, stderr, code) = simulate("conv1,block5");
    assert_eq!(code, 0, "{stderr}");
    let (_, stderr, code) = simulate("conv1,block5");
    assert_eq!(code, 2, "{stderr}");
    let model = demo.join("models/convnet_trained");
    let spec = format!(
        "name = 'few'\nmodels = [{:?}]\n[layers]\nconvnet_trained = ['conv1', 'block5']\n[searchlight]\nscans = ['scan']\nradius = 2.0\n",
        model.display().to_string()
    );
    fs::write(directory.path().join("spec.toml"), spec).expect("written");
    let (stdout, stderr, code) = finish(ventral(&store).arg("run").arg(directory.path().join("spec.toml")));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(stdout.contains("convnet_trained on Few"), "{stdout}");
    assert!(!stdout.contains("logits"), "the readout is not among the layers that were asked for: {stdout}");
    // Two people cannot be significant.
    assert!(stdout.contains("4 sign flips the smallest p is 0.5"), "{stdout}");
}
