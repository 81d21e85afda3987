use std::io::Read;
use std::path::{Path, PathBuf};

use prost::Message;
use sha2::{Digest, Sha256};

use super::external;
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use super::rewrite::label as node_label;
use crate::Error;
use crate::hex::hex;

/// Largest model, weights in external files included: what a protobuf message can hold.
pub const MAX_MODEL_BYTES: u64 = (1 << 31) - 1;
/// Most operators, those of nested graphs included. The largest networks of vision have a few thousand.
pub const MAX_NODES: usize = 20_000;
/// Most operators of a graph inside an operator: they are planned on the small stack of a thread.
pub const MAX_INNER_NODES: usize = 2_000;
/// Deepest nesting of graphs in operators such as `If` and `Loop`.
pub const MAX_NESTING: usize = 8;
/// Most dimensions of a stored tensor.
pub const MAX_RANK: usize = 16;
/// Largest window, step, dilation or padding, in pixels.
pub const MAX_EXTENT: u64 = 1 << 16;
/// Attributes that are extents.
const EXTENTS: [&str; 9] = [
    "kernel_shape",
    "strides",
    "dilations",
    "pads",
    "output_padding",
    "output_shape",
    "size",
    "blocksize",
    "num_heads",
];

/// An ONNX model, decoded and within limits; weights from external files are inside.
pub struct OnnxFile {
    path: PathBuf,
    pub(super) model: ModelProto,
    sha256: String,
    digest: String,
}

impl OnnxFile {
    /// Reads `path` and the external weight files that it names (which must lie in the same directory or below it).
    ///
    /// # Errors
    /// [`Error::Read`] if a file cannot be read; [`Error::Model`] if it is not a complete ONNX model or is over a limit.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = read_bounded(path, MAX_MODEL_BYTES)?;
        let sha256 = hex(&Sha256::digest(&bytes));
        let mut model = decode(path, &bytes)?;
        drop(bytes);
        let digest = external::inline(path, &mut model, &sha256)?;
        Ok(Self { path: path.to_owned(), model, sha256, digest })
    }

    /// The weight files that the model at `path` names, each once; empty when the weights are inside.
    ///
    /// # Errors
    /// As [`OnnxFile::read`].
    pub fn weight_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut model = decode(path, &read_bounded(path, MAX_MODEL_BYTES)?)?;
        external::files(path, &mut model)
    }

    /// Decodes a model that is already in memory; `path` is used in messages only, and external weights are refused.
    ///
    /// # Errors
    /// As [`OnnxFile::read`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let model = decode(path, bytes)?;
        if external::is_needed(&model) {
            return Err(invalid(
                path,
                "the weights are in another file, but this model was given without its directory".into(),
            ));
        }
        let sha256 = hex(&Sha256::digest(bytes));
        Ok(Self { path: path.to_owned(), model, digest: sha256.clone(), sha256 })
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the model file itself, in lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The model as the engine gets it: weights inside, every node with a name of ours, defaults written out, and operators that
    /// the engine lacks (LRN, Dropout, Selu, Mish, Sign of zero, Softmax of old operator sets) replaced by ones that it has.
    ///
    /// # Errors
    /// [`Error::Operator`] if the engine would run an operator with other values than it should.
    pub fn executable(self) -> Result<Vec<u8>, Error> {
        self.check_values()?;
        Ok(super::rewrite::executable(self).bytes)
    }

    /// Refuses operators that the engine would run with other values than it should.
    pub(crate) fn check_values(&self) -> Result<(), Error> {
        match super::rewrite::first_wrong(self) {
            Some((operator, node, reason)) => {
                Err(Error::Operator { path: self.path.clone(), operator, node, reason: reason.to_owned() })
            }
            None => Ok(()),
        }
    }

    /// SHA-256 over the model file and its external weight files; equal to [`OnnxFile::sha256`] when there are none.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

pub(super) fn invalid(path: &Path, message: String) -> Error {
    Error::Model { path: path.to_owned(), message }
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = ventral_input::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    if length <= limit {
        bytes.reserve_exact(usize::try_from(length).unwrap_or(0));
        file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if length > limit || bytes.len() as u64 > limit {
        return Err(invalid(
            path,
            format!("the file has more than {limit} bytes, the most a model may have"),
        ));
    }
    Ok(bytes)
}

fn decode(path: &Path, bytes: &[u8]) -> Result<ModelProto, Error> {
    super::scan::check(path, bytes)?;
    let model = ModelProto::decode(bytes).map_err(|error| {
        invalid(
            path,
            format!(
                "not an ONNX model, or cut short ({} bytes): {error}; export or fetch it again",
                bytes.len()
            ),
        )
    })?;
    let Some(graph) = &model.graph else {
        return Err(invalid(
            path,
            format!(
                "no graph in {} bytes: not an ONNX model, or cut short; export or fetch it again",
                bytes.len()
            ),
        ));
    };
    if graph.node.is_empty() {
        return Err(invalid(path, "the graph has no operators".into()));
    }
    if model.opset_import.is_empty() {
        return Err(invalid(path, "no operator set version (opset_import); export the model again".into()));
    }
    let mut nodes = 0;
    check_graph(path, graph, 0, &mut nodes)?;
    Ok(model)
}

fn check_graph(path: &Path, graph: &GraphProto, depth: usize, nodes: &mut usize) -> Result<(), Error> {
    if depth > MAX_NESTING {
        return Err(invalid(path, format!("graphs are nested more than {MAX_NESTING} deep")));
    }
    if depth > 0 && graph.node.len() > MAX_INNER_NODES {
        return Err(invalid(
            path,
            format!("a graph inside an operator has more than {MAX_INNER_NODES} operators"),
        ));
    }
    *nodes += graph.node.len();
    if *nodes > MAX_NODES {
        return Err(invalid(path, format!("more than {MAX_NODES} operators")));
    }
    for tensor in &graph.initializer {
        check_tensor(path, tensor)?;
    }
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |values| values.name());
        return Err(invalid(
            path,
            format!("sparse weight {name:?} is not supported; export the model with dense weights"),
        ));
    }
    for (index, node) in graph.node.iter().enumerate() {
        check_extents(path, node, index)?;
    }
    for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
        if let Some(tensor) = &attribute.t {
            check_tensor(path, tensor)?;
        }
        for inner in attribute.g.iter().chain(&attribute.graphs) {
            check_graph(path, inner, depth + 1, nodes)?;
        }
    }
    Ok(())
}

/// Refuses windows of any kind that are larger than every image.
fn check_extents(path: &Path, node: &NodeProto, index: usize) -> Result<(), Error> {
    let extents = node.attribute.iter().filter(|attribute| EXTENTS.contains(&attribute.name()));
    for attribute in extents {
        let mut values = attribute.i.iter().chain(&attribute.ints);
        if let Some(value) = values.find(|value| value.unsigned_abs() > MAX_EXTENT) {
            let (operator, node) = node_label(node, index);
            return Err(invalid(
                path,
                format!(
                    "operator {operator} (node {node}): `{}` has {value}, and no image is larger than {MAX_EXTENT} pixels",
                    attribute.name()
                ),
            ));
        }
    }
    Ok(())
}

fn check_tensor(path: &Path, tensor: &TensorProto) -> Result<(), Error> {
    let elements =
        tensor.dims.iter().try_fold(1u64, |product, &dim| u64::try_from(dim).ok()?.checked_mul(product));
    if tensor.dims.len() > MAX_RANK || elements.is_none_or(|elements| elements > MAX_MODEL_BYTES * 8) {
        return Err(invalid(
            path,
            format!("weight {:?} has the impossible shape {:?}", tensor.name(), tensor.dims),
        ));
    }
    Ok(())
}
