//! The one place that knows the execution engine, rten.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::ArrayView4;
use rten::{Model, ModelOptions, NodeId, RunOptions, ShapeInferenceMode, ThreadPool, Value, ValueOrView};
use rten_tensor::NdTensorView;

use crate::Error;
use crate::onnx::{Executable, GraphSummary, NodeLabels, NodeProto, OnnxFile, executable};
use crate::quiet::{guarded, mark_thread};
use crate::walk::{fixed, walk};

/// Name, version and settings of the engine, part of every model's digest: each of them can change activations in the last bits.
pub(crate) const ENGINE: &str =
    "rten 0.27.0, not optimised, prepacked, one image and one thread per run; rewrites 1";

/// Stack that the engine's planner takes for each operator of a chain, generously.
const STACK_BYTES: usize = 1 << 10;

/// A graph ready to run.
///
/// Same bytes always: each run has one image and one thread, so neither other images nor the number of threads can change how a
/// product is blocked; graph optimisation is off, since a fusion happens or not depending on which tensors are outputs.
/// Images run side by side instead.
pub(crate) struct Engine {
    path: PathBuf,
    model: Model,
    labels: NodeLabels,
    /// The outermost nodes in order.
    nodes: Vec<NodeProto>,
    image: String,
    input: NodeId,
    idle: Mutex<Vec<Arc<ThreadPool>>>,
}

/// A thread on which graphs run; taken with [`Engine::worker`].
pub(crate) struct Worker(Arc<ThreadPool>);

impl Engine {
    /// Loads a decoded model.
    pub fn load(file: OnnxFile) -> Result<(Self, GraphSummary), Error> {
        let path = file.path().to_owned();
        file.check_values()?;
        let summary = file.summary()?;
        let Executable { bytes, labels, nodes } = executable(file);
        let mut options = ModelOptions::with_all_ops();
        options.enable_optimization(false).shape_inference(ShapeInferenceMode::Off).prepack_weights(true);
        let model = guarded(|| options.load(bytes))
            .map_err(|panic| model_error(&path, panic))?
            .map_err(|error| load_error(&path, &labels, &error))?;
        let input = model.find_node(&summary.input).ok_or_else(|| {
            model_error(&path, format!("the input {:?} is not used by the graph", summary.input))
        })?;
        let image = summary.input.clone();
        Ok((Self { path, model, labels, nodes, image, input, idle: Mutex::new(Vec::new()) }, summary))
    }

    /// The engine's handle of a tensor.
    pub fn tensor(&self, name: &str) -> Option<NodeId> {
        self.model.find_node(name)
    }

    /// An idle thread, or a new one.
    pub fn worker(&self) -> Worker {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Worker(idle.unwrap_or_else(|| {
            let thread = ThreadPool::with_num_threads(1);
            thread.run(mark_thread);
            Arc::new(thread)
        }))
    }

    /// Gives a thread back.
    pub fn rest(&self, worker: Worker) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker.0);
    }

    /// Runs the graph on one image (1 x channels x height x width, or 1 x height x width x channels) and returns the asked tensors.
    pub fn run(
        &self,
        worker: &Worker,
        image: ArrayView4<'_, f32>,
        tensors: &[NodeId],
    ) -> Result<Vec<Value>, Error> {
        let (a, b, c, d) = image.dim();
        let standard = image.as_standard_layout();
        let data = standard.as_slice().unwrap_or_default();
        let input = NdTensorView::from_data([a, b, c, d], data);
        let options = RunOptions::default().with_thread_pool(Some(worker.0.clone()));
        let run = || self.model.run(vec![(self.input, input.into())], tensors, Some(options));
        let stack = STACK_BYTES * (self.nodes.len() + 256);
        match guarded(|| stacker::maybe_grow(stack, 2 * stack, run)) {
            Ok(result) => result.map_err(|error| self.explain(&error)),
            // One operator at a time, to see which it is.
            Err(panic) => match walk(self, image, &mut |_, _| ()) {
                Err(error) => Err(error),
                Ok(()) => Err(self.error(None, panic)),
            },
        }
    }

    /// Runs one node on what it reads.
    pub fn run_node(
        &self,
        worker: &Worker,
        node: &NodeProto,
        inputs: Vec<(NodeId, ValueOrView<'_>)>,
        tensors: &[NodeId],
    ) -> Result<Vec<Value>, Error> {
        if tensors.is_empty() {
            return Ok(Vec::new());
        }
        let options = RunOptions::default().with_thread_pool(Some(worker.0.clone()));
        guarded(|| self.model.run(inputs, tensors, Some(options)))
            .map_err(|panic| self.failed(node, panic))?
            .map_err(|error| self.explain(&error))
    }

    /// The outermost nodes in order, without weights.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.nodes
    }

    /// Name of the image in the graph.
    pub fn input(&self) -> &str {
        &self.image
    }

    /// Whether a tensor is stored in the model.
    pub fn is_constant(&self, name: &str) -> bool {
        let info = self.tensor(name).and_then(|handle| self.model.node_info(handle));
        // What is computed has no declared type: see `executable`.
        name != self.image && info.is_some_and(|info| info.dtype().is_some())
    }

    /// Lengths of the axes of a stored tensor.
    pub fn constant_shape(&self, name: &str) -> Option<Vec<f64>> {
        let handle = self.tensor(name).filter(|_| self.is_constant(name))?;
        Some(fixed(&self.model.node_info(handle)?.shape()?))
    }

    /// A copy of a stored tensor.
    pub fn constant(&self, name: &str) -> Option<Value> {
        let handle = self.tensor(name).filter(|_| self.is_constant(name))?;
        guarded(|| self.model.run(Vec::new(), &[handle], None)).ok()?.ok()?.pop()
    }

    /// An error that names a node.
    pub fn failed(&self, node: &NodeProto, reason: String) -> Error {
        self.error(self.labels.find(node.name()), reason)
    }

    fn explain(&self, error: &rten::RunError) -> Error {
        let path = error.node_path();
        let label = path.iter().rev().flatten().find_map(|name| self.labels.find(name));
        self.error(label, self.labels.translate(&error.to_string()))
    }

    fn error(&self, label: Option<(&str, &str)>, reason: String) -> Error {
        let node = label.map_or_else(
            || "an unknown operator".to_owned(),
            |(operator, label)| format!("operator {operator} (node {label})"),
        );
        Error::Run { path: self.path.clone(), node, reason }
    }
}

fn model_error(path: &Path, message: String) -> Error {
    Error::Model { path: path.to_owned(), message }
}

fn load_error(path: &Path, labels: &NodeLabels, error: &rten::LoadError) -> Error {
    let reason = labels.translate(&error.to_string());
    match error.node().and_then(|name| labels.find(name)) {
        Some((operator, node)) => {
            let reason = reason.rsplit_once(": ").map_or(reason.as_str(), |(_, last)| last).to_owned();
            Error::Operator {
                path: path.to_owned(),
                operator: operator.to_owned(),
                node: node.to_owned(),
                reason,
            }
        }
        None => model_error(path, format!("the graph cannot be loaded: {reason}")),
    }
}
