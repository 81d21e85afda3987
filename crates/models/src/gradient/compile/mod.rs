//! From the nodes of a graph to a program.

mod attributes;
mod graph;
mod pointwise;
mod products;
mod shapes;
mod windows;

use std::collections::{HashMap, HashSet};
use std::path::Path;

pub(super) use graph::Part;

use super::fold::{Data, Facts};
use super::program::{Op, Program, Source, Step};
use super::real::Real;
use crate::Error;
use crate::onnx::{NodeProto, node_label};

/// Why a node cannot be differentiated.
type Reason = String;

/// What is being compiled.
struct Compiler<'a, T> {
    program: Program<T>,
    facts: &'a Facts,
    /// Version of the standard operators.
    version: i64,
    /// Value of each tensor that depends on the image; several names may have one value.
    values: HashMap<String, usize>,
    /// Shape of each tensor in `values`.
    shapes: HashMap<String, Vec<usize>>,
    /// Step that makes a tensor, where something may be fused into it.
    makers: HashMap<String, usize>,
    readers: HashMap<String, usize>,
    asked: HashSet<&'a str>,
}

/// One input of a node.
#[derive(Clone)]
struct Input {
    source: Source,
    shape: Vec<usize>,
}

/// Compiles `part` for an image of shape `image_shape`.
pub(super) fn compile<T: Real>(
    path: &Path,
    part: &Part,
    facts: &Facts,
    version: i64,
    image: (&str, [usize; 4]),
    layers: &[String],
) -> Result<Program<T>, Error> {
    let mut compiler = Compiler {
        program: Program::new(image.1.iter().product()),
        facts,
        version,
        values: HashMap::from([(image.0.to_owned(), 0)]),
        shapes: HashMap::from([(image.0.to_owned(), image.1.to_vec())]),
        makers: HashMap::new(),
        readers: part.readers(),
        asked: layers.iter().map(String::as_str).collect(),
    };
    for (index, node) in &part.nodes {
        compiler.node(node).map_err(|reason| {
            let (operator, node) = node_label(node, *index);
            Error::Operator { path: path.to_owned(), operator, node, reason }
        })?;
    }
    let mut program = compiler.program;
    for layer in layers {
        let value = compiler.values.get(layer).copied();
        program.layers.push(value.ok_or_else(|| Error::Model {
            path: path.to_owned(),
            message: format!("layer {layer:?} is not made by the graph"),
        })?);
    }
    program.finish();
    Ok(program)
}

impl<'a, T: Real> Compiler<'a, T> {
    fn node(&mut self, node: &NodeProto) -> Result<(), Reason> {
        if !matches!(node.domain(), "" | "ai.onnx") {
            return Err("its gradient is not available".into());
        }
        match node.op_type() {
            "Conv" => self.convolution(node),
            "MaxPool" | "GlobalMaxPool" => self.max_pool(node),
            "AveragePool" => self.average_pool(node),
            "BatchNormalization" => self.batch_normalization(node),
            "InstanceNormalization" => self.instance_normalization(node),
            "LRN" => self.local_response(node),
            "LayerNormalization" => self.layer_normalization(node),
            "Softmax" | "LogSoftmax" => self.softmax(node),
            "Gemm" => self.gemm(node),
            "MatMul" => self.matmul(node),
            "Relu" => self.relu(node),
            _ => match self.pointwise(node)? {
                true => Ok(()),
                false => self.movement(node),
            },
        }
    }

    /// Input `index` of a node; `None` where it is left out.
    fn input(&mut self, node: &NodeProto, index: usize) -> Result<Option<Input>, Reason> {
        let Some(name) = node.input.get(index).filter(|name| !name.is_empty()) else { return Ok(None) };
        if let Some(&value) = self.values.get(name) {
            let shape = self.shapes.get(name).cloned().unwrap_or_default();
            return Ok(Some(Input { source: Source::Value(value), shape }));
        }
        let (shape, data) = self.floats(name)?;
        Ok(Some(self.constant(shape, data)))
    }

    fn needed(&mut self, node: &NodeProto, index: usize) -> Result<Input, Reason> {
        self.input(node, index)?.ok_or_else(|| format!("input {index} is missing"))
    }

    /// The first input, which must depend on the image.
    fn image(&mut self, node: &NodeProto) -> Result<Input, Reason> {
        let input = self.needed(node, 0)?;
        match input.source {
            Source::Value(_) => Ok(input),
            Source::Constant(_) => {
                Err("its first input does not depend on the image, but another does".into())
            }
        }
    }

    fn constant(&mut self, shape: Vec<usize>, data: Vec<T>) -> Input {
        self.program.constants.push(data);
        Input { source: Source::Constant(self.program.constants.len() - 1), shape }
    }

    /// A constant of floating-point numbers.
    fn floats(&self, name: &str) -> Result<(Vec<usize>, Vec<T>), Reason> {
        if self.values.contains_key(name) {
            return Err(format!("{name:?} depends on the image; it must be constant here"));
        }
        match self.facts.constants.get(name) {
            Some(constant) => {
                let values = match &constant.data {
                    Data::Floats(values) => values.iter().map(|&value| T::of(value.into())).collect(),
                    Data::Integers(values) => values.iter().map(|&value| T::of(value as f64)).collect(),
                };
                Ok((constant.shape.clone(), values))
            }
            None => Err(format!("{name:?} is not a tensor of numbers")),
        }
    }

    /// Numbers of a constant input, or `None` where it is left out.
    fn float_input(&self, node: &NodeProto, index: usize) -> Result<Option<Vec<T>>, Reason> {
        let name = node.input.get(index).filter(|name| !name.is_empty());
        name.map(|name| self.floats(name).map(|(_, values)| values)).transpose()
    }

    /// Integers of a constant input, or `None` where it is left out.
    fn integer_input(&self, node: &NodeProto, index: usize) -> Result<Option<Vec<i64>>, Reason> {
        let Some(name) = node.input.get(index).filter(|name| !name.is_empty()) else { return Ok(None) };
        match self.facts.constants.get(name).map(|constant| &constant.data) {
            Some(Data::Integers(values)) => Ok(Some(values.clone())),
            _ => Err(format!("{name:?} is not a constant of integers")),
        }
    }

    /// Name and shape, as the scorer's engine has it, of an output. It has elements: steps count on that.
    fn output<'b>(&self, node: &'b NodeProto, index: usize) -> Result<(&'b str, Vec<usize>), Reason> {
        let name = node.output.get(index).map(String::as_str).unwrap_or_default();
        match self.facts.shapes.get(name) {
            Some(Some(shape)) if shape.contains(&0) => Err(format!(
                "its output {name:?} is {shape:?}: without elements there is nothing to differentiate"
            )),
            Some(Some(shape)) => Ok((name, shape.clone())),
            Some(None) => Err("its result is not of floating-point numbers".into()),
            None => Err(format!("its output {name:?} was not computed")),
        }
    }

    /// Refuses further outputs that something reads.
    fn one_output(&self, node: &NodeProto) -> Result<(), Reason> {
        let read = |name: &&String| self.readers.contains_key(*name) || self.asked.contains(name.as_str());
        match node.output.iter().skip(1).find(read) {
            Some(name) => Err(format!("its output {name:?} has no gradient")),
            None => Ok(()),
        }
    }

    /// A new value that has no name.
    fn push(&mut self, op: impl Op<T> + 'static, inputs: Vec<Source>, shape: Vec<usize>) -> Input {
        let output = self.program.sizes.len();
        self.program.sizes.push(shape.iter().product());
        self.program.steps.push(Step { op: Box::new(op), inputs, output });
        Input { source: Source::Value(output), shape }
    }

    /// Gives the node's first output to a value that was pushed.
    fn name(&mut self, node: &NodeProto, made: &Input) -> Result<(), Reason> {
        self.one_output(node)?;
        self.name_output(node, 0, made)?;
        Ok(())
    }

    fn name_output(&mut self, node: &NodeProto, index: usize, made: &Input) -> Result<(), Reason> {
        let (name, shape) = self.output(node, index)?;
        let Source::Value(value) = made.source else {
            return Err("its result does not depend on the image".into());
        };
        if made.shape.iter().product::<usize>() != shape.iter().product::<usize>() {
            return Err(format!("its result is {:?}, but the scorer's engine makes {shape:?}", made.shape));
        }
        let last = self.program.steps.len().checked_sub(1);
        if let Some(last) = last.filter(|&last| self.program.steps[last].output == value) {
            self.makers.insert(name.to_owned(), last);
        }
        self.values.insert(name.to_owned(), value);
        self.shapes.insert(name.to_owned(), shape);
        Ok(())
    }

    /// The step that makes the node's first input, if nobody else sees that tensor.
    fn fusable(&self, node: &NodeProto) -> Option<usize> {
        let name = node.input.first()?;
        let alone = self.readers.get(name) == Some(&1) && !self.asked.contains(name.as_str());
        self.makers.get(name).copied().filter(|_| alone)
    }

    /// Gives the output the value of the first input.
    fn alias(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        self.one_output(node)?;
        let (name, shape) = self.output(node, 0)?;
        let Source::Value(value) = input.source else { return Err("its input is constant".into()) };
        if input.shape.iter().product::<usize>() != shape.iter().product::<usize>() {
            return Err(format!("it turns {:?} into {shape:?}", input.shape));
        }
        self.values.insert(name.to_owned(), value);
        self.shapes.insert(name.to_owned(), shape);
        Ok(())
    }
}
