//! Model files: what takes memory or time without end, what is not whole, what contradicts itself.

mod write;

use std::fs;
use std::io;
use std::path::Path;

use write::{
    field, graph, inner, integers, list, model, node, number, one, ones, scalar, small, tensor, text,
};

use ventral_tests::binary::repository;

use crate::case::words;
use crate::{Case, Expect};

const FAMILY: &str = "onnx";
/// A large number that a 64-bit integer holds.
const HUGE: i64 = 1 << 62;
/// Copies of a good model with bits flipped, and with its end cut off.
const COPIES: u64 = 60;

const CARD: &str = "identifier = \"hostile\"\nfile = \"hostile.onnx\"\n[input]\nsize = [8, 8]\nchannels = \"rgb\"\nscale = \"1/255\"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";

/// All cases of this family.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(sizes());
    cases.extend(growing());
    cases.extend(windows());
    cases.extend(loops());
    cases.extend(branches());
    cases.extend(structure());
    cases.extend(weights());
    cases.extend(external());
    cases.extend(damaged());
    cases.extend(job());
    cases
}

/// A model that has to be refused with a message that names the file, and `says`.
fn refused(
    name: impl Into<String>,
    says: &'static str,
    bytes: impl Fn() -> Vec<u8> + Send + Sync + 'static,
) -> Case {
    Case::refused(FAMILY, name, &["hostile.onnx", says], move |folder| check(folder, &bytes()))
}

/// A model that may be refused or not.
fn either(name: impl Into<String>, bytes: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::new(FAMILY, name, Expect::Either, move |folder| check(folder, &bytes()))
}

fn check(folder: &Path, bytes: &[u8]) -> io::Result<Vec<String>> {
    fs::write(folder.join("hostile.onnx"), bytes)?;
    fs::write(folder.join("model.toml"), CARD)?;
    Ok(words("--open-seconds 10 models check model.toml"))
}

/// Operators that make much of little: the node is named before anything is made.
fn sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in [vec![1 << 30; 4], vec![1 << 40], vec![HUGE], vec![i64::MAX, i64::MAX], vec![40_000, 40_000]]
    {
        let name = |operator: &str| format!("{operator} to {shape:?}");
        let (a, b, c) = (shape.clone(), shape.clone(), shape.clone());
        cases.push(refused(name("ConstantOfShape"), "the node", move || {
            small(
                &[node("ConstantOfShape", "s", "c", &[]), node("Add", "x c", "y", &[])],
                &[integers("s", &a)],
            )
        }));
        cases.push(refused(name("Expand"), "the node", move || {
            small(
                &[node("Expand", "one s", "c", &[]), node("Add", "x c", "y", &[])],
                &[ones("one", &[1]), integers("s", &b)],
            )
        }));
        cases.push(refused(name("RandomNormal"), "the node", move || {
            small(&[node("RandomNormal", "", "c", &[list("shape", &c)]), node("Add", "x c", "y", &[])], &[])
        }));
        cases.push(either(name("Reshape"), move || {
            small(&[node("Reshape", "x s", "y", &[])], &[integers("s", &shape)])
        }));
    }
    for factor in [1 << 20, 1 << 31, HUGE, i64::MAX] {
        cases.push(refused(format!("Tile by {factor}"), "the node", move || {
            small(&[node("Tile", "x s", "y", &[])], &[integers("s", &[1, 1, factor, factor])])
        }));
        cases.push(refused(format!("Range to {factor}"), "the node", move || {
            let numbers = [scalar("a", 0), scalar("b", factor.max(1 << 31)), scalar("c", 1)];
            small(&[node("Range", "a b c", "r", &[]), node("Gather", "x r", "y", &[])], &numbers)
        }));
        cases.push(refused(format!("Pad by {factor}"), "the node", move || {
            small(
                &[node("Pad", "x s", "y", &[])],
                &[integers("s", &[0, 0, factor, factor, 0, 0, factor, factor])],
            )
        }));
        cases.push(refused(format!("OneHot to {factor}"), "the node", move || {
            let numbers = [scalar("d", factor.max(1 << 31)), integers("i", &[1]), integers("v", &[0, 1])];
            small(&[node("OneHot", "i d v", "h", &[]), node("Gather", "x h", "y", &[])], &numbers)
        }));
        cases.push(refused(format!("Resize to {factor}"), "the node", move || {
            small(&[node("Resize", "x - - s", "y", &[])], &[integers("s", &[1, 3, factor, factor])])
        }));
    }
    cases
}

/// What is harmless alone, one after the other.
fn growing() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.push(refused("a tensor beside itself, again and again", "hostile.onnx", || {
        let twice = |step: usize| {
            node("Concat", &format!("t{step} t{step}"), &format!("t{}", step + 1), &[one("axis", 0)])
        };
        let mut nodes = vec![node("Identity", "x", "t0", &[])];
        nodes.extend((0..40).map(twice));
        nodes.push(node("Identity", "t40", "y", &[]));
        small(&nodes, &[])
    }));
    cases.push(refused("a product of a column and a row", "the node", || {
        let shapes = [integers("a", &[-1, 1]), integers("b", &[1, -1]), integers("r", &[1, 300, 1, 1])];
        let nodes = [
            node("Tile", "x r", "t", &[]),
            node("Reshape", "t a", "u", &[]),
            node("Reshape", "t b", "v", &[]),
            node("MatMul", "u v", "y", &[]),
        ];
        small(&nodes, &shapes)
    }));
    cases.push(refused("as many values as bright pixels", "pixels", || {
        small(&[node("NonZero", "x", "n", &[]), node("Cast", "n", "y", &[one("to", 1)])], &[])
    }));
    cases
}

/// Windows larger than any image, and the like.
fn windows() -> Vec<Case> {
    let mut cases = Vec::new();
    for value in [1 << 31, HUGE, i64::MIN, -1, 0] {
        let make = move |name: &'static str, values: usize| {
            move || {
                let attributes = [list("kernel_shape", &[3, 3]), list(name, &vec![value; values])];
                small(&[node("Conv", "x w", "y", &attributes)], &[ones("w", &[2, 3, 3, 3])])
            }
        };
        cases.push(either(format!("Conv with strides {value}"), make("strides", 2)));
        cases.push(either(format!("Conv with dilations {value}"), make("dilations", 2)));
        cases.push(either(format!("Conv with pads {value}"), make("pads", 4)));
        cases.push(either(format!("Conv in {value} groups"), move || {
            small(&[node("Conv", "x w", "y", &[one("group", value)])], &[ones("w", &[2, 3, 3, 3])])
        }));
        cases.push(either(format!("MaxPool of {value}"), move || {
            small(&[node("MaxPool", "x", "y", &[list("kernel_shape", &[value, value])])], &[])
        }));
        cases.push(either(format!("AveragePool with pads {value}"), move || {
            let attributes = [list("kernel_shape", &[2, 2]), list("pads", &[value; 4])];
            small(&[node("AveragePool", "x", "y", &attributes)], &[])
        }));
        cases.push(either(format!("ConvTranspose with strides {value}"), move || {
            small(
                &[node("ConvTranspose", "x w", "y", &[list("strides", &[value; 2])])],
                &[ones("w", &[3, 2, 3, 3])],
            )
        }));
        cases.push(either(format!("LRN over {value}"), move || {
            small(&[node("LRN", "x", "y", &[one("size", value)])], &[])
        }));
        cases.push(either(format!("DepthToSpace by {value}"), move || {
            small(&[node("DepthToSpace", "x", "y", &[one("blocksize", value)])], &[])
        }));
        cases.push(either(format!("Softmax along {value}"), move || {
            small(&[node("Softmax", "x", "y", &[one("axis", value)])], &[])
        }));
        cases.push(either(format!("Transpose by {value}"), move || {
            small(&[node("Transpose", "x", "y", &[list("perm", &[value; 4])])], &[])
        }));
        cases.push(either(format!("Slice from {value}"), move || {
            let numbers = [integers("a", &[value]), integers("b", &[i64::MAX])];
            small(&[node("Slice", "x a b", "y", &[])], &numbers)
        }));
        cases.push(either(format!("Gather at {value}"), move || {
            small(&[node("Gather", "x i", "y", &[])], &[integers("i", &[value])])
        }));
        cases.push(either(format!("TopK of {value}"), move || {
            small(&[node("TopK", "x k", "y i", &[])], &[integers("k", &[value])])
        }));
        cases.push(either(format!("Split into {value}"), move || {
            small(&[node("Split", "x s", "y z", &[])], &[integers("s", &[value, 1])])
        }));
    }
    cases
}

/// `Loop` and `If`.
fn loops() -> Vec<Case> {
    let turning = |trips: i64, body: Vec<Vec<u8>>, weights: Vec<Vec<u8>>| {
        let body = graph(&body, &weights, "round go value", "went next");
        small(
            &[node("Loop", "trips yes x", "y", &[inner("body", &body)])],
            &[scalar("trips", trips), tensor("yes", &[], 9, &[1])],
        )
    };
    let same = || vec![node("Identity", "go", "went", &[]), node("Identity", "value", "next", &[])];
    let mut cases = Vec::new();
    for trips in [1 << 17, 1 << 31, HUGE, i64::MAX] {
        cases.push(refused(format!("Loop of {trips} rounds"), "goes round", move || {
            turning(trips, same(), vec![])
        }));
    }
    cases.push(refused("Loop without a number of rounds", "goes round", move || {
        let body = graph(&same(), &[], "round go value", "went next");
        small(&[node("Loop", "- yes x", "y", &[inner("body", &body)])], &[tensor("yes", &[], 9, &[1])])
    }));
    cases.push(refused("Loop that doubles its value each round", "hostile.onnx", move || {
        let body = vec![
            node("Identity", "go", "went", &[]),
            node("Concat", "value value", "next", &[one("axis", 0)]),
        ];
        turning(60, body, vec![])
    }));
    cases.push(
        refused("Loop in Loop in Loop", "hostile.onnx", move || {
            let deep = |graph_inside: Vec<Vec<u8>>| {
                let body =
                    graph(&graph_inside, &[scalar("m", 60_000), tensor("t", &[], 9, &[1])], "r g v", "w n");
                vec![
                    node("Identity", "go", "went", &[]),
                    node("Loop", "trips yes value", "next", &[inner("body", &body)]),
                ]
            };
            let innermost = graph(
                &[node("Identity", "g2", "w2", &[]), node("Relu", "v2", "n2", &[])],
                &[],
                "r2 g2 v2",
                "w2 n2",
            );
            turning(
                60_000,
                deep(vec![
                    node("Identity", "g", "w", &[]),
                    node("Loop", "m t v", "n", &[inner("body", &innermost)]),
                ]),
                vec![],
            )
        })
        .heavy(),
    );
    cases
}

/// Graphs in operators that are no loops.
fn branches() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.push(refused("If by a pixel", "pixels", || {
        let branch = |name: &str| inner(name, &graph(&[node("Identity", "x", "b", &[])], &[], "", "b"));
        let nodes = [
            node("ReduceMax", "x", "m", &[one("keepdims", 0)]),
            node("Greater", "m zero", "c", &[]),
            node("If", "c", "y", &[branch("then_branch"), branch("else_branch")]),
        ];
        small(&nodes, &[tensor("zero", &[], 1, &[0; 4])])
    }));
    cases.push(either("Scan", || {
        let body = graph(&[node("Identity", "a", "b", &[])], &[], "a", "b");
        small(&[node("Scan", "x", "y", &[inner("body", &body), one("num_scan_inputs", 1)])], &[])
    }));
    for depth in [9, 90, 2000] {
        cases.push(refused(format!("graphs {depth} deep"), "hostile.onnx", move || {
            let mut deep = graph(&[node("Identity", "x", "y", &[])], &[], "", "y");
            for _ in 0..depth {
                deep = graph(&[node("If", "c", "y", &[inner("then_branch", &deep)])], &[], "", "y");
            }
            model(&deep)
        }));
    }
    cases
}

/// Names that go nowhere, messages without end.
fn structure() -> Vec<Case> {
    let empties = |count: usize, what: &'static str, one: &'static [u8]| {
        refused(format!("{count} empty {what}"), "memory", move || {
            let good = graph(&[node("Relu", "x", "y", &[])], &[], "x", "y");
            model(&[good, one.repeat(count)].concat())
        })
        .heavy()
    };
    vec![
        refused("a cycle", "hostile.onnx", || {
            small(
                &[node("Add", "x b", "a", &[]), node("Relu", "a", "b", &[]), node("Relu", "b", "y", &[])],
                &[],
            )
        }),
        refused("a node that reads itself", "the node", || small(&[node("Add", "x y", "y", &[])], &[])),
        refused("a tensor that nobody makes", "nothing", || {
            small(&[node("Add", "x nothing", "y", &[])], &[])
        }),
        refused("a tensor made twice", "twice", || {
            small(&[node("Relu", "x", "y", &[]), node("Abs", "x", "y", &[])], &[])
        }),
        refused("no input", "input", || model(&graph(&[node("Relu", "x", "y", &[])], &[], "", "y"))),
        refused("two inputs", "input", || model(&graph(&[node("Add", "x z", "y", &[])], &[], "x z", "y"))),
        refused("an operator that nobody knows", "Frobnicate", || {
            small(&[node("Frobnicate", "x", "y", &[])], &[])
        }),
        refused("a function that calls itself", "hostile.onnx", || {
            let call = [node("Again", "a", "b", &[]), field(7, b"own")].concat();
            let function =
                [field(1, b"Again"), field(4, b"a"), field(5, b"b"), field(7, &call), field(10, b"own")]
                    .concat();
            let caller = [node("Again", "x", "y", &[]), field(7, b"own")].concat();
            [small(&[caller], &[]), field(25, &function)].concat()
        }),
        either("a chain of 19,000 operators", || {
            let name = |step: usize| if step == 0 { "x".to_owned() } else { format!("t{step}") };
            let nodes: Vec<Vec<u8>> =
                (0..19_000).map(|step| node("Relu", &name(step), &name(step + 1), &[])).collect();
            model(&graph(&nodes, &[], "x", "t19000"))
        })
        .heavy(),
        refused("a chain of 100,000 operators", "operators", || {
            let nodes: Vec<Vec<u8>> =
                (0..100_000).map(|step| node("Relu", "x", &format!("t{step}"), &[])).collect();
            model(&graph(&nodes, &[], "x", "t0"))
        })
        .heavy(),
        empties(20_000_000, "weights", &[0x2a, 0]),
        empties(20_000_000, "operators", &[0x0a, 0]),
        empties(20_000_000, "descriptions", &[0x6a, 0]),
        empties(20_000_000, "inputs", &[0x5a, 0]),
    ]
}

/// Stored tensors.
fn weights() -> Vec<Case> {
    let stored = |name: &'static str, dims: Vec<i64>, kind: i64, raw: Vec<u8>| {
        either(name, move || small(&[node("Add", "x w", "y", &[])], &[tensor("w", &dims, kind, &raw)]))
    };
    let mut cases = vec![
        stored("a weight of 2^62 values and four bytes", vec![HUGE], 1, vec![0; 4]),
        stored("a weight of 2^30 values and four bytes", vec![1 << 30], 1, vec![0; 4]),
        stored("a weight of no value and four bytes", vec![0], 1, vec![0; 4]),
        stored("a weight of -1 values", vec![-1], 1, vec![0; 4]),
        stored("a weight of more bytes than values", vec![1], 1, vec![0; 400]),
        stored("a weight of NaN", vec![1], 1, f32::NAN.to_le_bytes().to_vec()),
        stored("a weight of infinity", vec![1], 1, f32::INFINITY.to_le_bytes().to_vec()),
        stored("a weight of text", vec![1], 8, b"text".to_vec()),
        stored("a weight of axes that cancel", vec![i64::MAX, 0, i64::MAX], 1, vec![]),
        refused("a weight of 100,000 axes", "impossible shape", || {
            small(&[node("Add", "x w", "y", &[])], &[tensor("w", &vec![1; 100_000], 1, &[0; 4])])
        }),
        refused("60 million integers in one byte each", "memory", || {
            let list = [number(1, 1), number(2, 7), field(8, b"w"), field(7, &vec![1; 60_000_000])].concat();
            small(&[node("Add", "x w", "y", &[])], &[list])
        })
        .heavy(),
    ];
    for kind in [0, 2, 3, 4, 5, 6, 9, 10, 11, 14, 15, 16, 17, 20, 99, -1] {
        cases.push(either(format!("a weight of element type {kind}"), move || {
            small(&[node("Add", "x w", "y", &[])], &[tensor("w", &[1], kind, &[0; 8])])
        }));
    }
    for (operator, attributes) in [
        ("MatMul", vec![]),
        ("Conv", vec![]),
        ("Concat", vec![one("axis", 9)]),
        ("Einsum", vec![text("equation", "abcd,efgh,ijkl->abcdefghijkl")]),
        ("BatchNormalization", vec![]),
        ("Gemm", vec![]),
        ("Where", vec![]),
        ("LSTM", vec![]),
    ] {
        let with = attributes.clone();
        cases.push(either(format!("{operator} of integers"), move || {
            small(&[node(operator, "x w w", "y", &with)], &[integers("w", &[1, 2, 3])])
        }));
        cases.push(either(format!("{operator} of nothing"), move || {
            small(&[node(operator, "x", "y", &attributes)], &[])
        }));
    }
    cases
}

/// Weights in other files.
fn external() -> Vec<Case> {
    let pointing = |entries: &[(&str, &str)]| {
        let entries: Vec<u8> = entries
            .iter()
            .flat_map(|(key, value)| {
                field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
            })
            .collect();
        let weight = [number(1, 1), number(2, 1), field(8, b"w"), entries, number(14, 1)].concat();
        small(&[node("Add", "x w", "y", &[])], &[weight])
    };
    let mut cases: Vec<Case> =
        ["../outside.bin", "/etc/passwd", "/dev/zero", "", "missing.bin", ".", "a/../../b", "hostile.onnx/x"]
            .into_iter()
            .map(|place| {
                Case::refused(FAMILY, format!("a weight in {place:?}"), &[], move |folder| {
                    check(folder, &pointing(&[("location", place)]))
                })
            })
            .collect();
    cases.push(Case::refused(FAMILY, "a weight in a pipe", &["pipe"], move |folder| {
        std::process::Command::new("mkfifo").arg(folder.join("pipe")).status()?;
        check(folder, &pointing(&[("location", "pipe")]))
    }));
    for (offset, length) in
        [("18446744073709551615", "4"), ("0", "4611686018427387904"), ("-1", "4"), ("x", "4")]
    {
        cases.push(Case::refused(
            FAMILY,
            format!("bytes {offset}+{length} of a weight file"),
            &["hostile.onnx"],
            move |folder| {
                fs::write(folder.join("w.bin"), [0; 16])?;
                check(folder, &pointing(&[("location", "w.bin"), ("offset", offset), ("length", length)]))
            },
        ));
    }
    cases.push(Case::refused(FAMILY, "the model is a pipe", &["hostile.onnx"], |folder| {
        std::process::Command::new("mkfifo").arg(folder.join("hostile.onnx")).status()?;
        fs::write(folder.join("model.toml"), CARD)?;
        Ok(words("models check model.toml"))
    }));
    cases
}

/// A good model with bits flipped or its end cut off.
fn damaged() -> Vec<Case> {
    let good = || {
        let nodes = [
            node("Conv", "x w", "a", &[list("kernel_shape", &[3, 3]), list("pads", &[1, 1, 1, 1])]),
            node("Relu", "a", "b", &[]),
            node("MaxPool", "b", "c", &[list("kernel_shape", &[2, 2]), list("strides", &[2, 2])]),
            node("Reshape", "c s", "d", &[]),
            node("Softmax", "d", "y", &[one("axis", 1)]),
        ];
        small(&nodes, &[ones("w", &[4, 3, 3, 3]), integers("s", &[1, -1])])
    };
    let copy = move |seed: u64| {
        let case = either(format!("damaged copy {seed}"), move || {
            let mut bytes = good();
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for _ in 0..=seed % 4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] ^= 1 << (state >> 29 & 7);
            }
            if seed.is_multiple_of(5) {
                bytes.truncate((state >> 20) as usize % bytes.len());
            }
            bytes
        });
        if seed < 6 { case } else { case.heavy() }
    };
    (0..COPIES).map(copy).collect()
}

/// A job with a model that ends whoever opens it, and good ones.
fn job() -> Vec<Case> {
    vec![Case::refused(
        FAMILY,
        "a job of a good model and a bad one",
        &["hostile.onnx", "gabor_v1", "brain score"],
        |folder| {
            let body = graph(
                &[
                    node("Identity", "go", "went", &[]),
                    node("Concat", "value value", "next", &[one("axis", 0)]),
                ],
                &[],
                "round go value",
                "went next",
            );
            let nodes = [node("Loop", "trips yes x", "y", &[inner("body", &body)])];
            check(folder, &small(&nodes, &[scalar("trips", 60), tensor("yes", &[], 9, &[1])]))?;
            let demo = repository().join("examples/demo");
            let spec = format!(
                "name = \"hostile\"\nmodels = [{:?}, {:?}]\nbenchmarks = [{:?}]\n",
                demo.join("models/gabor_v1"),
                folder.join("model.toml"),
                demo.join("benchmarks/v1"),
            );
            fs::write(folder.join("job.toml"), spec)?;
            Ok(words("run job.toml --no-report"))
        },
    )]
}
