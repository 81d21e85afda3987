//! From a spec to the files that its job reads.

use std::fs;
use std::path::Path;

use ventral_bundle::{Collected, Error, MAX_DEPTH, Manifest, collect};
use ventral_plan::{CardKind, Digest};

use crate::{demo, root, write};

const PNG: &[u8] = include_bytes!("../../../data/tests/data/images/png_rgb.png");

fn paths(collected: &Collected) -> Vec<&str> {
    collected.manifest.files.iter().map(|entry| entry.path.as_str()).collect()
}

/// Virtual paths of what a card reads.
fn of_card<'a>(manifest: &'a Manifest, card: &str) -> Vec<&'a str> {
    let card = manifest.cards.iter().find(|entry| entry.path == card).expect("a card");
    card.files.iter().map(|&index| manifest.files[index].path.as_str()).collect()
}

#[test]
fn the_demo_is_complete() {
    let demo = demo();
    assert_eq!(demo.problems, Vec::<String>::new());
    assert_eq!(demo.manifest.spec, "files/demo.toml");
    for (entry, source) in demo.manifest.files.iter().zip(&demo.sources) {
        let bytes = fs::read(source).expect("readable");
        assert_eq!((Digest::of_bytes(&bytes), bytes.len() as u64), (entry.digest.clone(), entry.bytes));
    }
    let found = paths(&demo);
    // All but the page about the demo.
    let expected =
        ["files/demo/stimulus_demo.zip", "files/demo/stimulus_demo.csv", "files/demo/assy_demo_v1.nc"];
    assert!(expected.iter().all(|path| found.contains(path)), "{found:?}");
    assert!(!found.contains(&"files/demo/README.md"));
    assert_eq!(
        of_card(&demo.manifest, "files/demo/benchmarks/v1/benchmark.toml"),
        [
            "files/demo/assy_demo_v1.nc",
            "files/demo/benchmarks/v1/benchmark.toml",
            "files/demo/stimulus_demo.csv",
            "files/demo/stimulus_demo.zip"
        ]
    );
    assert_eq!(demo.manifest.cards.iter().filter(|card| card.kind == CardKind::Model).count(), 3);
    assert_eq!(demo.manifest, crate::demo().manifest, "the same files have the same manifest");
}

/// A job whose files lie in the data directory, beside the cards and in folders.
fn scattered(place: &Path) -> std::path::PathBuf {
    let spec = place.join("lab/specs/spec.toml");
    write(&spec, "name = 'test'\nmodels = ['../models/*', '../../elsewhere/given']\nbenchmarks = ['b']\n");
    let card = "identifier = 'external'\nfile = 'net/external.onnx'\n[input]\nsize = [32, 32]\nchannels = 'rgb'\n\
        scale = '1'\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";
    let fixtures = root().join("crates/models/tests/data");
    write(&place.join("lab/models/external/model.toml"), card);
    for name in ["external.onnx", "external.bin"] {
        write(
            &place.join("lab/models/external/net").join(name),
            fs::read(fixtures.join(name)).expect("a fixture"),
        );
    }
    write(
        &place.join("elsewhere/given/model.toml"),
        "identifier = 'given'\n[activations]\ndata = 'given/a.npy'\n",
    );
    write(&place.join("data/given/a.npy"), b"not read here");
    let card = "identifier = 'B'\nversion = '1'\nregion = 'V4'\n\
        [stimuli]\nformat = 'directory'\ndata = 'images'\npattern = 'set/*.png'\n\
        [assembly]\nformat = 'npy'\nfile = 'responses.npy'\n\
        [repeats]\nformat = 'npy'\nfile = '../repeats.npy'\naxes = ['repetition', 'presentation', 'neuroid']\n\
        [metric]\nname = 'pls'\n[splits]\nscheme = 'folds'\nfile = 'folds.csv'\n\
        [ceiling]\nsource = 'per_neuroid'\nrule = 'raw'\ndata = 'ceiling.npy'\n";
    write(&place.join("lab/specs/b/benchmark.toml"), card);
    for name in
        ["lab/specs/b/responses.npy", "lab/specs/repeats.npy", "lab/specs/b/folds.csv", "data/ceiling.npy"]
    {
        write(&place.join(name), name);
    }
    for name in ["a.png", "b.png", "c.jpg"] {
        write(&place.join("data/images/set").join(name), PNG);
    }
    write(&place.join("data/images/other/d.png"), PNG);
    spec
}

#[test]
fn every_kind_of_reference_is_found() {
    let place = tempfile::tempdir().expect("a directory");
    let spec = scattered(place.path());
    let found = collect(&spec, Some(&place.path().join("data"))).expect("collected");
    assert_eq!(found.problems, Vec::<String>::new());
    assert_eq!(found.manifest.spec, "files/lab/specs/spec.toml");
    assert_eq!(
        of_card(&found.manifest, "files/lab/specs/b/benchmark.toml"),
        [
            "data/ceiling.npy",
            "data/images/set/a.png",
            "data/images/set/b.png",
            "files/lab/specs/b/benchmark.toml",
            "files/lab/specs/b/folds.csv",
            "files/lab/specs/b/responses.npy",
            "files/lab/specs/repeats.npy"
        ]
    );
    assert_eq!(
        of_card(&found.manifest, "files/lab/models/external/model.toml"),
        [
            "files/lab/models/external/model.toml",
            "files/lab/models/external/net/external.bin",
            "files/lab/models/external/net/external.onnx"
        ]
    );
    assert_eq!(
        of_card(&found.manifest, "files/elsewhere/given/model.toml"),
        ["data/given/a.npy", "files/elsewhere/given/model.toml"]
    );
    let order: Vec<&str> = found.manifest.cards.iter().map(|card| card.path.as_str()).collect();
    assert_eq!(order[0], "files/lab/models/external/model.toml", "in the order of the spec");
    assert_eq!(found.manifest.blobs().len(), found.manifest.files.len() - 1, "two images are the same blob");
}

#[test]
fn a_card_that_cannot_be_used_is_a_problem_and_stays_in() {
    let place = tempfile::tempdir().expect("a directory");
    let spec = scattered(place.path());
    fs::remove_file(place.path().join("lab/specs/b/responses.npy")).expect("removable");
    write(&place.path().join("lab/models/broken/model.toml"), "identifer = 'typo'");
    let found = collect(&spec, Some(&place.path().join("data"))).expect("collected");
    assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
    assert!(found.problems.iter().any(|problem| problem.contains("responses.npy")));
    assert!(found.problems.iter().any(|problem| problem.contains("identifer")));
    let found = paths(&found);
    assert!(found.contains(&"files/lab/models/broken/model.toml") && found.contains(&"data/ceiling.npy"));
    let without_data = collect(&spec, None).expect("collected");
    assert!(without_data.problems.iter().any(|problem| problem.contains("VENTRAL_DATA")));
}

#[test]
fn files_outside_of_the_data_directory_are_a_problem() {
    let place = tempfile::tempdir().expect("a directory");
    let spec = scattered(place.path());
    write(&place.path().join("secret.npy"), "secret");
    write(
        &place.path().join("elsewhere/given/model.toml"),
        "identifier = 'given'\n[activations]\ndata = '../secret.npy'\n",
    );
    let found = collect(&spec, Some(&place.path().join("data"))).expect("collected");
    assert!(found.problems.iter().any(|problem| problem.contains("secret.npy")), "{:?}", found.problems);
    assert!(!paths(&found).iter().any(|path| path.contains("secret")));
    let absolute = place.path().join("data/given/a.npy");
    for field in ["file", "data"] {
        let card = format!("identifier = 'given'\n[activations]\n{field} = '{}'\n", absolute.display());
        write(&place.path().join("elsewhere/given/model.toml"), card);
        let found = collect(&spec, Some(&place.path().join("data"))).expect("collected");
        assert!(found.problems.iter().any(|problem| problem.contains("absolute")), "{:?}", found.problems);
    }
}

#[test]
fn specs_that_cannot_be_used_are_errors() {
    let place = tempfile::tempdir().expect("a directory");
    let spec = place.path().join("spec.toml");
    assert!(matches!(collect(&spec, None), Err(Error::Io { .. })));
    write(&spec, "name = 'x'\nmodels = ['nothing']\nbenchmarks = ['nothing']\n");
    assert!(matches!(collect(&spec, None), Err(Error::NoCard { field: "models", .. })));
    write(&place.path().join("b/one/benchmark.toml"), "");
    for entry in ["b/*", "b/one"] {
        write(&spec, format!("name = 'x'\nmodels = ['{entry}']\nbenchmarks = ['b/*']\n"));
        let error = collect(&spec, None).expect_err("no models").to_string();
        assert!(error.contains("benchmark cards") && error.contains("`benchmarks`"), "{error}");
    }
    write(&spec, "name = 'x'\n");
    assert!(matches!(collect(&spec, None), Err(Error::Spec(_))));
    write(&spec, vec![b'#'; (1 << 20) + 1]);
    let error = collect(&spec, None).expect_err("too large");
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("limit is 1048576"), "{error}");
}

#[test]
fn paths_that_no_bundle_can_hold_are_errors() {
    let place = tempfile::tempdir().expect("a directory");
    let write_job = |folders: usize| {
        let folder = (0..folders).map(|_| "d").collect::<Vec<_>>().join("/");
        let card = "identifier = 'given'\n[activations]\nfile = 'a.npy'\n";
        write(&place.path().join(format!("{folder}/model.toml")), card);
        write(&place.path().join(format!("{folder}/a.npy")), "a");
        let spec = place.path().join("spec.toml");
        write(&spec, format!("name = 'x'\nmodels = ['{folder}']\nbenchmarks = ['b']\n"));
        write(&place.path().join("b/benchmark.toml"), "");
        collect(&spec, None)
    };
    // files, the folders, the file.
    write_job(MAX_DEPTH - 2).expect("the bound is allowed");
    let error = write_job(MAX_DEPTH - 1).expect_err("too deep");
    assert!(error.to_string().contains(&format!("at most {MAX_DEPTH}")), "{error}");
}

#[test]
fn a_scan_brings_all_its_files() {
    let place = tempfile::tempdir().expect("a directory");
    let spec = place.path().join("lab/spec.toml");
    write(&spec, "name = 'maps'\n[searchlight]\nscans = ['scans/*']\n");
    let card = "identifier = 'S'\nversion = '1'\n[labels]\nfile = 'labels.tsv'\n\
        [stimuli]\nformat = 'directory'\ndata = 'images'\npattern = '*.png'\n\
        [[subject]]\nid = '01'\nmask = { data = 'brain/mask.nii.gz' }\nanatomy = { file = 'anatomy.nii' }\n\
        neighbourhoods = { file = 'discs.npz' }\nregions = { V1 = { data = 'brain/v1.nii' } }\n\
        [[subject.run]]\nvolumes = [{ data = 'brain/run1.nii' }, { data = 'brain/run2.nii' }]\n\
        [[rdm]]\nname = 'given'\nfile = '../given.csv'\n";
    write(&place.path().join("lab/scans/s/scan.toml"), card);
    let data = ["data/brain/mask.nii.gz", "data/brain/v1.nii", "data/brain/run1.nii", "data/brain/run2.nii"];
    let files = ["labels.tsv", "anatomy.nii", "discs.npz", "../given.csv"];
    for name in data {
        write(&place.path().join(name), name);
    }
    for name in files {
        write(&place.path().join("lab/scans/s").join(name), name);
    }
    write(&place.path().join("data/images/a.png"), PNG);
    let collected = collect(&spec, Some(&place.path().join("data"))).expect("a bundle");
    assert_eq!(collected.problems, Vec::<String>::new());
    let expected = [
        "data/brain/mask.nii.gz",
        "data/brain/run1.nii",
        "data/brain/run2.nii",
        "data/brain/v1.nii",
        "data/images/a.png",
        "files/scans/given.csv",
        "files/scans/s/anatomy.nii",
        "files/scans/s/discs.npz",
        "files/scans/s/labels.tsv",
        "files/scans/s/scan.toml",
    ];
    assert_eq!(of_card(&collected.manifest, "files/scans/s/scan.toml"), expected);
    assert_eq!(collected.manifest.cards[0].kind, CardKind::Scan);
    let again = Manifest::from_bytes(&collected.manifest.to_bytes()).expect("a manifest");
    assert_eq!(again, collected.manifest);
}

#[test]
fn natural_images_travel_with_their_card() {
    let place = tempfile::tempdir().expect("a directory");
    let demo =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo").canonicalize().expect("the demo");
    let spec = place.path().join("spec.toml");
    let (model, natural) = (demo.join("models/convnet_random"), demo.join("benchmarks/v4"));
    let text = |natural: &str| {
        format!("name = 'images'\nmodels = [{model:?}]\n[synthesis]\nnatural = {natural:?}\n")
    };
    write(&spec, text(natural.to_str().expect("text")));
    let collected = collect(&spec, None).expect("a bundle");
    assert_eq!(collected.problems, Vec::<String>::new());
    let kinds: Vec<_> = collected.manifest.cards.iter().map(|card| card.kind).collect();
    assert_eq!(kinds, [CardKind::Model, CardKind::Pool]);
    let card = &collected.manifest.cards[1];
    let files: Vec<_> = card.files.iter().map(|&file| collected.manifest.files[file].path.as_str()).collect();
    assert!(files.iter().any(|file| file.ends_with("stimulus_demo.zip")), "{files:?}");
    assert_eq!(Manifest::from_bytes(&collected.manifest.to_bytes()).expect("a manifest"), collected.manifest);

    write(&spec, text(demo.join("benchmarks/*").to_str().expect("text")));
    let error = collect(&spec, None).expect_err("more than one").to_string();
    assert!(error.contains("synthesis.natural") && error.contains("benchmark cards"), "{error}");
    write(&spec, text("nowhere"));
    let error = collect(&spec, None).expect_err("none").to_string();
    assert!(error.contains("synthesis.natural") && error.contains("nowhere"), "{error}");
}
