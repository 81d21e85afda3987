use ndarray::{Array2, Array3, Array4, Axis};
use ventral_models::{ActivationSource, Error, Network, NetworkActivations};

use crate::support::{card, fixture, npz, tiny, with_threads};

fn images() -> Vec<Array3<u8>> {
    let images: Array4<u8> = npz("tiny.npz", "images");
    images.axis_iter(Axis(0)).map(|image| image.to_owned()).collect()
}

fn all(network: &Network, images: &Vec<Array3<u8>>) -> Vec<Array2<f32>> {
    let source = NetworkActivations::new(network, images, None);
    let layers: Vec<usize> = (0..network.layers().len()).collect();
    source.activations(0..images.len(), &layers).unwrap()
}

fn bytes(array: &Array2<f32>) -> Vec<u32> {
    array.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_tensor_agrees_with_onnxruntime() {
    let network = tiny("");
    let names: Vec<&str> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
    let expected = [
        "conv1",
        "block_a/output",
        "norm1",
        "norm2",
        "pool1",
        "conv2",
        "mish",
        "block_b/output",
        "gap",
        "drop",
        "flat",
        "fc",
        "prob",
    ];
    assert_eq!(names, expected, "graph order, without the integer tensor");
    for (layer, found) in network.layers().iter().zip(all(&network, &images())) {
        let golden: Array2<f32> = npz("tiny.npz", &format!("tensor:{}", layer.name));
        assert_eq!(found.dim(), golden.dim(), "{}", layer.name);
        let scale = golden.iter().fold(0f32, |most, value| most.max(value.abs()));
        let worst = found.iter().zip(&golden).map(|(a, b)| (a - b).abs() / scale).fold(0f32, f32::max);
        assert!(worst <= 1e-5, "{}: {worst:e}", layer.name);
    }
}

#[test]
fn layers_have_their_shapes_without_the_batch() {
    let network = tiny("");
    let shape = |name: &str| network.layers()[network.layer(name).unwrap()].shape.clone();
    assert_eq!(shape("conv1"), [8, 16, 16]);
    assert_eq!(shape("fc"), [5]);
    assert_eq!(network.layers()[0].features, 8 * 16 * 16);
}

#[test]
fn bytes_do_not_depend_on_threads_company_or_batch() {
    let network = tiny("");
    let images = images();
    let reference = with_threads(1, || all(&network, &images));
    assert_eq!(with_threads(3, || all(&network, &images)), reference);
    let source = NetworkActivations::new(&network, &images, None);
    for (layer, whole) in reference.iter().enumerate() {
        let alone = source.activations(2..3, &[layer]).unwrap();
        assert_eq!(
            bytes(&alone[0]),
            bytes(&whole.slice(ndarray::s![2..3, ..]).to_owned()),
            "{}",
            network.layers()[layer].name
        );
    }
}

#[test]
fn layers_are_chosen_by_name_and_glob_in_graph_order() {
    let names = |patterns: &str| -> Vec<String> {
        tiny(patterns).layers().iter().map(|layer| layer.name.clone()).collect()
    };
    assert_eq!(
        names("[layers]\ninclude = [\"fc\", \"block_*/output\"]"),
        ["block_a/output", "block_b/output", "fc"]
    );
    assert_eq!(
        names("[layers]\ninclude = [\"block*\", \"norm?\"]\nexclude = [\"norm2\"]"),
        ["block_a/output", "norm1", "block_b/output", "fc"]
    );
    assert_eq!(
        names("[layers]\ninclude = [\"conv1\"]\n[regions]\nV4 = \"mish\""),
        ["conv1", "mish", "fc"],
        "committed layers and the readout come along"
    );
}

#[test]
fn logits_are_what_goes_into_the_softmax() {
    let network = tiny("");
    assert_eq!(network.layer("logits").unwrap(), network.layer("fc").unwrap());
}

#[test]
fn an_unknown_layer_is_answered_with_the_nearest_names() {
    let error = tiny("").layer("block_a/ouput").unwrap_err();
    assert!(error.to_string().contains("did you mean"), "{error}");
    assert!(
        matches!(&error, Error::UnknownLayer { nearest, .. } if nearest[0] == "block_a/output"),
        "{error}"
    );
    let directory = tempfile::tempdir().unwrap();
    for patterns in ["[layers]\ninclude = [\"covn1\"]", "[regions]\nV4 = \"covn1\""] {
        let card = card(directory.path(), &fixture("tiny.onnx"), "", patterns).unwrap();
        let error = Network::load(&card).err().unwrap();
        assert!(
            matches!(&error, Error::UnknownLayer { nearest, .. } if nearest.contains(&"conv1".to_owned())),
            "{error}"
        );
    }
}

#[test]
fn an_unsupported_operator_is_named_with_its_node_and_file() {
    let directory = tempfile::tempdir().unwrap();
    let card = card(directory.path(), &fixture("unsupported.onnx"), "", "").unwrap();
    let error = Network::load(&card).err().unwrap().to_string();
    for part in ["Hardmax", "the_node", "unsupported.onnx"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_card_with_another_input_size_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.toml");
    let text = format!(
        "identifier = \"a\"\nfile = {:?}\n{}",
        fixture("tiny.onnx"),
        crate::support::TINY_INPUT.replace("[16, 16]", "[24, 16]")
    );
    std::fs::write(&path, text).unwrap();
    let error =
        Network::load(&ventral_models::ModelCard::load(&path, None).unwrap()).err().unwrap().to_string();
    assert!(error.contains("input.size = [24, 16]") && error.contains("? x 3 x 16 x 16"), "{error}");
}

#[test]
fn a_bad_image_is_named_by_its_index() {
    let network = tiny("");
    let mut images = images();
    images.push(Array3::zeros((0, 4, 3)));
    let source = NetworkActivations::new(&network, &images, None);
    for threads in [1, 2] {
        let error = with_threads(threads, || source.activations(0..4, &[0]).err().unwrap().to_string());
        assert!(error.starts_with("stimulus 3"), "{error}");
    }
}

/// Loads the small model with its input's text replaced.
fn with_input(replace: (&str, &str)) -> Network {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.toml");
    let input = crate::support::TINY_INPUT.replace(replace.0, replace.1);
    std::fs::write(&path, format!("identifier = \"a\"\nfile = {:?}\n{input}", fixture("tiny.onnx"))).unwrap();
    Network::load(&ventral_models::ModelCard::load(&path, None).unwrap()).unwrap()
}

#[test]
fn an_infinite_activation_is_named_by_layer_and_stimulus() {
    let network = with_input(("std = [0.25, 0.25, 0.25]", "std = [1e-39, 0.25, 0.25]"));
    let grey = Array3::from_elem((16, 16, 3), 128);
    let mut white = grey.clone();
    white.fill(255);
    let images = vec![white];
    let source = NetworkActivations::new(&network, &images, None);
    let error = source.activations(0..1, &[0]).unwrap_err();
    assert!(matches!(&error, Error::NonFinite { layer, stimulus: 0, .. } if layer == "conv1"), "{error}");
}

#[test]
fn stimuli_are_placed_on_the_screen() {
    let network = tiny("");
    let images = images();
    let shown = |degrees| {
        NetworkActivations::new(&network, &images, degrees).activations(0..1, &[0]).unwrap().remove(0)
    };
    assert_eq!(shown(Some(8.0)), shown(None), "the model spans 8 degrees");
    let small = vec![ventral_models::place_on_screen(&images[0], 8.0, 4.0).unwrap().into_owned()];
    assert_eq!(
        shown(Some(4.0)),
        NetworkActivations::new(&network, &small, None).activations(0..1, &[0]).unwrap()[0]
    );
    assert_ne!(shown(Some(4.0)), shown(None));
}

#[test]
fn requests_out_of_range_are_refused() {
    let network = tiny("");
    let images = images();
    let source = NetworkActivations::new(&network, &images, None);
    let layers = network.layers().len();
    assert!(matches!(source.activations(0..1, &[layers]), Err(Error::LayerIndex { .. })));
    assert!(matches!(source.activations(2..4, &[0]), Err(Error::StimulusRange { .. })));
}
