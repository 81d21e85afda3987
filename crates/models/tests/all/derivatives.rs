//! Gradients of every operator against central differences.

use ndarray::{Array1, Array3};
use ventral_models::{Differentiable, ModelCard, Real};

use crate::gradient::{difference, evaluate};
use crate::graphs::{Attribute, Graph, float, integer, integers, noise, text};

/// Step of the differences, in units of the image.
const STEP: f64 = 1e-5;
/// Largest difference from central differences, relative to the largest partial derivative.
const TOLERANCE: f64 = 1e-5;

/// An image without equal values, between 0.1 and 0.9.
pub fn smooth_image<T: Real>(size: [usize; 2], seed: u64) -> Array3<T> {
    let values = noise(3 * size[0] * size[1], seed);
    let values = values.iter().map(|&value| T::of(0.5 + 0.4 * f64::from(value))).collect();
    Array3::from_shape_vec((3, size[0], size[1]), values).unwrap()
}

/// Worst difference at `count` pixels for the layers of a card, each weighted by fixed noise.
pub fn gradient_error(card: &ModelCard, layers: &[String], count: usize) -> f64 {
    let model = Differentiable::<f64>::load(card, layers).unwrap_or_else(|error| panic!("{error}"));
    let image = smooth_image::<f64>(model.size(), 5);
    let weights: Vec<Array1<f64>> = model
        .layers()
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let scale = 1.0 / (layer.features as f64).sqrt();
            noise(layer.features as usize, index as u64)
                .iter()
                .map(|&weight| f64::from(weight) * scale)
                .collect()
        })
        .collect();
    let (_, trace) = evaluate(&model, &image);
    let adjoints: Vec<_> = weights.iter().map(|weights| weights.view()).collect();
    let gradient = model.backward(trace, &adjoints).unwrap();
    let loss = |image: &Array3<f64>| -> f64 {
        evaluate(&model, image).0.iter().zip(&weights).map(|(row, weights)| row.dot(weights)).sum()
    };
    let largest = gradient.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    assert!(largest > 0.0, "the gradient is zero everywhere");
    let mut worst = 0f64;
    for pixel in 0..count.min(image.len()) {
        let place = if count < image.len() { (pixel * 7_919 + 13) % image.len() } else { pixel };
        let moved = |step: f64| {
            let mut image = image.clone();
            image.as_slice_mut().unwrap()[place] += step;
            loss(&image)
        };
        let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        worst = worst.max((gradient.as_slice().unwrap()[place] - expected).abs() / largest);
    }
    worst
}

/// One graph: the layer `y` has the values of the scorer's engine, and the gradient of central differences.
pub fn check(name: &str, version: i64, size: [usize; 2], build: impl Fn(&mut Graph)) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let mut graph = Graph::new();
    build(&mut graph);
    let card = graph.card(directory.path(), version, size).unwrap();
    let layers = ["y".to_owned()];
    let values = difference(&card, &layers, 1e-5);
    let error = gradient_error(&card, &layers, 60);
    assert!(error <= TOLERANCE, "{name}: {error:e}");
    eprintln!("{name}: values {values:.1e}, gradient {error:.1e}");
    error
}

/// `operator` on the image moved to -3..3, then on a graph that mixes channels.
fn function(operator: &str, attributes: &[Attribute]) {
    check(&format!("{operator} {attributes:?}"), 20, [5, 6], |graph| {
        graph.weight("half", &[], vec![0.5]).weight("six", &[], vec![6.0]);
        graph.node("Sub", "x half", "a", &[]).node("Mul", "a six", "b", &[]);
        graph.node(operator, "b", "y", attributes);
    });
}

#[test]
fn functions_of_one_number() {
    for operator in ["Relu", "Sigmoid", "Tanh", "HardSwish", "Softplus", "Mish", "Erf", "Exp", "Abs", "Neg"] {
        function(operator, &[]);
    }
    function("LeakyRelu", &[float("alpha", 0.2)]);
    function("LeakyRelu", &[]);
    function("Elu", &[float("alpha", 1.3)]);
    function("Selu", &[]);
    function("HardSigmoid", &[]);
    function("HardSigmoid", &[float("alpha", 0.3), float("beta", 0.4)]);
    function("Gelu", &[]);
    function("Gelu", &[text("approximate", "tanh")]);
    for operator in ["Sqrt", "Log", "Reciprocal"] {
        check(operator, 17, [4, 5], |graph| {
            graph.node(operator, "x", "y", &[]);
        });
    }
    check("Clip by inputs", 17, [4, 5], |graph| {
        graph.weight("low", &[], vec![0.3]).weight("high", &[], vec![0.7]);
        graph.node("Clip", "x low high", "y", &[]);
    });
    check("Clip below", 17, [4, 5], |graph| {
        graph.weight("high", &[], vec![0.6]).node("Clip", "x - high", "y", &[]);
    });
}

#[test]
fn functions_of_two_numbers() {
    for operator in ["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"] {
        for (shape, seed) in
            [(&[][..], 1), (&[6], 2), (&[3, 1, 1], 3), (&[1, 3, 5, 6], 4), (&[2, 1, 5, 1], 5)]
        {
            let count = shape.iter().product::<i64>() as usize;
            let values: Vec<f32> = noise(count, seed).iter().map(|value| 1.0 + value * 0.7).collect();
            for inputs in ["x c", "c x"] {
                check(&format!("{operator} {inputs} {shape:?}"), 17, [5, 6], |graph| {
                    graph.weight("c", shape, values.clone()).node(operator, inputs, "y", &[]);
                });
            }
        }
        check(&format!("{operator} of the image twice"), 17, [5, 6], |graph| {
            graph.node("Transpose", "x", "t", &[integers("perm", &[0, 1, 3, 2])]);
            graph.list("shape", &[1, 3, 5, 6]).node("Reshape", "t shape", "u", &[]);
            graph.node(operator, "x u", "y", &[]);
        });
        check(&format!("{operator} with what is broadcast"), 17, [5, 6], |graph| {
            graph.node("GlobalAveragePool", "x", "m", &[]).node(operator, "m x", "y", &[]);
        });
    }
    for exponent in [2.0, 3.0, -1.0, 0.5, 1.7] {
        check(&format!("Pow {exponent}"), 17, [5, 6], |graph| {
            graph.weight("e", &[], vec![exponent]).node("Pow", "x e", "y", &[]);
        });
    }
    check("Mul of a tensor with itself", 17, [5, 6], |graph| {
        graph.node("Mul", "x x", "y", &[]);
    });
    check("Sum of three", 17, [5, 6], |graph| {
        graph.random("c", &[3, 1, 1], 1.0).node("Sum", "x c x", "y", &[]);
    });
    check("PRelu", 17, [5, 6], |graph| {
        graph.weight("half", &[], vec![0.5]).weight("slope", &[3, 1, 1], vec![0.1, 0.3, -0.2]);
        graph.node("Sub", "x half", "a", &[]).node("PRelu", "a slope", "y", &[]);
    });
    check("Add, then Relu", 17, [5, 6], |graph| {
        graph.weight("c", &[1, 1, 5, 1], vec![-0.2, -0.4, -0.5, -0.6, -0.8]);
        graph.node("Add", "x c", "a", &[]).node("Relu", "a", "y", &[]);
    });
}

fn convolution(size: [usize; 2], weight: &[i64], bias: bool, attributes: &[Attribute]) {
    check(&format!("Conv {weight:?} on {size:?} {attributes:?}"), 17, size, |graph| {
        graph.random("w", weight, 0.5).random("b", &[weight[0]], 0.5);
        graph.node("Conv", if bias { "x w b" } else { "x w" }, "y", attributes);
    });
}

#[test]
fn convolutions() {
    convolution([6, 7], &[4, 3, 3, 3], true, &[]);
    convolution([6, 7], &[5, 3, 1, 1], true, &[]);
    convolution([6, 7], &[4, 3, 3, 3], false, &[integers("pads", &[1, 1, 1, 1])]);
    convolution(
        [9, 8],
        &[4, 3, 3, 2],
        true,
        &[integers("pads", &[2, 0, 1, 1]), integers("strides", &[2, 3])],
    );
    convolution(
        [9, 9],
        &[2, 3, 3, 3],
        true,
        &[integers("dilations", &[2, 3]), integers("pads", &[2, 2, 2, 2])],
    );
    convolution([8, 7], &[4, 3, 1, 1], true, &[integers("strides", &[2, 2])]);
    convolution([8, 8], &[6, 1, 3, 3], true, &[integer("group", 3), integers("pads", &[1, 1, 1, 1])]);
    convolution([7, 8], &[3, 1, 3, 3], true, &[integer("group", 3), integers("strides", &[2, 2])]);
    convolution([7, 8], &[2, 3, 3, 3], true, &[text("auto_pad", "SAME_UPPER"), integers("strides", &[2, 2])]);
    convolution([7, 8], &[2, 3, 3, 3], true, &[text("auto_pad", "VALID")]);
    convolution([5, 5], &[2, 3, 5, 5], true, &[integers("pads", &[4, 4, 4, 4])]);
    // Several blocks of rows and of channels.
    convolution([70, 66], &[20, 3, 7, 7], true, &[integers("pads", &[3, 3, 3, 3])]);
    check("Conv of many channels", 17, [40, 38], |graph| {
        graph.random("w0", &[70, 3, 1, 1], 0.6).random("w", &[40, 70, 3, 3], 0.1).random("b", &[40], 0.2);
        graph.node("Conv", "x w0", "a", &[]).node("Conv", "a w b", "y", &[integers("pads", &[1, 1, 1, 1])]);
    });
    check("Conv along one axis", 17, [4, 6], |graph| {
        graph.list("shape", &[1, 3, 24]).random("w", &[4, 3, 5], 0.5);
        graph.node("Reshape", "x shape", "a", &[]);
        graph.node("Conv", "a w", "y", &[integers("pads", &[2, 1]), integers("strides", &[2])]);
    });
    check("Conv, BatchNormalization, Relu", 17, [6, 7], |graph| {
        graph.random("w", &[4, 3, 3, 3], 0.5).random("b", &[4], 0.5).random("mean", &[4], 0.3);
        graph.random("scale", &[4], 1.0).random("shift", &[4], 0.4).weight(
            "var",
            &[4],
            vec![0.5, 1.0, 2.0, 0.1],
        );
        graph.node("Conv", "x w b", "a", &[integers("pads", &[1, 1, 1, 1])]);
        graph.node("BatchNormalization", "a scale shift mean var", "n", &[float("epsilon", 1e-3)]);
        graph.node("Relu", "n", "y", &[]);
    });
}

#[test]
fn pools() {
    let attributes = |kernel: i64, stride: i64, pads: [i64; 4], more: &[Attribute]| -> Vec<Attribute> {
        let mut all = vec![
            integers("kernel_shape", &[kernel, kernel]),
            integers("strides", &[stride, stride]),
            integers("pads", &pads),
        ];
        all.extend_from_slice(more);
        all
    };
    for operator in ["MaxPool", "AveragePool"] {
        let ceil = integer("ceil_mode", 1);
        let mut cases = vec![
            attributes(2, 2, [0; 4], &[]),
            attributes(3, 1, [1; 4], &[]),
            attributes(3, 2, [0; 4], std::slice::from_ref(&ceil)),
            attributes(3, 2, [1, 0, 0, 1], &[]),
            attributes(3, 2, [1; 4], std::slice::from_ref(&ceil)),
            attributes(2, 1, [0, 0, 1, 1], &[]),
        ];
        if operator == "AveragePool" {
            let counted = integer("count_include_pad", 1);
            cases.push(attributes(3, 1, [1; 4], std::slice::from_ref(&counted)));
            cases.push(attributes(3, 2, [1, 0, 0, 1], &[counted]));
        }
        for case in cases {
            check(&format!("{operator} {case:?}"), 17, [7, 8], |graph| {
                graph.node(operator, "x", "y", &case);
            });
        }
    }
    for operator in ["GlobalMaxPool", "GlobalAveragePool"] {
        check(operator, 17, [7, 8], |graph| {
            graph.node(operator, "x", "y", &[]);
        });
    }
}

#[test]
fn normalisations() {
    for (size, beta, alpha) in [(5, 0.75, 0.3), (4, 0.5, 2.0), (3, 0.6, 1.0), (1, 0.75, 0.5), (11, 0.75, 1.0)]
    {
        check(&format!("LRN {size} {beta}"), 17, [4, 5], |graph| {
            graph.random("w", &[7, 3, 1, 1], 1.0).node("Conv", "x w", "a", &[]);
            let more =
                [integer("size", size), float("beta", beta), float("alpha", alpha), float("bias", 1.5)];
            graph.node("LRN", "a", "y", &more);
        });
    }
    check("BatchNormalization", 17, [4, 5], |graph| {
        graph.random("scale", &[3], 1.0).random("shift", &[3], 1.0).random("mean", &[3], 1.0);
        graph.weight("var", &[3], vec![0.5, 1.0, 2.0]);
        graph.node("BatchNormalization", "x scale shift mean var", "y", &[]);
    });
    for axis in [-1, 1, 2] {
        check(&format!("LayerNormalization {axis}"), 17, [4, 5], |graph| {
            let shape: &[i64] = match axis {
                -1 => &[5],
                1 => &[3, 4, 5],
                _ => &[4, 5],
            };
            graph.random("scale", shape, 1.0).random("shift", shape, 1.0);
            graph.node("LayerNormalization", "x scale shift", "y", &[integer("axis", axis)]);
        });
    }
    check("InstanceNormalization", 17, [4, 5], |graph| {
        graph.random("scale", &[3], 1.0).random("shift", &[3], 1.0);
        graph.node("InstanceNormalization", "x scale shift", "y", &[]);
    });
    for operator in ["Softmax", "LogSoftmax"] {
        for axis in [-1, 1, 2] {
            check(&format!("{operator} {axis}"), 17, [4, 5], |graph| {
                graph.weight("six", &[], vec![6.0]).node("Mul", "x six", "a", &[]);
                graph.node(operator, "a", "y", &[integer("axis", axis)]);
            });
        }
    }
}

#[test]
fn products() {
    check("Gemm", 17, [4, 5], |graph| {
        graph.random("w", &[7, 60], 0.3).random("b", &[7], 1.0).node("Flatten", "x", "f", &[]);
        graph.node("Gemm", "f w b", "y", &[integer("transB", 1), float("alpha", 0.7), float("beta", 1.6)]);
    });
    check("Gemm, transposed image", 17, [4, 5], |graph| {
        graph.list("shape", &[6, 10]).node("Reshape", "x shape", "f", &[]).random("w", &[6, 3], 1.0);
        graph.node("Gemm", "f w", "y", &[integer("transA", 1)]);
    });
    for (name, shape, weight, inputs) in [
        ("rows by constant", [1, 1, 3, 20], &[20, 7][..], "a w"),
        ("constant by columns", [1, 1, 3, 20], &[5, 3], "w a"),
        ("batch by constant", [1, 3, 4, 5], &[5, 6], "a w"),
        ("constant by batch", [1, 3, 4, 5], &[2, 4], "w a"),
        ("batch by batch", [1, 3, 4, 5], &[3, 5, 2], "a w"),
        ("broadcast batch", [3, 1, 4, 5], &[2, 5, 2], "a w"),
        ("vector", [1, 3, 4, 5], &[5], "a w"),
    ] {
        check(&format!("MatMul {name}"), 17, [4, 5], |graph| {
            graph.list("shape", &shape).node("Reshape", "x shape", "a", &[]);
            graph.random("w", weight, 0.7).node("MatMul", inputs, "y", &[]);
        });
    }
    check("attention", 17, [4, 6], |graph| {
        graph.list("shape", &[1, 12, 6]).node("Reshape", "x shape", "t", &[]);
        graph.list("heads", &[1, 12, 2, 3]).list("joined", &[1, 12, 6]);
        for part in ["q", "k", "v"] {
            graph.random(&format!("w{part}"), &[6, 6], 1.0);
            graph.node("MatMul", &format!("t w{part}"), &format!("{part}0"), &[]);
            graph.node("Reshape", &format!("{part}0 heads"), &format!("{part}1"), &[]);
        }
        graph.node("Transpose", "q1", "q", &[integers("perm", &[0, 2, 1, 3])]);
        graph.node("Transpose", "k1", "k", &[integers("perm", &[0, 2, 3, 1])]);
        graph.node("Transpose", "v1", "v", &[integers("perm", &[0, 2, 1, 3])]);
        graph.node("MatMul", "q k", "s", &[]).node("Softmax", "s", "p", &[integer("axis", -1)]);
        graph.node("MatMul", "p v", "o", &[]);
        graph.node("Transpose", "o", "o1", &[integers("perm", &[0, 2, 1, 3])]);
        graph.node("Reshape", "o1 joined", "o2", &[]).node("Add", "t o2", "y", &[]);
    });
}

#[test]
fn movements() {
    check("Transpose", 17, [4, 5], |graph| {
        graph.node("Transpose", "x", "y", &[integers("perm", &[0, 3, 1, 2])]);
    });
    check("Slice", 17, [7, 9], |graph| {
        graph
            .list("starts", &[1, -1])
            .list("ends", &[i64::MAX, -8])
            .list("axes", &[2, -1])
            .list("steps", &[2, -3]);
        graph.node("Slice", "x starts ends axes steps", "y", &[]);
    });
    check("Gather", 17, [4, 5], |graph| {
        graph.list("at", &[2, 0, 2, -1]).node("Gather", "x at", "y", &[integer("axis", 3)]);
    });
    check("Split", 17, [4, 6], |graph| {
        graph.list("sizes", &[1, 4, 1]).node("Split", "x sizes", "a b c", &[integer("axis", 3)]);
        graph.node("Mul", "b c", "d", &[]).node("Concat", "d a", "y", &[integer("axis", 3)]);
    });
    for (mode, version) in [("constant", 17), ("reflect", 17), ("edge", 17)] {
        check(&format!("Pad {mode}"), version, [4, 5], |graph| {
            graph.list("pads", &[0, 0, 1, 2, 0, 0, 2, 1]);
            graph.node("Pad", "x pads", "y", &[text("mode", mode)]);
        });
    }
    check("Expand", 17, [1, 5], |graph| {
        graph.list("shape", &[2, 3, 4, 5]).node("Expand", "x shape", "y", &[]);
    });
    check("DepthToSpace", 17, [4, 6], |graph| {
        graph.random("w", &[8, 3, 1, 1], 1.0).node("Conv", "x w", "a", &[]);
        graph.node("DepthToSpace", "a", "b", &[integer("blocksize", 2)]);
        graph.node("DepthToSpace", "a", "c", &[integer("blocksize", 2), text("mode", "CRD")]);
        graph.node("Concat", "b c", "y", &[integer("axis", 1)]);
    });
    check("ReduceMean", 17, [4, 5], |graph| {
        graph.node("ReduceMean", "x", "y", &[integers("axes", &[1, -1])]);
    });
    check("ReduceMean without the axis", 18, [4, 5], |graph| {
        graph.list("axes", &[2]).node("ReduceMean", "x axes", "y", &[integer("keepdims", 0)]);
    });
    check("ReduceSum of everything", 17, [4, 5], |graph| {
        graph.node("Mul", "x x", "a", &[]).node("ReduceSum", "a", "y", &[]);
    });
    check("axes of length 1, and nothing", 17, [4, 5], |graph| {
        graph.list("at", &[0]).node("Unsqueeze", "x at", "a", &[]).node("Squeeze", "a at", "b", &[]);
        graph.node("Dropout", "b", "c", &[]).node("Identity", "c", "d", &[]);
        graph.node("Cast", "d", "e", &[integer("to", 1)]).node("Mul", "e e", "y", &[]);
    });
    check("shape arithmetic", 17, [4, 5], |graph| {
        graph.list("zero", &[0]).list("rest", &[-1]).node("Shape", "x", "s", &[]);
        graph.node("Gather", "s zero", "n", &[]).node("Concat", "n rest", "t", &[integer("axis", 0)]);
        graph.node("Reshape", "x t", "f", &[]).random("w", &[60, 4], 0.5).node("MatMul", "f w", "y", &[]);
    });
    check("the same tensor twice", 17, [4, 5], |graph| {
        graph.node("Concat", "x x", "a", &[integer("axis", 1)]).node("Exp", "a", "y", &[]);
    });
}
