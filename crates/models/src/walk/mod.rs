//! One image through a graph, one operator at a time: each is checked against what goes into it before it runs.
//!
//! An allocation that fails cannot be caught, and neither can a loop without end. Sizes may not depend on the pixels, so that what
//! holds for this image holds for all.

mod bounds;
mod pixels;

use std::collections::HashMap;

use ndarray::ArrayView4;
use rten::{Dimension, NodeId, Sequence, Value, ValueOrView};
use rten_tensor::{AsView as _, Layout as _, NdTensorView};

use crate::Error;
use crate::engine::{Engine, Worker};
use crate::onnx::{NodeProto, names_used};
use bounds::{Bound, Inputs, bound};
use pixels::Pixels;

/// Largest tensor, and most that one operator may make, in bytes.
pub const MAX_TENSOR_BYTES: u64 = 1 << 30;
/// Most bytes of all tensors that one image makes on its way.
pub const MAX_PASS_BYTES: u64 = 16 << 30;
/// Most operations (multiplications and additions as one) for one image: minutes of one thread.
pub const MAX_PASS_OPERATIONS: u64 = 4_000_000_000_000;
/// Most rounds of a `Loop`.
pub const MAX_TRIPS: u32 = 1 << 16;
/// Longest list of numbers that says how much an operator makes.
const MAX_LIST: usize = 4096;

/// Sends an image through all nodes and shows every tensor to `visit`, under the name that the graph has for it.
///
/// # Errors
/// [`Error::Run`] naming the node that would be over a limit, depends on the pixels in what it makes, or fails.
pub(crate) fn walk(
    engine: &Engine,
    image: ArrayView4<'_, f32>,
    visit: &mut dyn FnMut(&str, &Value),
) -> Result<(), Error> {
    let worker = engine.worker();
    let result = steps(engine, &worker, image, visit);
    engine.rest(worker);
    result
}

fn steps(
    engine: &Engine,
    worker: &Worker,
    image: ArrayView4<'_, f32>,
    visit: &mut dyn FnMut(&str, &Value),
) -> Result<(), Error> {
    let nodes = engine.nodes();
    let reads: Vec<Vec<&str>> = nodes.iter().map(reads).collect();
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (index, names) in reads.iter().enumerate() {
        last.extend(names.iter().map(|&name| (name, index)));
    }
    let (a, b, c, d) = image.dim();
    let standard = image.as_standard_layout();
    let image = NdTensorView::from_data([a, b, c, d], standard.as_slice().unwrap_or_default());
    let mut live: HashMap<&str, Value> = HashMap::from([(engine.input(), image.to_tensor().into())]);
    let (mut pixels, mut spent) = (Pixels::of(engine.input()), Bound { elements: 0.0, operations: 0.0 });
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.op_type() != "Constant") {
        let failed = |reason: String| engine.failed(node, reason);
        pixels.pass(node).map_err(failed)?;
        check(engine, &live, node, &mut spent).map_err(failed)?;
        let made: Vec<(&str, NodeId)> =
            node.output.iter().filter_map(|name| Some((name.as_str(), engine.tensor(name)?))).collect();
        let handles: Vec<NodeId> = made.iter().map(|(_, handle)| *handle).collect();
        let mut inputs: Vec<(NodeId, ValueOrView<'_>)> = Vec::new();
        for name in &reads[index] {
            if let Some((value, handle)) = live.get(name).zip(engine.tensor(name)) {
                inputs.push((handle, value.as_view().into()));
            }
        }
        let values = engine.run_node(worker, node, inputs, &handles)?;
        for ((name, _), value) in made.into_iter().zip(values) {
            visit(name, &value);
            if last.get(name).is_some_and(|&last| last > index) {
                live.insert(name, value);
            }
        }
        live.retain(|name, _| last.get(name).is_some_and(|&last| last > index));
    }
    Ok(())
}

/// Names that a node reads, each once.
fn reads(node: &NodeProto) -> Vec<&str> {
    let mut names = Vec::new();
    names_used(node, &mut names);
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !name.is_empty());
    names
}

/// Refuses a node that would make or do too much, or reads what is not there.
fn check(
    engine: &Engine,
    live: &HashMap<&str, Value>,
    node: &NodeProto,
    spent: &mut Bound,
) -> Result<(), String> {
    let inputs = Known { engine, live, node };
    let missing =
        |name: &&String| !name.is_empty() && !live.contains_key(name.as_str()) && !engine.is_constant(name);
    if let Some(name) = node.input.iter().find(missing) {
        return Err(format!("it reads {name:?}, which no operator before it makes; export the model again"));
    }
    if node.op_type() == "Loop" {
        let trips = inputs.numbers(0).and_then(|trips| trips.first().copied());
        if trips.is_none_or(|trips| trips > MAX_TRIPS.into()) {
            let found = trips.map_or("no number".to_owned(), |trips| format!("{trips}"));
            return Err(format!("it goes round {found} times; the most is {MAX_TRIPS}"));
        }
    }
    let all = (0..node.input.len()).map(|input| inputs.elements(input)).sum();
    let needs = bound(node, &inputs, all);
    let shapes = || {
        let shapes = (0..node.input.len()).filter_map(|input| inputs.shape(input));
        shapes.map(|shape| format!("{shape:?}")).collect::<Vec<_>>().join(", ")
    };
    let element = size_of::<f32>() as f64;
    if needs.elements * element > MAX_TENSOR_BYTES as f64 {
        return Err(format!(
            "from inputs of {} it would make {:.0} values, {}; the most is {}",
            shapes(),
            needs.elements,
            gib(needs.elements * element),
            gib(MAX_TENSOR_BYTES as f64)
        ));
    }
    spent.elements += needs.elements;
    spent.operations += needs.operations;
    if spent.elements * element > MAX_PASS_BYTES as f64 {
        return Err(format!(
            "with it all tensors of one image take more than {}",
            gib(MAX_PASS_BYTES as f64)
        ));
    }
    if spent.operations > MAX_PASS_OPERATIONS as f64 {
        return Err(format!(
            "from inputs of {} it would take {:.1e} operations, with those before it more than the {:.0e} that one image may take",
            shapes(),
            needs.operations,
            MAX_PASS_OPERATIONS as f64
        ));
    }
    Ok(())
}

fn gib(bytes: f64) -> String {
    format!("{:.3} GiB", bytes / (1u64 << 30) as f64)
}

/// What is known of a node's inputs.
struct Known<'a> {
    engine: &'a Engine,
    live: &'a HashMap<&'a str, Value>,
    node: &'a NodeProto,
}

impl Known<'_> {
    fn name(&self, input: usize) -> Option<&str> {
        self.node.input.get(input).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Elements of an input, all tensors of a sequence together.
    fn elements(&self, input: usize) -> f64 {
        let live = self.name(input).and_then(|name| self.live.get(name));
        match live {
            Some(Value::Sequence(sequence)) => elements_of(sequence) as f64,
            _ => self.shape(input).map_or(0.0, |shape| shape.iter().product()),
        }
    }
}

impl Inputs for Known<'_> {
    fn shape(&self, input: usize) -> Option<Vec<f64>> {
        let name = self.name(input)?;
        match self.live.get(name) {
            Some(value) => shape(value),
            None => self.engine.constant_shape(name),
        }
    }

    fn numbers(&self, input: usize) -> Option<Vec<f64>> {
        let name = self.name(input)?;
        if self.shape(input)?.iter().product::<f64>() > MAX_LIST as f64 {
            return None;
        }
        match self.live.get(name) {
            Some(value) => numbers(value),
            None => numbers(&self.engine.constant(name)?),
        }
    }
}

fn shape(value: &Value) -> Option<Vec<f64>> {
    let lengths = match value {
        Value::FloatTensor(tensor) => tensor.shape().to_vec(),
        Value::Int32Tensor(tensor) => tensor.shape().to_vec(),
        Value::Int8Tensor(tensor) => tensor.shape().to_vec(),
        Value::UInt8Tensor(tensor) => tensor.shape().to_vec(),
        _ => return None,
    };
    Some(lengths.into_iter().map(|length| length as f64).collect())
}

fn elements_of(sequence: &Sequence) -> usize {
    sequence.iter().map(|tensor| tensor.len()).sum()
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    if let Some(view) = value.as_tensor_view::<f32>() {
        return Some(view.iter().map(|&value| value.into()).collect());
    }
    Some(value.as_tensor_view::<i32>()?.iter().map(|&value| value.into()).collect())
}

/// Lengths of the axes of a stored tensor.
pub(crate) fn fixed(dimensions: &[Dimension]) -> Vec<f64> {
    let length = |dimension: &Dimension| match dimension {
        Dimension::Fixed(length) => *length as f64,
        Dimension::Symbolic(_) => 1.0,
    };
    dimensions.iter().map(length).collect()
}
