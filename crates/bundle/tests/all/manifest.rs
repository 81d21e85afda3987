//! Manifests come from anybody.

use serde_json::{Value, json};
use ventral_bundle::{
    Error, MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_MANIFEST_BYTES, MAX_PART_BYTES, MAX_PATH_BYTES, Manifest,
};

use crate::demo;

fn digest() -> String {
    "0".repeat(64)
}

fn with_files(paths: &[&str]) -> Value {
    let files: Vec<Value> =
        paths.iter().map(|path| json!({"path": path, "digest": digest(), "bytes": 1})).collect();
    json!({"revision": 1, "spec": "files/a.toml", "files": files, "cards": []})
}

/// The bytes that the program would write for such a manifest.
fn bytes(value: &Value) -> Vec<u8> {
    match serde_json::from_value::<Manifest>(value.clone()) {
        Ok(manifest) => manifest.to_bytes(),
        Err(_) => value.to_string().into_bytes(),
    }
}

fn refused(value: &Value) -> String {
    match Manifest::from_bytes(&bytes(value)) {
        Err(error @ Error::Manifest { .. }) => error.to_string(),
        other => panic!("{other:?} for {value}"),
    }
}

#[test]
fn a_manifest_survives_its_bytes() {
    let manifest = demo().manifest;
    let bytes = manifest.to_bytes();
    assert_eq!(Manifest::from_bytes(&bytes).expect("its own"), manifest);
    assert_eq!(manifest.digest(), ventral_plan::Digest::of_bytes(&bytes));
    let mut spaced = bytes.clone();
    spaced.push(b' ');
    assert!(Manifest::from_bytes(&spaced).is_err(), "one manifest has one digest");
    for end in (0..bytes.len()).step_by(97) {
        assert!(Manifest::from_bytes(&bytes[..end]).is_err());
    }
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    Manifest::from_bytes(&bytes(&with_files(&["data/x", "files/a.toml"]))).expect("plain paths");
    let long_part = format!("files/{}", "x".repeat(MAX_PART_BYTES + 1));
    let deep = format!("files{}", "/x".repeat(MAX_DEPTH));
    let long = format!("files{}", format!("/{}", "x".repeat(200)).repeat(6));
    assert!(long.len() > MAX_PATH_BYTES);
    for bad in [
        "files/../x",
        "files/..",
        "files/./x",
        "files//x",
        "files/x/",
        "/files/x",
        "files",
        "data",
        "",
        "etc/passwd",
        "../files/x",
        "files/x\\y",
        "files/x\0y",
        "files/x\ny",
        "Files/x",
        "C:/x",
        &long_part,
        &deep,
        &long,
    ] {
        let mut paths = vec!["files/a.toml", bad];
        paths.sort_unstable();
        let error = refused(&with_files(&paths));
        assert!(error.contains("files["), "{bad:?}: {error}");
    }
    let bounds =
        [format!("files/{}", "x".repeat(MAX_PART_BYTES)), format!("files{}", "/x".repeat(MAX_DEPTH - 1))];
    for good in bounds.iter().map(String::as_str) {
        let mut paths = vec!["files/a.toml", good];
        paths.sort_unstable();
        Manifest::from_bytes(&bytes(&with_files(&paths))).expect("the bound is allowed");
    }
}

#[test]
fn files_that_cannot_lie_side_by_side_are_refused() {
    for (paths, expected) in [
        (vec!["files/a.toml", "files/a.toml"], "in order"),
        (vec!["files/a.toml", "data/x"], "in order"),
        (vec!["files/A.toml", "files/a.toml"], "case"),
        (vec!["files/Dir/x", "files/a.toml", "files/dir/X"], "case"),
        (vec!["files/a.toml", "files/a.toml/b"], "a file and a folder"),
        (vec!["files/A.toml/b", "files/a.toml"], "a file and a folder"),
        (vec!["files/b.toml"], "spec"),
        (vec![], "spec"),
    ] {
        let error = refused(&with_files(&paths));
        assert!(error.contains(expected), "{paths:?}: {error}");
    }
}

#[test]
fn limits_hold() {
    let plain = with_files(&["files/a.toml"]);
    let changed = |pointer: &str, value: Value| {
        let mut manifest = plain.clone();
        *manifest.pointer_mut(pointer).expect("a field") = value;
        manifest
    };
    Manifest::from_bytes(&bytes(&changed("/files/0/bytes", json!(MAX_FILE_BYTES))))
        .expect("the bound is allowed");
    for (pointer, value) in [
        ("/files/0/bytes", json!(MAX_FILE_BYTES + 1)),
        ("/files/0/bytes", json!(-1)),
        ("/files/0/digest", json!("0".repeat(63))),
        ("/files/0/digest", json!("A".repeat(64))),
        ("/revision", json!(2)),
        ("/spec", json!("data/x")),
        ("/cards", json!([{"kind": "model", "path": "files/none.toml", "files": []}])),
        ("/cards", json!([{"kind": "model", "path": "files/a.toml", "files": []}])),
        ("/cards", json!([{"kind": "model", "path": "files/a.toml", "files": [0, 1]}])),
        ("/cards", json!([{"kind": "model", "path": "files/a.toml", "files": [0, 0]}])),
        ("/cards", json!([{"kind": "recipe", "path": "files/a.toml", "files": [0]}])),
    ] {
        refused(&changed(pointer, value));
    }
    let card = |kind: &str| json!({"kind": kind, "path": "files/a.toml", "files": [0]});
    Manifest::from_bytes(&bytes(&changed("/cards", json!([card("model"), card("benchmark")]))))
        .expect("in order");
    refused(&changed("/cards", json!([card("benchmark"), card("model")])));
    refused(&changed("/cards", json!([card("model"), card("model")])));
    let mut unknown = plain.clone();
    unknown["more"] = json!(1);
    refused(&unknown);
    assert!(Manifest::from_bytes(&vec![b' '; MAX_MANIFEST_BYTES + 1]).is_err());
    let many: Vec<String> =
        (0..MAX_FILES).map(|i| format!("files/{i:06}")).chain(["files/a.toml".to_owned()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(refused(&with_files(&many)).contains("at most"));
    Manifest::from_bytes(&bytes(&with_files(&many[1..]))).expect("the bound is allowed");
    let thirty_three: Vec<String> = (0..33).map(|i| format!("files/a.toml{i:02}")).collect();
    let mut total = with_files(&thirty_three.iter().map(String::as_str).collect::<Vec<_>>());
    for file in total["files"].as_array_mut().expect("a list") {
        file["bytes"] = json!(MAX_FILE_BYTES);
    }
    assert!(refused(&total).contains("in all"));
}
