//! What a file would take to decode, told from its bytes alone: two bytes on disk can become hundreds in memory.

use std::mem::size_of;
use std::path::Path;

use prost::encoding::{WireType, decode_key, decode_varint, skip_field};

use super::file::invalid;
use super::proto::{
    AttributeProto, FunctionProto, GraphProto, NodeProto, SparseTensorProto, StringStringEntryProto,
    TensorAnnotation, TensorProto, TrainingInfoProto, TypeProto, ValueInfoProto, tensor_shape_proto,
};
use crate::Error;

/// Most bytes that decoding a model may take beyond those of its file: room for a hundred times the structure of a large network.
pub const MAX_DECODING_BYTES: u64 = 256 << 20;
/// Deepest nesting of messages, as in the decoder.
const MAX_DEPTH: usize = 100;
/// A vector that grows holds up to twice what is in it.
const GROWTH: u64 = 2;
/// Bytes in memory of one byte of a message that is not looked into.
const UNREAD: u64 = 32;

/// Messages that can hold many others.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Value,
    Type,
    TypeOfElements,
    Map,
    Shape,
    Function,
    Training,
    Annotation,
    Pair,
}

/// What a field holds: its name, and how much of memory.
enum Field {
    Message(&'static str, Kind, usize),
    /// Text or bytes: a vector each, and their content.
    Text(&'static str),
    /// Numbers of this many bytes, which take as little as one in the file.
    Numbers(&'static str, usize),
    /// Messages that are not looked into: each of their bytes counts as [`UNREAD`].
    Unread(&'static str),
}

impl Kind {
    fn field(self, number: u32) -> Option<Field> {
        use Field::{Message, Numbers, Text};
        let pair = Message("metadata entries", Self::Pair, size_of::<StringStringEntryProto>());
        let tensor = |name| Message(name, Self::Tensor, size_of::<TensorProto>());
        let value = |name| Message(name, Self::Value, size_of::<ValueInfoProto>());
        let graph = |name| Message(name, Self::Graph, size_of::<GraphProto>());
        let nodes = Message("operators", Self::Node, size_of::<NodeProto>());
        let attribute = |name| Message(name, Self::Attribute, size_of::<AttributeProto>());
        let sparse = |name| Message(name, Self::Sparse, size_of::<SparseTensorProto>());
        let kind = |name| Message(name, Self::Type, size_of::<TypeProto>());
        Some(match (self, number) {
            (Self::Model, 7) => graph("graphs"),
            (Self::Model, 8) | (Self::Function, 9) => Message("operator sets", Self::Pair, 40),
            (Self::Model, 20) => Message("training steps", Self::Training, size_of::<TrainingInfoProto>()),
            (Self::Model, 25) => Message("functions", Self::Function, size_of::<FunctionProto>()),
            (Self::Graph, 1) | (Self::Function, 7) => nodes,
            (Self::Graph, 5) => tensor("weights"),
            (Self::Graph, 15) => sparse("sparse weights"),
            (Self::Graph, 11) => value("inputs"),
            (Self::Graph, 12) => value("outputs"),
            (Self::Graph, 13) | (Self::Function, 12) => value("tensor descriptions"),
            (Self::Graph, 14) => Message("annotations", Self::Annotation, size_of::<TensorAnnotation>()),
            (Self::Node, 5) => attribute("attributes"),
            (Self::Function, 11) => attribute("attributes"),
            (Self::Attribute, 5 | 10) => tensor("tensors in attributes"),
            (Self::Attribute, 6 | 11) => graph("graphs in attributes"),
            (Self::Attribute, 22 | 23) => sparse("sparse tensors in attributes"),
            (Self::Attribute, 14 | 15) => kind("types in attributes"),
            (Self::Attribute, 8) => Numbers("integers in attributes", 8),
            (Self::Tensor, 1 | 7 | 11) | (Self::Sparse, 3) => Numbers("integers in tensors", 8),
            (Self::Tensor, 5) => Numbers("integers in tensors", 4),
            (Self::Sparse, 1 | 2) => tensor("tensors of sparse weights"),
            (Self::Value, 2) => kind("types"),
            (Self::Type, 1 | 8) => Message("types", Self::TypeOfElements, 0),
            (Self::Type, 4 | 9) => Message("types", Self::TypeOfElements, size_of::<TypeProto>()),
            (Self::Type, 5) => Message("types", Self::Map, size_of::<TypeProto>()),
            (Self::TypeOfElements, 1) | (Self::Map, 2) => kind("types"),
            (Self::TypeOfElements, 2) => Message("shapes", Self::Shape, size_of::<TypeProto>()),
            (Self::Shape, 1) => Message("dimensions", Self::Pair, size_of::<tensor_shape_proto::Dimension>()),
            (Self::Training, 1 | 2) => graph("graphs of training steps"),
            (Self::Graph, 16)
            | (Self::Node, 9)
            | (Self::Model | Self::Function, 14)
            | (Self::Tensor, 13 | 16)
            | (Self::Value, 4)
            | (Self::Training, 3 | 4)
            | (Self::Annotation, 2 | 3) => pair,
            (Self::Node, 10) | (Self::Model, 26) => Field::Unread("bytes for devices"),
            _ => Text("texts"),
        })
    }
}

/// Counts while it reads.
struct Tally {
    bytes: u64,
    /// What was counted last, and how often so far.
    counts: Vec<(&'static str, u64)>,
}

impl Tally {
    fn add(&mut self, what: &'static str, count: u64, bytes: u64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes.saturating_mul(GROWTH));
        match self.counts.iter_mut().find(|(name, _)| *name == what) {
            Some((_, counted)) => *counted += count,
            None => self.counts.push((what, count)),
        }
        self.bytes <= MAX_DECODING_BYTES
    }
}

/// Refuses a file whose decoding would take more than [`MAX_DECODING_BYTES`] beyond its own size. What is not a sound message is left to
/// the decoder to refuse.
pub(super) fn check(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut tally = Tally { bytes: 0, counts: Vec::new() };
    if walk(Kind::Model, bytes, 0, &mut tally) != Some(false) {
        return Ok(());
    }
    let most = tally.counts.iter().max_by_key(|(_, count)| count);
    let most = most.map_or(String::new(), |(name, count)| format!(" ({count} {name} and counting)"));
    Err(invalid(
        path,
        format!(
            "its {} bytes would take more than {} MiB of memory besides to decode{most}; no sound model does, export it again",
            bytes.len(),
            MAX_DECODING_BYTES >> 20
        ),
    ))
}

/// Whether the message is within the limit; `None` if it is not a sound one.
fn walk(kind: Kind, mut bytes: &[u8], depth: usize, tally: &mut Tally) -> Option<bool> {
    if depth > MAX_DEPTH {
        return None;
    }
    while !bytes.is_empty() {
        let (number, wire) = decode_key(&mut bytes).ok()?;
        let field = kind.field(number)?;
        if wire != WireType::LengthDelimited {
            skip_field(wire, number, &mut bytes, prost::encoding::DecodeContext::default()).ok()?;
            if let Field::Numbers(name, size) = field
                && !tally.add(name, 1, size as u64)
            {
                return Some(false);
            }
            continue;
        }
        let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
        let (content, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        let within = match field {
            Field::Message(name, inner, size) => {
                tally.add(name, 1, size as u64) && walk(inner, content, depth + 1, tally)?
            }
            Field::Text(name) => tally.add(name, 1, size_of::<String>() as u64),
            Field::Unread(name) => tally.add(name, length as u64, length as u64 * UNREAD),
            Field::Numbers(name, size) => {
                let count = content.iter().filter(|&&byte| byte & 0x80 == 0).count() as u64;
                tally.add(name, count, (count * size as u64).saturating_sub(content.len() as u64))
            }
        };
        if !within {
            return Some(false);
        }
    }
    Some(true)
}
