//! Tests of the public interface.

mod card;
mod conformance;
mod derivatives;
mod differentiable;
mod gradient;
mod graphs;
mod limits;
mod network;
mod onnx;
mod opsets;
mod preprocess;
mod real;
mod robustness;
mod stream;
mod support;
