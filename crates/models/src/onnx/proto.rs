//! Types of the ONNX file format, generated from `proto/onnx-ml.proto`.
#![allow(missing_docs, clippy::all, clippy::too_many_lines)]

include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
