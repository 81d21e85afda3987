//! Tests of the public interface.

mod card;
mod network;
mod onnx;
mod preprocess;
mod support;
