//! The operator cases of the ONNX project, run through the same rewriting and engine settings as models.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use prost::Message;
use rten::{Model, ModelOptions, ShapeInferenceMode, Value, ValueOrView};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use ventral_models::OnnxFile;

use crate::support::{data_dir, fixture};

/// The part of the ONNX file format that the cases' inputs and outputs use.
#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const INT32: i32 = 6;
const INT64: i32 = 7;
const BOOL: i32 = 9;

/// Files of one case, by name.
type Case = BTreeMap<String, Vec<u8>>;

fn cases(archive: &Path) -> BTreeMap<String, Case> {
    let file = std::fs::File::open(archive).unwrap();
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(file)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let Some(at) =
            parts.iter().position(|part| part.starts_with("test_") && !part.starts_with("test_data_set"))
        else {
            continue;
        };
        let (name, rest) = (parts[..=at].join("/"), parts[at + 1..].join("/"));
        if rest == "model.onnx" || rest.starts_with("test_data_set_0/") && rest.ends_with(".pb") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            cases.entry(name).or_default().insert(rest, bytes);
        }
    }
    cases
}

fn le<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
}

fn tensor(bytes: &[u8]) -> Result<Value, String> {
    let proto = TensorProto::decode(bytes).map_err(|_| "an input or output is not a tensor".to_owned())?;
    let shape: Vec<usize> = proto.dims.iter().map(|&dim| dim as usize).collect();
    let raw = &proto.raw_data;
    let or = |empty: bool| raw.is_empty() && !empty;
    Ok(match proto.data_type {
        FLOAT if or(proto.float_data.is_empty()) => Tensor::from_data(&shape, proto.float_data).into(),
        FLOAT => Tensor::from_data(&shape, le(raw, f32::from_le_bytes)).into(),
        INT32 if or(proto.int32_data.is_empty()) => Tensor::from_data(&shape, proto.int32_data).into(),
        INT32 => Tensor::from_data(&shape, le(raw, i32::from_le_bytes)).into(),
        INT64 => {
            let values =
                if or(proto.int64_data.is_empty()) { proto.int64_data } else { le(raw, i64::from_le_bytes) };
            let values: Vec<i32> =
                values.iter().map(|&value| value.clamp(i32::MIN.into(), i32::MAX.into()) as i32).collect();
            Tensor::from_data(&shape, values).into()
        }
        BOOL => {
            Tensor::from_data(&shape, raw.iter().map(|&byte| i32::from(byte)).collect::<Vec<i32>>()).into()
        }
        UINT8 if !raw.is_empty() => Tensor::from_data(&shape, raw.clone()).into(),
        INT8 if !raw.is_empty() => {
            Tensor::from_data(&shape, raw.iter().map(|&byte| byte as i8).collect::<Vec<i8>>()).into()
        }
        other => return Err(format!("element type {other}")),
    })
}

fn compare(found: &Value, expected: &Value) -> Result<(), String> {
    if let (Some(found), Some(expected)) = (found.as_tensor_view::<f32>(), expected.as_tensor_view::<f32>()) {
        if found.shape() != expected.shape() {
            return Err(format!("shape {:?}, not {:?}", found.shape(), expected.shape()));
        }
        let close = |(a, b): (&f32, &f32)| {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-3 * b.abs() + 1e-6
        };
        return match found.iter().zip(expected.iter()).find(|&(a, b)| !close((a, b))) {
            Some((a, b)) => Err(format!("{a}, not {b}")),
            None => Ok(()),
        };
    }
    if found == expected { Ok(()) } else { Err(format!("{:?}, not {:?}", found.dtype(), expected.dtype())) }
}

/// What stands in the way of a case, or `Ok`.
fn run(case: &Case) -> Result<(), String> {
    let file = OnnxFile::from_bytes(Path::new("model.onnx"), &case["model.onnx"])
        .map_err(|error| error.to_string())?;
    let values = |kind: &str| -> Result<Vec<Value>, String> {
        (0..)
            .map_while(|index| case.get(&format!("test_data_set_0/{kind}_{index}.pb")))
            .map(|bytes| tensor(bytes))
            .collect()
    };
    let mut options = ModelOptions::with_all_ops();
    options.enable_optimization(false).shape_inference(ShapeInferenceMode::Off).prepack_weights(true);
    let model: Model = options
        .load(file.executable().map_err(|error| error.to_string())?)
        .map_err(|error| format!("load: {error}"))?;
    let (inputs, expected) = (values("input")?, values("output")?);
    if inputs.len() != model.input_ids().len() {
        return Err(format!("{} inputs for {}", inputs.len(), model.input_ids().len()));
    }
    let inputs: Vec<_> =
        model.input_ids().iter().copied().zip(inputs.into_iter().map(ValueOrView::from)).collect();
    let found = model.run(inputs, model.output_ids(), None).map_err(|error| format!("run: {error}"))?;
    found.iter().zip(&expected).try_for_each(|(found, expected)| compare(found, expected))
}

/// Cases that are known not to pass, with the reason, from the committed list.
fn known() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(fixture("conformance.tsv")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.split_once('\t').map(|(case, reason)| (case.to_owned(), reason.to_owned())).unwrap())
        .collect()
}

fn operators(data: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(data.join("onnx-conformance/node_subset_index.tsv")).unwrap();
    let pair = |line: &str| {
        let mut fields = line.split('\t');
        (fields.next().unwrap_or_default().to_owned(), fields.next().unwrap_or_default().to_owned())
    };
    text.lines().map(pair).collect()
}

#[test]
fn operators_conform_except_the_listed_ones() {
    let Some(data) = data_dir() else { return };
    let known = known();
    let operators = operators(&data);
    let mut failures = Vec::new();
    let mut unneeded: BTreeSet<&String> = known.keys().collect();
    let (mut passed, mut refused) = (0, 0);
    for archive in ["onnx-node-subset.tar.gz", "onnx-models.tar.gz"] {
        for (name, case) in cases(&data.join("onnx-conformance").join(PathBuf::from(archive))) {
            let outcome =
                catch_unwind(AssertUnwindSafe(|| run(&case))).unwrap_or_else(|_| Err("panic".into()));
            let operator = operators.get(&name).map_or("", String::as_str);
            let listed = [name.as_str(), operator].into_iter().find(|key| known.contains_key(*key));
            match (outcome, listed) {
                (Ok(()), _) => passed += 1,
                (Err(_), Some(key)) => {
                    refused += 1;
                    unneeded.remove(&key.to_owned());
                }
                (Err(reason), None) => failures.push(format!("{name}\t{operator}: {reason}")),
            }
        }
    }
    eprintln!(
        "onnx conformance: {passed} passed, {refused} listed as unsupported, {} failed",
        failures.len()
    );
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(unneeded.is_empty(), "listed as unsupported but passing: {unneeded:?}");
    assert!(passed > 400);
}
