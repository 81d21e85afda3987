//! What a graph says about itself before it is run.

use std::collections::HashSet;
use std::path::Path;

use super::file::{OnnxFile, invalid};
use super::proto::tensor_shape_proto::dimension::Value as Dim;
use super::proto::{GraphProto, NodeProto, ValueInfoProto, type_proto};
use crate::Error;

/// Declared dimensions of the input; `None` where the model leaves one open.
pub(crate) type InputShape = Option<Vec<Option<u64>>>;

/// Names and structure of a graph.
pub(crate) struct GraphSummary {
    /// The one input that is not a weight.
    pub input: String,
    /// Its declared shape, if any.
    pub input_shape: InputShape,
    /// Tensors that are computed from the input, in the order of the graph, with the input itself left out.
    pub tensors: Vec<String>,
    /// The tensor that stands for `logits`: the first output, or what goes into it when it is a softmax.
    pub logits: Option<String>,
}

impl OnnxFile {
    /// The graph.
    pub(crate) fn graph(&self) -> Result<&GraphProto, Error> {
        self.model.graph.as_ref().ok_or_else(|| invalid(self.path(), "no graph".into()))
    }

    /// Version of the standard operators.
    pub(crate) fn version(&self) -> i64 {
        let standard = |domain: &str| matches!(domain, "" | "ai.onnx");
        let versions = self.model.opset_import.iter().filter(|set| standard(set.domain()));
        versions.map(|set| set.version()).max().unwrap_or(1)
    }

    /// Finds the input and the tensors computed from it.
    pub(crate) fn summary(&self) -> Result<GraphSummary, Error> {
        let path = self.path();
        let graph = self.graph()?;
        let (input, input_shape) = single_input(path, graph)?;
        let tensors = dependent_tensors(path, graph, &input)?;
        let logits = logits(graph, &tensors);
        Ok(GraphSummary { input, input_shape, tensors, logits })
    }
}

fn single_input(path: &Path, graph: &GraphProto) -> Result<(String, InputShape), Error> {
    let weights: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name()).collect();
    let inputs: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !weights.contains(input.name())).collect();
    match inputs.as_slice() {
        [input] => Ok((input.name().to_owned(), declared_shape(input))),
        _ => {
            let names: Vec<&str> = inputs.iter().map(|input| input.name()).collect();
            Err(invalid(
                path,
                format!(
                    "the graph has {} inputs ({}); a vision model has exactly one, the image",
                    names.len(),
                    names.join(", ")
                ),
            ))
        }
    }
}

fn declared_shape(input: &ValueInfoProto) -> InputShape {
    let Some(type_proto::Value::TensorType(tensor)) = input.r#type.as_ref()?.value.as_ref() else {
        return None;
    };
    let dims = &tensor.shape.as_ref()?.dim;
    let fixed = |value: &Option<Dim>| match value {
        Some(Dim::DimValue(size)) => u64::try_from(*size).ok().filter(|&size| size > 0),
        _ => None,
    };
    Some(dims.iter().map(|dim| fixed(&dim.value)).collect())
}

fn dependent_tensors(path: &Path, graph: &GraphProto, input: &str) -> Result<Vec<String>, Error> {
    let mut dependent: HashSet<&str> = HashSet::from([input]);
    let mut produced: HashSet<&str> =
        graph.initializer.iter().map(|tensor| tensor.name()).chain([input]).collect();
    let mut tensors = Vec::new();
    for node in &graph.node {
        let mut used = Vec::new();
        names_used(node, &mut used);
        let depends = used.iter().any(|name| dependent.contains(name));
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if !produced.insert(output) {
                return Err(invalid(
                    path,
                    format!("tensor {output:?} is produced twice; export the model again"),
                ));
            }
            if depends {
                dependent.insert(output);
                tensors.push(output.clone());
            }
        }
    }
    Ok(tensors)
}

/// Tensors that a node reads, those that its nested graphs take from outside included.
pub(crate) fn names_used<'a>(node: &'a NodeProto, names: &mut Vec<&'a str>) {
    names.extend(node.input.iter().map(String::as_str));
    let nested = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    for inner in nested.flat_map(|graph| &graph.node) {
        names_used(inner, names);
    }
}

/// How many operators that only reshape may lie between a softmax and the output.
const MAX_STEPS_TO_SOFTMAX: usize = 8;

fn logits(graph: &GraphProto, tensors: &[String]) -> Option<String> {
    const SHAPE_ONLY: [&str; 5] = ["Identity", "Flatten", "Reshape", "Squeeze", "Dropout"];
    if tensors.iter().any(|name| name == "logits") {
        return Some("logits".to_owned());
    }
    let producer =
        |name: &str| graph.node.iter().rev().find(|node| node.output.iter().any(|output| output == name));
    let output = graph
        .output
        .iter()
        .map(|output| output.name())
        .find(|name| tensors.iter().any(|tensor| tensor == name))?;
    let mut name = output;
    for _ in 0..MAX_STEPS_TO_SOFTMAX {
        let Some(node) = producer(name) else { break };
        let Some(first) = node.input.first().filter(|first| tensors.contains(first)) else { break };
        match node.op_type() {
            "Softmax" | "LogSoftmax" => return Some(first.clone()),
            operator if SHAPE_ONLY.contains(&operator) => name = first,
            _ => break,
        }
    }
    Some(output.to_owned())
}
