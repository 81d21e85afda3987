//! Runs model graphs over images and streams layer activations in tiles.
//!
//! A model is data: an ONNX file and a [`ModelCard`] that says how images are shown to it. [`Network`] runs it, any tensor of the
//! graph being a layer; [`stream`] hands a layer on in tiles of features without ever holding it whole. An activation has the same
//! bytes for any number of threads, whatever other layers or stimuli are asked for with it, and however it was streamed.

mod card;
mod engine;
mod error;
mod gradient;
mod hex;
mod layers;
mod network;
mod onnx;
mod preprocess;
mod quiet;
mod resize;
mod screen;
mod source;
mod stream;
mod suggest;
mod walk;

pub use card::*;
pub use error::Error;
pub use gradient::{Differentiable, Real, Trace};
pub use layers::select_layers;
pub use network::*;
pub use onnx::{
    MAX_DECODING_BYTES, MAX_EXTENT, MAX_EXTERNAL_FILES, MAX_INNER_NODES, MAX_MODEL_BYTES, MAX_NESTING,
    MAX_NODES, MAX_RANK, OnnxFile,
};
pub use preprocess::*;
pub use screen::*;
pub use source::*;
pub use stream::*;
pub use suggest::nearest;
pub use walk::{MAX_PASS_BYTES, MAX_PASS_OPERATIONS, MAX_TENSOR_BYTES, MAX_TRIPS};
