//! Tests of the public interface.

mod card;
mod conformance;
mod gradient;
mod network;
mod onnx;
mod preprocess;
mod real;
mod robustness;
mod stream;
mod support;
