//! Small differences between what ONNX allows and what the engine takes: attributes left to their default, attributes of old
//! operator sets that say nothing, and optional outputs that nobody uses.

use std::collections::{HashMap, HashSet};

use super::proto::type_proto::Value;
use super::proto::{GraphProto, NodeProto};
use super::rewrite::{find, integer_list};

/// What normalising one node needs to know about its graph.
pub(super) struct Context {
    used: HashSet<String>,
    ranks: HashMap<String, usize>,
}

impl Context {
    pub fn new(graph: &GraphProto) -> Self {
        let mut used: HashSet<String> = graph.output.iter().map(|output| output.name().to_owned()).collect();
        collect_inputs(graph, &mut used);
        let mut ranks: HashMap<String, usize> =
            graph.initializer.iter().map(|tensor| (tensor.name().to_owned(), tensor.dims.len())).collect();
        for input in graph.input.iter().chain(&graph.value_info).chain(&graph.output) {
            if let Some(Value::TensorType(tensor)) =
                input.r#type.as_ref().and_then(|kind| kind.value.as_ref())
                && let Some(shape) = &tensor.shape
            {
                ranks.insert(input.name().to_owned(), shape.dim.len());
            }
        }
        let matrices = graph.node.iter().filter(|node| matches!(node.op_type(), "Gemm" | "Flatten"));
        ranks.extend(matrices.filter_map(|node| Some((node.output.first()?.clone(), 2))));
        Self { used, ranks }
    }

    /// Number of axes of a tensor, where the graph says it.
    pub fn rank(&self, name: &str) -> Option<usize> {
        self.ranks.get(name).copied()
    }
}

fn collect_inputs(graph: &GraphProto, used: &mut HashSet<String>) {
    for node in &graph.node {
        used.extend(node.input.iter().cloned());
        for inner in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
            used.extend(inner.output.iter().map(|output| output.name().to_owned()));
            collect_inputs(inner, used);
        }
    }
}

/// Brings one node into the form that the engine takes; its value stays the same.
pub(super) fn normalise(node: &mut NodeProto, context: &Context) {
    match node.op_type() {
        "MaxPool" | "AveragePool" => {
            let spatial = find(node, "kernel_shape").map_or(0, |attribute| attribute.ints.len());
            unless_given(node, "strides", 1, spatial);
            drop_unused_outputs(node, context);
        }
        "Conv" | "ConvTranspose" => {
            let weight = node.input.get(1).and_then(|name| context.ranks.get(name));
            let spatial = find(node, "kernel_shape").map(|attribute| attribute.ints.len());
            let spatial = spatial.or(weight.map(|rank| rank.saturating_sub(2))).unwrap_or(0);
            unless_given(node, "strides", 1, spatial);
            unless_given(node, "dilations", 1, spatial);
            if find(node, "auto_pad").and_then(|attribute| attribute.s.as_deref()) == Some(b"VALID") {
                node.attribute.retain(|attribute| !matches!(attribute.name(), "auto_pad" | "pads"));
            }
            if find(node, "auto_pad").is_none() {
                unless_given(node, "pads", 0, 2 * spatial);
            }
        }
        "BatchNormalization" => {
            let inference = find(node, "is_test").and_then(|attribute| attribute.i) == Some(1);
            let per_channel = find(node, "spatial").is_none_or(|attribute| attribute.i == Some(1));
            node.attribute.retain(|attribute| match attribute.name() {
                "is_test" => !inference,
                "spatial" => !per_channel,
                name => name != "consumed_inputs",
            });
            drop_unused_outputs(node, context);
        }
        // Before operator set 7, `broadcast` without `axis` aligned the last axes, as is now always done.
        "Gemm" | "Add" | "Sub" | "Mul" | "Div" | "Pow" if find(node, "axis").is_none() => {
            node.attribute.retain(|attribute| attribute.name() != "broadcast");
        }
        "LayerNormalization" | "Dropout" => drop_unused_outputs(node, context),
        _ => {}
    }
}

fn unless_given(node: &mut NodeProto, name: &str, value: i64, count: usize) {
    if count > 0 && find(node, name).is_none() {
        node.attribute.push(integer_list(name, vec![value; count]));
    }
}

fn drop_unused_outputs(node: &mut NodeProto, context: &Context) {
    while node.output.len() > 1 && node.output.last().is_some_and(|name| !context.used.contains(name)) {
        node.output.pop();
    }
}

/// Why the values of a node would be wrong, where the engine computes something else without saying so.
pub(super) fn wrong_values(node: &NodeProto) -> Option<&'static str> {
    let text = |name: &str| find(node, name).and_then(|attribute| attribute.s.as_deref());
    match node.op_type() {
        "Resize" | "Upsample" if matches!(text("mode"), Some(b"cubic" | b"bicubic")) => {
            Some("cubic interpolation is not available")
        }
        _ if text("auto_pad") == Some(b"SAME_LOWER") => {
            Some("auto_pad SAME_LOWER is not available; write the pads out")
        }
        _ => None,
    }
}
