//! What operators were written like in old operator sets, and options that few models use: values are the scorer's, gradients those of
//! central differences.

use ndarray::{Array1, Array3, ArrayView1};
use sha2::{Digest, Sha256};
use ventral_models::{ActivationSource, Differentiable, Error, ModelCard, Network, NetworkActivations};

use crate::derivatives::{check, gradient_error};
use crate::gradient::{difference, evaluate};
use crate::graphs::{Attribute, Graph, float, integer, integers, text};

const SIZE: [usize; 2] = [4, 5];
/// What digests say of the input of [`Graph::card`] of this size.
const INPUT: &str = "resampling pillow size 4x5 channels Rgb scale By255 mean 00000000,00000000,00000000 \
     std 3f800000,3f800000,3f800000 resize Exact layout Nchw degrees 4020000000000000";

#[test]
fn bounds_of_clip_as_attributes() {
    check("Clip", 6, SIZE, |graph| {
        graph.node("Clip", "x", "y", &[float("min", 0.3), float("max", 0.7)]);
    });
    check("Clip above", 6, SIZE, |graph| {
        graph.node("Clip", "x", "y", &[float("min", 0.4)]);
    });
    check("Clip without bounds", 6, SIZE, |graph| {
        graph.node("Clip", "x", "y", &[]);
    });
}

#[test]
fn pads() {
    let pads = [0, 0, 1, 2, 0, 0, 2, 1];
    check("Pad by attributes", 2, SIZE, |graph| {
        graph.node("Pad", "x", "a", &[integers("pads", &pads), float("value", 0.7)]);
        graph.node("Mul", "a a", "y", &[]);
    });
    check("Pad by inputs, with a value", 17, SIZE, |graph| {
        graph.list("pads", &pads).weight("value", &[], vec![0.7]).node("Pad", "x pads value", "a", &[]);
        graph.node("Mul", "a a", "y", &[]);
    });
    check("Pad, wrapped", 19, SIZE, |graph| {
        graph.list("pads", &pads).node("Pad", "x pads", "y", &[text("mode", "wrap")]);
    });
}

#[test]
fn cuts_by_attributes() {
    check("Slice", 1, SIZE, |graph| {
        let starts = [integers("starts", &[1, -4]), integers("ends", &[3, 1000]), integers("axes", &[1, 3])];
        graph.node("Slice", "x", "y", &starts);
    });
    check("Split", 2, SIZE, |graph| {
        graph.node("Split", "x", "a b", &[integers("split", &[3, 2]), integer("axis", 3)]);
        graph.node("Concat", "b a", "y", &[integer("axis", 3)]);
    });
    check("Split alike", 2, [4, 6], |graph| {
        graph.node("Split", "x", "a b c", &[integer("axis", 3)]).node("Mul", "a c", "y", &[]);
    });
}

#[test]
fn functions() {
    let moved = |operator: &str, version: i64, attributes: &[Attribute]| {
        check(operator, version, SIZE, |graph| {
            graph.weight("half", &[], vec![0.5]).weight("ten", &[], vec![10.0]);
            graph.node("Sub", "x half", "a", &[]).node("Mul", "a ten", "b", &[]);
            graph.node(operator, "b", "y", attributes);
        });
    };
    moved("HardSwish", 14, &[]);
    moved("Swish", 24, &[]);
    moved("Swish", 24, &[float("alpha", 0.6)]);
}

#[test]
fn the_error_function_is_exact() {
    let known = [
        (0.25, 0.2763263901682369),
        (0.5, 0.5204998778130465),
        (1.0, 0.8427007929497148),
        (1.5, 0.9661051464753108),
        (1.75, 0.9866716712191824),
        (2.0, 0.9953222650189527),
        (2.25, 0.9985372834133188),
        (2.5, 0.999593047982555),
        (3.0, 0.9999779095030014),
        (4.0, 0.9999999845827421),
    ];
    let directory = tempfile::tempdir().unwrap();
    let mut graph = Graph::new();
    graph.weight("four", &[], vec![4.0]).node("Mul", "x four", "a", &[]).node("Erf", "a", "y", &[]);
    let card = graph.card(directory.path(), 17, [1, 10]).unwrap();
    let model = Differentiable::<f64>::load(&card, &["y".to_owned()]).unwrap();
    let image = Array3::from_shape_fn((3, 1, 10), |(_, _, x)| known[x].0 / 4.0);
    let found = &evaluate(&model, &image).0[0];
    for ((x, expected), found) in known.iter().zip(found) {
        assert!((found - expected).abs() <= 2e-15, "erf({x}) = {found}, not {expected}");
    }
}

#[test]
fn reductions() {
    check("no axes: nothing is summed", 18, SIZE, |graph| {
        graph.list("axes", &[]).node("ReduceSum", "x axes", "a", &[integer("noop_with_empty_axes", 1)]);
        graph.node("Mul", "a a", "y", &[]);
    });
    for operator in ["ReduceSum", "ReduceMean"] {
        check(&format!("{operator} of one number without axes"), 13, SIZE, |graph| {
            graph.node("Mul", "x x", "a", &[]).node("ReduceSum", "a", "b", &[integer("keepdims", 0)]);
            graph.node(operator, "b", "c", &[integer("keepdims", 0)]).node("Mul", "c c", "y", &[]);
        });
    }
}

#[test]
fn pools() {
    let kernel = |size: i64, stride: i64| {
        vec![integers("kernel_shape", &[size, size]), integers("strides", &[stride, stride])]
    };
    check("AveragePool over the end, padding counted", 19, [7, 8], |graph| {
        let more = [integer("ceil_mode", 1), integer("count_include_pad", 1), integers("pads", &[1; 4])];
        graph.node("AveragePool", "x", "y", &[kernel(3, 2), more.to_vec()].concat());
    });
    check("AveragePool over the end, padding counted, stride 3", 19, [7, 8], |graph| {
        let more =
            [integer("ceil_mode", 1), integer("count_include_pad", 1), integers("pads", &[1, 0, 0, 1])];
        graph.node("AveragePool", "x", "y", &[kernel(3, 3), more.to_vec()].concat());
    });
    for operator in ["MaxPool", "AveragePool"] {
        for (size, stride) in [(2, 1), (3, 2), (4, 3)] {
            check(&format!("{operator} SAME_UPPER {size} {stride}"), 17, [7, 8], |graph| {
                let same = vec![text("auto_pad", "SAME_UPPER")];
                graph.node(operator, "x", "y", &[kernel(size, stride), same].concat());
            });
        }
    }
}

#[test]
fn layers_in_the_middle_of_what_is_fused() {
    let directory = tempfile::tempdir().unwrap();
    let mut graph = Graph::new();
    graph.random("w", &[4, 3, 3, 3], 0.5).random("b", &[4], 0.5).random("mean", &[4], 0.3);
    graph.random("scale", &[4], 1.0).random("shift", &[4], 0.4).weight("var", &[4], vec![0.5, 1.0, 2.0, 0.1]);
    graph.node("Conv", "x w b", "a", &[]);
    graph.node("BatchNormalization", "a scale shift mean var", "n", &[]).node("Relu", "n", "y", &[]);
    let card = graph.card(directory.path(), 17, SIZE).unwrap();
    for layers in [&["a"][..], &["n"], &["y"], &["a", "y"], &["n", "y"], &["y", "n", "a"]] {
        let layers: Vec<String> = layers.iter().map(|&layer| layer.to_owned()).collect();
        difference(&card, &layers, 1e-5);
        let error = gradient_error(&card, &layers, 60);
        assert!(error <= 1e-5, "{layers:?}: {error:e}");
    }
}

/// The scorer's engine gives the result as many axes as the base has.
#[test]
fn exponents_with_more_axes_than_the_base() {
    check("Pow", 17, SIZE, |graph| {
        graph.weight("e", &[1, 1, 1, 1, 1], vec![0.5]).node("Pow", "x e", "y", &[]);
    });
}

#[test]
fn images_with_channels_last() {
    let directory = tempfile::tempdir().unwrap();
    let mut graph = Graph::new();
    graph.random("w", &[4, 3, 3, 3], 0.5);
    graph.node("Transpose", "x", "t", &[integers("perm", &[0, 3, 1, 2])]).node("Conv", "t w", "y", &[]);
    let input = "layout = \"nhwc\"\nchannels = \"bgr\"\nscale = \"1/255\"\nmean = [0.4, 0.5, 0.6]\nstd = [0.2, 0.3, 0.25]\n";
    let card = graph.card_with(directory.path(), 17, [5, 6], input).unwrap();
    let layers = ["y".to_owned(), "t".to_owned()];
    difference(&card, &layers, 1e-5);
    let error = gradient_error(&card, &layers, 90);
    assert!(error <= 1e-5, "{error:e}");
}

#[test]
fn tensors_without_elements_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut graph = Graph::new();
    graph.list("zero", &[0]).list("axis", &[2]).random("scale", &[3], 1.0).random("shift", &[3], 1.0);
    graph.random("mean", &[3], 1.0).weight("var", &[3], vec![1.0; 3]);
    graph.node("Slice", "x zero zero axis", "a", &[]);
    graph.node("BatchNormalization", "a scale shift mean var", "n", &[]);
    graph.node("Concat", "n x", "y", &[integer("axis", 2)]);
    let card = graph.card(directory.path(), 17, SIZE).unwrap();
    assert_eq!(Network::load(&card).unwrap().tensors().len(), 1, "the scorer runs it");
    let error = Differentiable::<f32>::load(&card, &["y".to_owned()]).err().unwrap();
    assert!(matches!(&error, Error::Operator { operator, .. } if operator == "Slice"), "{error}");
    assert!(error.to_string().contains("[1, 3, 0, 5]"), "{error}");
}

/// A card whose graph is one softmax of an old operator set, of the image or of what `before` makes of it.
fn softmax(directory: &std::path::Path, operator: &str, axis: Option<i64>) -> ModelCard {
    let mut graph = Graph::new();
    let attributes: Vec<Attribute> = axis.map(|axis| integer("axis", axis)).into_iter().collect();
    graph.weight("six", &[], vec![6.0]).node("Mul", "x six", "a", &[]).node(operator, "a", "y", &attributes);
    graph.card(directory, 11, SIZE).unwrap()
}

/// Activations of layer `y` to one picture, by the scorer's engine.
fn scored(card: &ModelCard) -> (Array3<u8>, Array1<f32>) {
    let network = Network::load(card).unwrap();
    let picture = Array3::from_shape_fn((SIZE[0], SIZE[1], 3), |(y, x, c)| (37 * y + 71 * x + 13 * c) as u8);
    let layer = network.layer("y").unwrap();
    let pictures = vec![picture.clone()];
    let rows = NetworkActivations::new(&network, &pictures, None).activations(0..1, &[layer]).unwrap();
    (picture, rows[0].row(0).to_owned())
}

#[test]
fn an_old_softmax_normalises_rows() {
    for (axis, row) in [(None, 60), (Some(1), 60), (Some(0), 60), (Some(2), 20), (Some(-2), 20), (Some(3), 5)]
    {
        for operator in ["Softmax", "LogSoftmax"] {
            let directory = tempfile::tempdir().unwrap();
            let card = softmax(directory.path(), operator, axis);
            let (picture, found) = scored(&card);
            let input: Vec<f64> = picture
                .permuted_axes([2, 0, 1])
                .iter()
                .map(|&level| f64::from(level) / 255.0 * 6.0)
                .collect();
            let found: ArrayView1<f32> = found.view();
            for (values, found) in input.chunks(row).zip(found.as_slice().unwrap().chunks(row)) {
                let total: f64 = values.iter().map(|value| value.exp()).sum();
                for (value, &found) in values.iter().zip(found) {
                    let share = value.exp() / total;
                    let expected = if operator == "Softmax" { share } else { share.ln() };
                    let error = (f64::from(found) - expected).abs();
                    assert!(
                        error < 1e-5 * expected.abs().max(0.1),
                        "{operator} {axis:?}: {found} {expected}"
                    );
                }
            }
            let layers = ["y".to_owned()];
            difference(&card, &layers, 1e-5);
            assert!(gradient_error(&card, &layers, 60) < 1e-5, "{operator} {axis:?}");
        }
    }
}

/// The digest of a card by [`Graph::card`], with what is said of a softmax in it.
fn digest(model: &std::path::Path, softmax: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let model = hex(&Sha256::digest(std::fs::read(model).unwrap()));
    let engine = "rten 0.27.0, not optimised, prepacked, one image and one thread per run; rewrites 1";
    let text = format!(
        "ventral model 1\nnetwork\nengine {engine}{softmax}\nmodel {model}\nbatch 1\ninput {INPUT}\n"
    );
    hex(&Sha256::digest(text))
}

#[test]
fn only_what_may_have_been_wrong_has_another_digest() {
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("model.onnx");
    for (axis, note) in [(Some(-1), ""), (Some(1), "; softmax by rows"), (None, "; softmax by rows")] {
        let card = softmax(directory.path(), "Softmax", axis);
        assert_eq!(card.digest().unwrap(), digest(&model, note), "{axis:?}");
    }
    for (version, axis) in [(11, Some(1)), (11, None), (13, Some(1)), (13, None)] {
        let attributes: Vec<Attribute> = axis.map(|axis| integer("axis", axis)).into_iter().collect();
        let mut graph = Graph::new();
        graph.node("Flatten", "x", "f", &[]).node("Softmax", "f", "y", &attributes);
        let card = graph.card(directory.path(), version, SIZE).unwrap();
        assert_eq!(card.digest().unwrap(), digest(&model, ""), "{version} {axis:?}");
        let (picture, found) = scored(&card);
        let values: Vec<f64> =
            picture.permuted_axes([2, 0, 1]).iter().map(|&level| f64::from(level) / 255.0).collect();
        let total: f64 = values.iter().map(|value| value.exp()).sum();
        for (value, &found) in values.iter().zip(&found) {
            assert!((value.exp() / total - f64::from(found)).abs() < 1e-6, "{version} {axis:?}");
        }
    }
}
