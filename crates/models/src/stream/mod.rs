//! Layers as tiles of features, whatever their size.

mod choose;
mod execute;
mod spill;

use std::path::PathBuf;
use std::time::Instant;

use ndarray::ArrayView2;

pub use choose::{
    Demand, Pass, Placement, Plan, READ_BYTES_PER_SECOND, STREAM_BATCH, WRITE_BYTES_PER_SECOND, choose,
};

use crate::source::check_request;
use crate::{ActivationSource, Error};

/// Takes the tiles: index of the layer in [`ActivationSource::layers`], first feature, stimuli x features.
pub type TileSink<'a> = dyn FnMut(usize, u64, ArrayView2<'_, f32>) -> Result<(), Error> + 'a;

/// What streaming may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLimits {
    /// Most bytes of activations that are held at a time: one batch as it comes from the source, and the tiles being put together.
    /// What the source uses inside (weights, a run's tensors, see [`crate::Network::forward_bytes`]) comes on top.
    pub memory_bytes: u64,
    /// Where activations may be spilled; `None` recomputes instead.
    pub spill_dir: Option<PathBuf>,
    /// Most bytes on disk at a time.
    pub spill_bytes: u64,
}

/// How far streaming has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamProgress {
    /// Pass over the stimuli, from 0.
    pub pass: usize,
    /// How many passes there are.
    pub passes: usize,
    /// Stimuli done in this pass.
    pub done: usize,
    /// Stimuli in all.
    pub stimuli: usize,
}

/// What streaming did.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamReport {
    /// Where each asked layer was put together, in the order asked.
    pub placements: Vec<(usize, Placement)>,
    /// Times that the stimuli went through the source.
    pub passes: usize,
    /// Bytes written to disk.
    pub spilled_bytes: u64,
    /// Most bytes of activations held at a time.
    pub peak_bytes: u64,
    /// Measured seconds of the source per stimulus; `None` when everything fitted and nothing had to be decided.
    pub seconds_per_stimulus: Option<f64>,
    /// Why the layers were placed so.
    pub reason: String,
}

/// Drives `source` over all its stimuli and hands the asked layers to `sink`: layer by layer in the order asked, each in tiles of
/// [`ventral_metrics::TILE_FEATURES`] features (the last one narrower) by all stimuli, ascending.
///
/// `sink` gets the index of the layer in `source.layers()`, the first feature of the tile, and the tile (stimuli x features).
/// Where a layer is put together (memory, several passes over the stimuli, or disk) is chosen by [`choose`] and changes no byte.
///
/// # Errors
/// [`Error::Memory`] if one stimulus and one tile of a layer exceed the memory limit; [`Error::Spill`] if the disk is full or fails;
/// [`Error::LayerIndex`]; [`Error::Given`] if there are no stimuli; any error of `source` or `sink`.
pub fn stream(
    source: &dyn ActivationSource,
    layers: &[usize],
    limits: &StreamLimits,
    sink: &mut TileSink<'_>,
    progress: &dyn Fn(StreamProgress),
) -> Result<StreamReport, Error> {
    check_request(source, &(0..source.stimuli()), layers)?;
    if source.stimuli() == 0 {
        return Err(Error::Given("there are no stimuli".into()));
    }
    let mut demand = Demand {
        stimuli: source.stimuli(),
        features: layers.iter().map(|&layer| source.layers()[layer].features).collect(),
        seconds_per_stimulus: 0.0,
        memory_bytes: limits.memory_bytes,
        spill_bytes: if limits.spill_dir.is_some() { limits.spill_bytes } else { 0 },
    };
    let too_small = |(layer, needed_bytes): (usize, u64)| Error::Memory {
        layer: source.layers()[layers[layer]].name.clone(),
        needed_bytes,
        limit_bytes: limits.memory_bytes,
    };
    let mut plan = choose(&demand).map_err(too_small)?;
    let mut measured = None;
    if plan.passes.len() > 1 || plan.spill.is_some() {
        demand.seconds_per_stimulus = time(source, layers, &plan)?;
        measured = Some(demand.seconds_per_stimulus);
        plan = choose(&demand).map_err(too_small)?;
    }
    stream_planned(source, layers, limits, &plan, sink, progress)
        .map(|report| StreamReport { seconds_per_stimulus: measured, ..report })
}

/// As [`stream`], with a plan made before.
///
/// # Errors
/// As [`stream`].
pub fn stream_planned(
    source: &dyn ActivationSource,
    layers: &[usize],
    limits: &StreamLimits,
    plan: &Plan,
    sink: &mut TileSink<'_>,
    progress: &dyn Fn(StreamProgress),
) -> Result<StreamReport, Error> {
    check_request(source, &(0..source.stimuli()), layers)?;
    execute::run(source, layers, limits, plan, sink, progress)
}

/// Seconds per stimulus for the layers of the first pass, over one batch.
fn time(source: &dyn ActivationSource, layers: &[usize], plan: &Plan) -> Result<f64, Error> {
    let Some(pass) = plan.passes.first() else { return Ok(0.0) };
    let asked: Vec<usize> = pass.layers.iter().map(|&layer| layers[layer]).collect();
    let count = pass.batch.min(source.stimuli());
    let start = Instant::now();
    source.activations(0..count, &asked)?;
    Ok(start.elapsed().as_secs_f64() / count as f64)
}
