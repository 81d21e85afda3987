//! Replaces operators that the engine lacks by ones that it has, with the same values.

use std::collections::{HashMap, HashSet};

use prost::Message;

use super::file::OnnxFile;
use super::normalise::{Context, normalise, wrong_values};
use super::proto::attribute_proto::AttributeType;
use super::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};
use super::softmax;

/// Start of every name that is added here, so that it cannot meet a name of the model.
const PREFIX: &str = "ventral\u{1}";

/// What the model calls each node, for messages: the engine is given names of ours, since nodes may be unnamed or share a tensor's name.
pub(crate) struct NodeLabels(Vec<(String, String)>);

impl NodeLabels {
    /// Operator type and label of the node that the engine knows as `engine_name`.
    pub fn find(&self, engine_name: &str) -> Option<(&str, &str)> {
        let index: usize = engine_name.strip_prefix(PREFIX)?.parse().ok()?;
        self.0.get(index).map(|(operator, label)| (operator.as_str(), label.as_str()))
    }

    /// Replaces names of ours in an engine's message.
    pub fn translate(&self, message: &str) -> String {
        let mut parts = message.split(PREFIX);
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (number, rest) = part.split_at(digits);
            let label = number.parse::<usize>().ok().and_then(|index| self.0.get(index));
            text.push_str(label.map_or(number, |(_, label)| label));
            text.push_str(rest);
        }
        text
    }
}

/// A model in the form that the engine can execute.
pub(crate) struct Executable {
    /// The model file.
    pub bytes: Vec<u8>,
    /// What its nodes are called in messages.
    pub labels: NodeLabels,
    /// Its outermost nodes in order, without weights.
    pub nodes: Vec<NodeProto>,
}

/// Rewrites a model for the engine.
pub(crate) fn executable(file: OnnxFile) -> Executable {
    let version = file.version();
    let mut model = file.model;
    let mut labels = Vec::new();
    model.training_info.clear();
    let mut graph = model.graph.take().unwrap_or_default();
    rewrite_graph(&mut graph, version, &mut labels);
    model.graph = Some(graph);
    let bytes = model.encode_to_vec();
    let mut nodes = model.graph.take().unwrap_or_default().node;
    nodes.iter_mut().for_each(forget_weights);
    Executable { bytes, labels: NodeLabels(labels), nodes }
}

fn forget_weights(node: &mut NodeProto) {
    for attribute in &mut node.attribute {
        attribute.t = None;
        attribute.tensors.clear();
        for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            for weight in &mut inner.initializer {
                *weight = TensorProto { name: weight.name.take(), ..TensorProto::default() };
            }
            inner.node.iter_mut().for_each(forget_weights);
        }
    }
}

fn rewrite_graph(graph: &mut GraphProto, version: i64, labels: &mut Vec<(String, String)>) {
    let constants = false_constants(graph);
    let context = Context::new(graph);
    let mut constant_values = HashMap::new();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for mut node in std::mem::take(&mut graph.node) {
        for attribute in &mut node.attribute {
            for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                rewrite_graph(inner, version, labels);
            }
        }
        let label = label(&node, labels.len());
        normalise(&mut node, &context);
        let mut builder = Builder { index: labels.len(), nodes: Vec::new(), constants: &mut constant_values };
        let replaced = rewrite_node(&node, &constants, &mut builder)
            || softmax::by_rows(&node, version, &context, &mut builder);
        let replacement = if replaced { builder.nodes } else { vec![node] };
        for mut node in replacement {
            node.name = Some(format!("{PREFIX}{}", labels.len()));
            labels.push(label.clone());
            nodes.push(node);
        }
    }
    graph.node = nodes;
    // What a graph says about its tensors may be wrong, and the engine believes it.
    graph.value_info.clear();
    graph.output.iter_mut().for_each(|output| output.r#type = None);
    let mut added: Vec<TensorProto> = constant_values.into_values().collect();
    added.sort_by(|a, b| a.name().cmp(b.name()));
    graph.initializer.extend(added);
}

/// Operator type, and what to call a node.
pub(crate) fn label(node: &NodeProto, index: usize) -> (String, String) {
    let domain = node.domain();
    let operator = if domain.is_empty() || domain == "ai.onnx" {
        node.op_type().to_owned()
    } else {
        format!("{domain}/{}", node.op_type())
    };
    let name = if node.name().is_empty() {
        format!("number {index}, output {:?}", node.output.first().map_or("", String::as_str))
    } else {
        format!("{:?}", node.name())
    };
    (operator, name)
}

/// Names of stored tensors that hold a single zero byte, which is how `false` is stored.
fn false_constants(graph: &GraphProto) -> HashSet<String> {
    let is_false = |tensor: &&TensorProto| match &tensor.raw_data {
        Some(bytes) => bytes.as_slice() == [0],
        None => tensor.int32_data.as_slice() == [0],
    };
    graph.initializer.iter().filter(is_false).map(|tensor| tensor.name().to_owned()).collect()
}

fn rewrite_node(node: &NodeProto, false_constants: &HashSet<String>, builder: &mut Builder) -> bool {
    let standard = node.domain().is_empty() || node.domain() == "ai.onnx";
    let (Some(input), Some(output)) = (node.input.first(), node.output.first()) else { return false };
    match node.op_type() {
        "LRN" if standard => lrn(node, input, output, builder),
        "Dropout" if standard => dropout(node, false_constants, input, output, builder),
        "Selu" if standard => selu(node, input, output, builder),
        "Mish" if standard => mish(input, output, builder),
        "Sign" if standard => sign(input, output, builder),
        _ => false,
    }
}

/// Local response normalisation, y = x / (bias + alpha / size * sum of x² over `size` neighbouring channels)^beta, as an average pool
/// over the channel axis; zero padding counts, so the average is the sum / size. The images must be N x C x H x W.
fn lrn(node: &NodeProto, input: &str, output: &str, builder: &mut Builder) -> bool {
    let Some(size) = integer(node, "size").filter(|&size| size >= 1) else { return false };
    let alpha = float(node, "alpha", 1e-4);
    let (beta, bias) = (float(node, "beta", 0.75), float(node, "bias", 1.0));
    let before = (size - 1) / 2;
    let square = builder.node("Mul", &[input, input], vec![]);
    let channels_last = builder.node("Transpose", &[&square], vec![integer_list("perm", vec![0, 2, 3, 1])]);
    let pool = vec![
        integer_list("kernel_shape", vec![1, size]),
        integer_list("pads", vec![0, before, 0, size - 1 - before]),
        integer_list("strides", vec![1, 1]),
        integer_attribute("count_include_pad", 1),
    ];
    let average = builder.node("AveragePool", &[&channels_last], pool);
    let average = builder.node("Transpose", &[&average], vec![integer_list("perm", vec![0, 3, 1, 2])]);
    let (alpha, bias) = (builder.constant(alpha), builder.constant(bias));
    let scaled = builder.node("Mul", &[&average, &alpha], vec![]);
    let base = builder.node("Add", &[&scaled, &bias], vec![]);
    let divisor = power(&base, beta, builder);
    builder.node_to("Div", &[input, &divisor], vec![], output);
    true
}

/// base^beta; the usual 3/4 and 1/2 by square roots, which are several times faster and at least as exact.
fn power(base: &str, beta: f32, builder: &mut Builder) -> String {
    if beta == 0.5 || beta == 0.75 {
        let root = builder.node("Sqrt", &[base], vec![]);
        if beta == 0.5 {
            return root;
        }
        let fourth = builder.node("Sqrt", &[&root], vec![]);
        return builder.node("Mul", &[&root, &fourth], vec![]);
    }
    let exponent = builder.constant(beta);
    builder.node("Pow", &[base, &exponent], vec![])
}

/// Dropout does nothing outside training. Left alone (and so refused) where training is asked for or the mask is wanted.
fn dropout(
    node: &NodeProto,
    false_constants: &HashSet<String>,
    input: &str,
    output: &str,
    builder: &mut Builder,
) -> bool {
    let wants_mask = node.output.iter().skip(1).any(|name| !name.is_empty());
    let training = node.input.get(2).is_some_and(|mode| !mode.is_empty() && !false_constants.contains(mode));
    if wants_mask || training {
        return false;
    }
    builder.node_to("Identity", &[input], vec![], output);
    true
}

fn selu(node: &NodeProto, input: &str, output: &str, builder: &mut Builder) -> bool {
    let alpha = float(node, "alpha", 1.673_263_2);
    let gamma = builder.constant(float(node, "gamma", 1.050_701));
    let mut attribute = attribute("alpha", AttributeType::Float);
    attribute.f = Some(alpha);
    let elu = builder.node("Elu", &[input], vec![attribute]);
    builder.node_to("Mul", &[&elu, &gamma], vec![], output);
    true
}

fn mish(input: &str, output: &str, builder: &mut Builder) -> bool {
    let softplus = builder.node("Softplus", &[input], vec![]);
    let tanh = builder.node("Tanh", &[&softplus], vec![]);
    builder.node_to("Mul", &[input, &tanh], vec![], output);
    true
}

/// The engine's sign of zero is 1.
fn sign(input: &str, output: &str, builder: &mut Builder) -> bool {
    let zero = builder.constant(0.0);
    let sign = builder.node("Sign", &[input], vec![]);
    let is_zero = builder.node("Equal", &[input, &zero], vec![]);
    builder.node_to("Where", &[&is_zero, &zero, &sign], vec![], output);
    true
}

/// The first node that the engine would run with other values than it should: operator, label, reason.
pub(super) fn first_wrong(file: &OnnxFile) -> Option<(String, String, &'static str)> {
    fn search(graph: &GraphProto) -> Option<(String, String, &'static str)> {
        graph.node.iter().enumerate().find_map(|(index, node)| {
            let here = wrong_values(node).map(|reason| {
                let (operator, label) = label(node, index);
                (operator, label, reason)
            });
            let mut inner =
                node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
            here.or_else(|| inner.find_map(search))
        })
    }
    file.model.graph.as_ref().and_then(search)
}

/// Collects the nodes that replace one node.
pub(super) struct Builder<'a> {
    index: usize,
    nodes: Vec<NodeProto>,
    constants: &'a mut HashMap<u32, TensorProto>,
}

impl Builder<'_> {
    pub(super) fn node_to(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
        output: &str,
    ) {
        self.nodes.push(NodeProto {
            op_type: Some(operator.to_owned()),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute,
            ..NodeProto::default()
        });
    }

    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let output = format!("{PREFIX}t{}.{}", self.index, self.nodes.len());
        self.node_to(operator, inputs, attribute, &output);
        output
    }

    fn constant(&mut self, value: f32) -> String {
        const FLOAT: i32 = 1;
        let name = format!("{PREFIX}c{:08x}", value.to_bits());
        self.constants.entry(value.to_bits()).or_insert_with(|| TensorProto {
            name: Some(name.clone()),
            data_type: Some(FLOAT),
            float_data: vec![value],
            ..TensorProto::default()
        });
        name
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(kind.into()), ..AttributeProto::default() }
}

pub(super) fn integer_attribute(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

pub(super) fn integer_list(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { ints: values, ..attribute(name, AttributeType::Ints) }
}

pub(super) fn find<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}

fn float(node: &NodeProto, name: &str, default: f32) -> f32 {
    find(node, name).and_then(|attribute| attribute.f).unwrap_or(default)
}

pub(super) fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    find(node, name).and_then(|attribute| attribute.i)
}
