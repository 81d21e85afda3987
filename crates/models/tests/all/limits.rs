//! Models that would take all memory, or time without end, are refused before they run, and the node is named.

use ventral_models::{
    ActivationSource, Error, Layer, MAX_DECODING_BYTES, MAX_EXTENT, MAX_TENSOR_BYTES, MAX_TRIPS, Network,
    NetworkActivations, OnnxFile,
};

use crate::graphs::{Attribute, Graph, integer, integers};

fn load(graph: &Graph) -> Result<Vec<Layer>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let card = graph.card(folder.path(), 17, [8, 8])?;
    Network::load(&card).map(|network| network.layers().to_vec())
}

fn refused(graph: &Graph, says: &[&str]) {
    let error = load(graph).expect_err("refused").to_string();
    assert!(says.iter().all(|says| error.contains(says)), "{error}");
}

fn one(operator: &str, inputs: &str, attributes: &[Attribute]) -> Graph {
    let mut graph = Graph::new();
    graph.node(operator, inputs, "y", attributes);
    graph
}

#[test]
fn an_operator_that_makes_too_much_is_named_before_it_runs() {
    let tiled = |times: i64| {
        let mut graph = one("Tile", "x n", &[]);
        graph.list("n", &[times, 1, 1, 1]).clone()
    };
    // 192 values of 4 bytes each time.
    let most = (MAX_TENSOR_BYTES / 768) as i64;
    refused(&tiled(most + 1), &["operator Tile (node \"Tile of y\")", "[1.0, 3.0, 8.0, 8.0]", "1.000 GiB"]);
    assert!(load(&tiled(2)).is_ok());
    let mut expand = one("Expand", "x n", &[]);
    refused(expand.list("n", &[1 << 40, 3, 8, 8]), &["operator Expand"]);
    let mut conv = one("Conv", "x w", &[integers("pads", &[60_000; 4])]);
    refused(conv.random("w", &[1, 3, 1, 1], 1.0), &["operator Conv"]);
}

#[test]
fn windows_are_limited() {
    let lrn = |size: u64| one("LRN", "x", &[integer("size", size as i64)]);
    assert!(load(&lrn(3)).is_ok());
    refused(&lrn(MAX_EXTENT + 1), &["operator LRN", "`size` has 65537"]);
    refused(&lrn(1 << 62), &["operator LRN"]);
    refused(
        &one("MaxPool", "x", &[integers("kernel_shape", &[1 << 31, 2])]),
        &["operator MaxPool", "kernel_shape"],
    );
}

#[test]
fn rounds_of_a_loop_are_limited() {
    let mut graph = one("Loop", "n - x", &[]);
    graph.list("n", &[i64::from(MAX_TRIPS) + 1]);
    // Without a body the engine refuses it, too, but only a graph that was not stopped before gets there.
    assert!(load(&graph).is_err());
}

#[test]
fn sizes_may_not_depend_on_the_pixels() {
    let mut graph = Graph::new();
    graph.node("NonZero", "x", "n", &[]).node("Cast", "n", "y", &[integer("to", 1)]);
    refused(&graph, &["operator NonZero", "depends on the pixels"]);
    let mut shaped = Graph::new();
    shaped.node("Shape", "x", "s", &[]).node("Expand", "x s", "y", &[]);
    assert!(load(&shaped).is_ok(), "the shape of the image is no pixel");
}

#[test]
fn what_is_read_before_it_is_made_is_refused() {
    let mut graph = Graph::new();
    graph.node("Relu", "later", "y", &[]).node("Abs", "x", "later", &[]);
    refused(&graph, &["operator Relu", "\"later\""]);
}

#[test]
fn a_panic_of_the_engine_names_the_node() {
    let mut graph = Graph::new();
    graph.node("Relu", "x", "a", &[]);
    graph.node("MaxPool", "a", "y", &[integers("kernel_shape", &[2, 2]), integers("strides", &[0, 0])]);
    let error = load(&graph).expect_err("refused").to_string();
    assert!(error.contains("MaxPool"), "{error}");
}

#[test]
fn a_long_chain_is_planned() {
    let mut graph = Graph::new();
    graph.node("Relu", "x", "t0", &[]);
    for step in 0..12_000 {
        graph.node("Relu", &format!("t{step}"), &format!("t{}", step + 1), &[]);
    }
    let folder = tempfile::tempdir().unwrap();
    graph.card(folder.path(), 17, [8, 8]).unwrap();
    let path = folder.path().join("model.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}[layers]\ninclude = [\"t12000\"]\n")).unwrap();
    let card = ventral_models::ModelCard::load(&path, None).unwrap();
    let network = Network::load(&card).unwrap();
    let images = vec![ndarray::Array3::from_elem((8, 8, 3), 9)];
    // On a thread as small as those that images run on.
    let run = || NetworkActivations::new(&network, &images, None).activations(0..1, &[0]).map(drop);
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap().unwrap();
}

#[test]
fn empty_messages_are_counted_before_they_are_decoded() {
    let nodes = |count: usize| {
        let graph = [0x0a, 0].repeat(count);
        let mut bytes = vec![0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
        [bytes, graph, vec![0x42, 0]].concat()
    };
    let error = |count| {
        OnnxFile::from_bytes(std::path::Path::new("m.onnx"), &nodes(count)).err().unwrap().to_string()
    };
    assert!(error(30_000).contains("operators"), "{}", error(30_000));
    let many = error(5_000_000);
    assert!(
        many.contains(&format!("{} MiB", MAX_DECODING_BYTES >> 20)) && many.contains("and counting"),
        "{many}"
    );
}
