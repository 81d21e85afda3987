//! The softmax of old operator sets.
//!
//! Before set 13, a softmax with axis k (1 if not given) normalised all elements from axis k on together: rows of a matrix. Since then
//! it normalises along axis k alone (the last if not given), and that is what the engine does whatever the set.

use super::file::OnnxFile;
use super::normalise::Context;
use super::proto::{GraphProto, NodeProto};
use super::rewrite::{Builder, integer, integer_attribute};

/// The set that changed the meaning.
const CHANGED: i64 = 13;

/// The axis from which on a node normalises rows, where the engine might do something else.
fn rows_from(node: &NodeProto, version: i64, context: &Context) -> Option<i64> {
    let standard = node.domain().is_empty() || node.domain() == "ai.onnx";
    if version >= CHANGED || !standard || !matches!(node.op_type(), "Softmax" | "LogSoftmax") {
        return None;
    }
    let axis = integer(node, "axis").unwrap_or(1);
    let rank = node.input.first().and_then(|name| context.rank(name));
    let is_last = axis == -1 || rank.is_some_and(|rank| axis + 1 == rank as i64);
    (!is_last).then_some(axis)
}

/// Rows of a matrix and back; the shape need not be known.
pub(super) fn by_rows(node: &NodeProto, version: i64, context: &Context, builder: &mut Builder) -> bool {
    let (Some(input), Some(output)) = (node.input.first(), node.output.first()) else { return false };
    let Some(axis) = rows_from(node, version, context) else { return false };
    let rows = builder.node("Flatten", &[input], vec![integer_attribute("axis", axis)]);
    let mut attributes = node.attribute.clone();
    attributes.retain(|attribute| attribute.name() != "axis");
    attributes.push(integer_attribute("axis", -1));
    let normalised = builder.node(node.op_type(), &[&rows], attributes);
    let shape = builder.node("Shape", &[input], vec![]);
    builder.node_to("Reshape", &[&normalised, &shape], vec![], output);
    true
}

impl OnnxFile {
    /// Whether a softmax is run by rows: before that was done, its values may have been others.
    pub(crate) fn has_softmax_by_rows(&self) -> bool {
        fn search(graph: &GraphProto, version: i64) -> bool {
            let context = Context::new(graph);
            graph.node.iter().any(|node| {
                let mut inner =
                    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
                rows_from(node, version, &context).is_some() || inner.any(|graph| search(graph, version))
            })
        }
        self.graph().is_ok_and(|graph| search(graph, self.version()))
    }
}
