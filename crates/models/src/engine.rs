//! The one place that knows the execution engine, rten.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::ArrayView4;
use rten::{Model, ModelOptions, NodeId, RunOptions, ShapeInferenceMode, ThreadPool, Value};
use rten_tensor::NdTensorView;

use crate::Error;
use crate::onnx::{GraphSummary, NodeLabels, OnnxFile, executable};

/// Name, version and settings of the engine, part of every model's digest: each of them can change activations in the last bits.
pub(crate) const ENGINE: &str =
    "rten 0.27.0, not optimised, prepacked, one image and one thread per run; rewrites 1";

/// A graph ready to run.
///
/// Same bytes always: each run has one image and one thread, so neither other images nor the number of threads can change how a
/// product is blocked; graph optimisation is off, since a fusion happens or not depending on which tensors are outputs.
/// Images run side by side instead.
pub(crate) struct Engine {
    path: PathBuf,
    model: Model,
    labels: NodeLabels,
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
        let (bytes, labels) = executable(file);
        let mut options = ModelOptions::with_all_ops();
        options.enable_optimization(false).shape_inference(ShapeInferenceMode::Off).prepack_weights(true);
        let model = guarded(|| options.load(bytes))
            .map_err(|panic| model_error(&path, panic))?
            .map_err(|error| load_error(&path, &labels, &error))?;
        let input = model.find_node(&summary.input).ok_or_else(|| {
            model_error(&path, format!("the input {:?} is not used by the graph", summary.input))
        })?;
        Ok((Self { path, model, labels, input, idle: Mutex::new(Vec::new()) }, summary))
    }

    /// The engine's handle of a tensor.
    pub fn tensor(&self, name: &str) -> Option<NodeId> {
        self.model.find_node(name)
    }

    /// An idle thread, or a new one.
    pub fn worker(&self) -> Worker {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Worker(idle.unwrap_or_else(|| Arc::new(ThreadPool::with_num_threads(1))))
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
        let failed = |node: &str, reason: String| Error::Run {
            path: self.path.clone(),
            node: node.to_owned(),
            reason,
        };
        let standard = image.as_standard_layout();
        let data = standard.as_slice().unwrap_or_default();
        let input = NdTensorView::from_data([a, b, c, d], data);
        let options = RunOptions::default().with_thread_pool(Some(worker.0.clone()));
        let result = guarded(|| self.model.run(vec![(self.input, input.into())], tensors, Some(options)))
            .map_err(|panic| failed("an unknown operator", panic))?;
        result.map_err(|error| {
            let path = error.node_path();
            let label = path.iter().rev().flatten().find_map(|name| self.labels.find(name));
            let node = label.map_or_else(
                || "an unknown operator".to_owned(),
                |(operator, label)| format!("operator {operator} (node {label})"),
            );
            failed(&node, self.labels.translate(&error.to_string()))
        })
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

/// Runs engine code; a panic in it (a malformed graph can cause one) becomes a message.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        format!("the engine gave up on the graph: {}", text.unwrap_or("no reason given"))
    })
}
