//! Small graphs of operators that make shapes, with any numbers in them: loading one runs it within limits, and nothing may end the
//! process.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/hostile/src/onnx/write.rs"]
mod write;

use std::path::PathBuf;
use std::sync::LazyLock;

use ventral_models::{ModelCard, Network};
use write::{integers, list, node, one, ones, small};

const CARD: &str = "identifier = \"fuzz\"\nfile = \"fuzz.onnx\"\n[input]\nsize = [8, 8]\nchannels = \"rgb\"\nscale = \"1/255\"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";
const OPERATORS: [(&str, &str); 20] = [
    ("Reshape", "a n"),
    ("Expand", "a n"),
    ("Tile", "a n"),
    ("ConstantOfShape", "n"),
    ("Pad", "a n"),
    ("Range", "i i i"),
    ("Resize", "a - - n"),
    ("Slice", "a n m"),
    ("Gather", "a n"),
    ("OneHot", "n i m"),
    ("Concat", "a a"),
    ("Transpose", "a"),
    ("Unsqueeze", "a n"),
    ("Squeeze", "a n"),
    ("Conv", "a w"),
    ("ConvTranspose", "a w"),
    ("MaxPool", "a"),
    ("LRN", "a"),
    ("MatMul", "a a"),
    ("Add", "a a"),
];

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("ventral-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    std::fs::write(folder.join("model.toml"), CARD).expect("a card");
    folder
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.iter().copied();
    let mut next = || bytes.next().unwrap_or(0);
    let mut nodes = Vec::new();
    let mut weights = vec![ones("w", &[3, 3, 3, 3])];
    let mut last = "x".to_owned();
    for step in 0..1 + next() % 6 {
        // Mostly small numbers, some that no tensor has room for.
        let mut value = || match (next(), next()) {
            (0..200, low) => i64::from(low as i8),
            (high, low) => (i64::from(low) << (high - 192)).wrapping_sub(1),
        };
        let numbers: Vec<i64> = (0..4).map(|_| value()).collect();
        weights.push(integers(&format!("n{step}"), &numbers));
        weights.push(integers(&format!("m{step}"), &[value(), value()]));
        weights.push(write::scalar(&format!("i{step}"), value()));
        let attributes = [
            list("kernel_shape", &[3, 3]),
            list("strides", &[value(), value()]),
            list("pads", &[value(), value(), value(), value()]),
            one("axis", value()),
            one("size", value()),
        ];
        let (operator, inputs) = OPERATORS[next() as usize % OPERATORS.len()];
        let inputs: Vec<String> = inputs
            .split(' ')
            .map(|input| match input {
                "a" => last.clone(),
                "n" | "m" | "i" => format!("{input}{step}"),
                other => other.to_owned(),
            })
            .collect();
        last = format!("t{step}");
        let taken = match operator {
            "Conv" | "ConvTranspose" | "MaxPool" => &attributes[..3],
            "LRN" => &attributes[4..],
            "Gather" | "OneHot" | "Concat" => &attributes[3..4],
            _ => &[],
        };
        nodes.push(node(operator, &inputs.join(" "), &last, taken));
    }
    nodes.push(node("Identity", &last, "y", &[]));
    std::fs::write(FOLDER.join("fuzz.onnx"), small(&nodes, &weights)).expect("a model");
    let card = ModelCard::load(&FOLDER.join("model.toml"), None).expect("a card");
    let _ = Network::load(&card);
});
