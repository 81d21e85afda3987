//! What of a graph lies between the image and the layers.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::Error;
use crate::onnx::{GraphProto, NodeProto};

/// The part of a graph that is differentiated.
#[derive(Debug)]
pub(in crate::gradient) struct Part {
    /// Nodes from the image to the layers, in order, with their position in the graph.
    pub nodes: Vec<(usize, NodeProto)>,
    /// Tensors that depend on the image and that these nodes read or write, the image left out.
    pub values: Vec<String>,
    /// Tensors that these nodes read and that are the same for every image.
    pub constants: Vec<String>,
}

/// Operators whose result depends on the shape of their input alone.
const OF_SHAPE: [&str; 2] = ["Shape", "Size"];

impl Part {
    /// The nodes that `layers` need. Whatever depends on the image only through its shape is constant.
    pub fn between(path: &Path, graph: &GraphProto, image: &str, layers: &[String]) -> Result<Self, Error> {
        let dependent = dependent(path, graph, image)?;
        for layer in layers {
            if !dependent.contains(layer.as_str()) {
                return Err(Error::Model {
                    path: path.to_owned(),
                    message: format!("layer {layer:?} does not depend on the pixels of the image"),
                });
            }
        }
        let mut wanted: HashSet<&str> = layers.iter().map(String::as_str).collect();
        let mut constants = HashSet::new();
        let mut nodes = Vec::new();
        for (index, node) in graph.node.iter().enumerate().rev() {
            let makes = |name: &String| dependent.contains(name.as_str()) && wanted.contains(name.as_str());
            if !node.output.iter().any(makes) {
                continue;
            }
            nodes.push((index, node.clone()));
            for input in node.input.iter().filter(|name| !name.is_empty()) {
                if dependent.contains(input.as_str()) {
                    wanted.insert(input);
                } else {
                    constants.insert(input.clone());
                }
            }
        }
        nodes.reverse();
        wanted.extend(nodes.iter().flat_map(|(index, _)| &graph.node[*index].output).map(String::as_str));
        wanted.remove(image);
        wanted.remove("");
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let values = sorted(wanted.into_iter().map(str::to_owned).collect());
        Ok(Self { nodes, values, constants: sorted(constants.into_iter().collect()) })
    }

    /// How many nodes read each tensor.
    pub fn readers(&self) -> HashMap<String, usize> {
        let mut readers = HashMap::new();
        for name in self.nodes.iter().flat_map(|(_, node)| &node.input) {
            *readers.entry(name.clone()).or_default() += 1;
        }
        readers
    }
}

/// Tensors whose values depend on the pixels, the image included.
fn dependent<'a>(path: &Path, graph: &'a GraphProto, image: &'a str) -> Result<HashSet<&'a str>, Error> {
    let mut dependent = HashSet::from([image]);
    let mut later: HashSet<&str> =
        graph.node.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    later.remove("");
    for node in &graph.node {
        let mut read: Vec<&str> = node.input.iter().map(String::as_str).collect();
        let nested = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        nested.for_each(|inner| names_inside(inner, &mut read));
        if let Some(name) = node.input.iter().find(|name| later.contains(name.as_str())) {
            return Err(Error::Model {
                path: path.to_owned(),
                message: format!("tensor {name:?} is read before it is made; export the model again"),
            });
        }
        let depends = read.iter().any(|name| dependent.contains(name));
        for output in &node.output {
            later.remove(output.as_str());
            if depends && !output.is_empty() && !OF_SHAPE.contains(&node.op_type()) {
                dependent.insert(output);
            }
        }
    }
    Ok(dependent)
}

fn names_inside<'a>(graph: &'a GraphProto, names: &mut Vec<&'a str>) {
    for node in &graph.node {
        names.extend(node.input.iter().map(String::as_str));
        let nested = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        nested.for_each(|inner| names_inside(inner, names));
    }
}
