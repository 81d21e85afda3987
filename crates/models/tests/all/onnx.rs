use std::path::Path;

use ventral_models::{
    ActivationSource, Error, MAX_MODEL_BYTES, MAX_NESTING, MAX_NODES, MAX_RANK, Network, NetworkActivations,
    OnnxFile,
};

use crate::support::{card, fixture, tiny};

fn message(bytes: &[u8]) -> String {
    match OnnxFile::from_bytes(Path::new("some.onnx"), bytes) {
        Err(error @ Error::Model { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn what_is_not_onnx_or_cut_short_is_refused() {
    let whole = std::fs::read(fixture("tiny.onnx")).unwrap();
    for bytes in [
        b"".as_slice(),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"not a model at all",
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 1],
    ] {
        let error = message(bytes);
        assert!(error.starts_with("some.onnx: "), "{error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = OnnxFile::read(Path::new("/nowhere/m.onnx")).err().unwrap().to_string();
    assert!(error.starts_with("/nowhere/m.onnx: cannot read"), "{error}");
}

#[test]
fn external_weights_give_the_same_activations() {
    let directory = tempfile::tempdir().unwrap();
    let card = card(directory.path(), &fixture("external.onnx"), "", "").unwrap();
    let network = Network::load(&card).unwrap();
    let images = vec![ndarray::Array3::from_shape_fn((16, 16, 3), |(y, x, c)| (y * 16 + x * 3 + c) as u8)];
    let layers: Vec<usize> = (0..network.layers().len()).collect();
    let with = |network: &Network| {
        NetworkActivations::new(network, &images, None).activations(0..1, &layers).unwrap()
    };
    assert_eq!(with(&network), with(&tiny("")));
}

#[test]
fn the_digest_covers_external_weights() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["external.onnx", "external.bin"] {
        std::fs::copy(fixture(name), directory.path().join(name)).unwrap();
    }
    let path = directory.path().join("external.onnx");
    let before = OnnxFile::read(&path).unwrap();
    let weights = directory.path().join("external.bin");
    let mut bytes = std::fs::read(&weights).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let after = OnnxFile::read(&path).unwrap();
    assert_eq!(before.sha256(), after.sha256());
    assert_ne!(before.digest(), after.digest());
}

/// The fixture with `external.bin` replaced by a name of the same length.
fn pointing_to(name: &str) -> Vec<u8> {
    assert_eq!(name.len(), "external.bin".len());
    let mut bytes = std::fs::read(fixture("external.onnx")).unwrap();
    let found: Vec<usize> =
        (0..bytes.len() - name.len()).filter(|&at| bytes[at..].starts_with(b"external.bin")).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
    }
    bytes
}

#[test]
fn external_weights_outside_the_directory_are_refused() {
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("models");
    std::fs::create_dir(&directory).unwrap();
    std::fs::copy(fixture("external.bin"), outer.path().join("weights.b")).unwrap();
    std::os::unix::fs::symlink("../weights.b", directory.join("link-to-file")).unwrap();
    let model = directory.join("m.onnx");
    for name in ["../weights.b", "/etc/passwd0", "link-to-file"] {
        std::fs::write(&model, pointing_to(name)).unwrap();
        let error = OnnxFile::read(&model).err().unwrap().to_string();
        assert!(error.contains("outside the directory of the model"), "{name}: {error}");
    }
}

#[test]
fn external_weights_cut_short_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("external.onnx"), directory.path().join("external.onnx")).unwrap();
    std::fs::write(directory.path().join("external.bin"), b"short").unwrap();
    let error = OnnxFile::read(&directory.path().join("external.onnx")).err().unwrap().to_string();
    assert!(error.contains("the file has 5"), "{error}");
    let bytes = std::fs::read(fixture("external.onnx")).unwrap();
    assert!(message(&bytes).contains("without its directory"));
}

/// A protobuf field that holds bytes.
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

/// A model of one graph, with an operator set.
fn model(graph: &[u8]) -> Vec<u8> {
    [field(7, graph), field(8, &[])].concat()
}

fn accepted(bytes: &[u8]) -> bool {
    OnnxFile::from_bytes(Path::new("some.onnx"), bytes).is_ok()
}

#[test]
fn the_number_of_operators_is_limited() {
    let nodes = |count: usize| model(&[0x0a, 0].repeat(count));
    assert!(accepted(&nodes(MAX_NODES)));
    assert!(message(&nodes(MAX_NODES + 1)).contains("more than 20000 operators"));
    assert!(message(&model(&[])).contains("no operators"));
}

#[test]
fn the_nesting_of_graphs_is_limited() {
    let nested = |depth: usize| {
        let mut graph = field(1, &[]);
        for _ in 0..depth {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        model(&graph)
    };
    assert!(accepted(&nested(MAX_NESTING)));
    assert!(message(&nested(MAX_NESTING + 1)).contains("nested more than 8 deep"));
    assert!(message(&nested(2000)).contains("some.onnx"));
}

#[test]
fn the_rank_and_size_of_weights_are_limited() {
    let weight = |dims: &[u8]| {
        let dims: Vec<u8> = dims.iter().flat_map(|&dim| [0x08, dim]).collect();
        model(&[field(1, &[]), field(5, &dims)].concat())
    };
    assert!(accepted(&weight(&[1; MAX_RANK])));
    assert!(message(&weight(&[1; MAX_RANK + 1])).contains("impossible shape"));
    assert!(accepted(&weight(&[64; 5])), "2^30 elements");
    assert!(message(&weight(&[64; 6])).contains("impossible shape"), "2^36 elements");
    assert!(message(&weight(&[127; 12])).contains("impossible shape"), "more than a 64-bit number holds");
}

#[test]
fn a_file_over_the_limit_is_refused_unread() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.onnx");
    std::fs::File::create(&path).unwrap().set_len(MAX_MODEL_BYTES + 1).unwrap();
    let error = OnnxFile::read(&path).err().unwrap().to_string();
    assert!(error.contains("more than 2147483647 bytes"), "{error}");
}
