//! ONNX files: reading them within limits, and rewriting what the engine lacks.

mod external;
mod file;
mod graph;
mod normalise;
#[rustfmt::skip]
mod proto;
mod rewrite;
mod scan;
mod softmax;

pub use external::MAX_EXTERNAL_FILES;
pub use file::{MAX_EXTENT, MAX_INNER_NODES, MAX_MODEL_BYTES, MAX_NESTING, MAX_NODES, MAX_RANK, OnnxFile};
pub(crate) use graph::{GraphSummary, InputShape, names_used};
pub(crate) use proto::{AttributeProto, GraphProto, NodeProto};
pub(crate) use rewrite::{Executable, NodeLabels, executable, label as node_label};
pub use scan::MAX_DECODING_BYTES;
