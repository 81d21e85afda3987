//! Units of work. A unit is named by the digest of everything that can change its bytes.

use serde::{Deserialize, Serialize};
use ventral_metrics::Precision;

use crate::{Digest, Estimate};

/// Revision of the layout and meaning of stored results; a change makes every old result a stranger.
pub const RESULT_REVISION: u32 = 2;

/// Stimuli shown at one size are put on the screen of a model that sees another (spec 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Screen {
    /// Visual degrees of the stimuli.
    pub source_degrees: f64,
    /// Visual degrees of the model's input.
    pub target_degrees: f64,
}

/// model x stimulus set: its layers are read, and scored while they are in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeaturesUnit {
    /// Index into the plan's models.
    pub model: usize,
    /// Index of a benchmark of the plan that has these stimuli; of no meaning where `scan` or `pool` is there.
    pub benchmark: usize,
    /// Index of a scan of the plan that has these stimuli, where no benchmark has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<usize>,
    /// Index of the natural images of the plan that these stimuli are, where no benchmark or scan has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<usize>,
    /// Digest of the stimuli.
    pub stimuli: Digest,
    /// Rescaling of the stimuli, when degrees differ.
    pub screen: Option<Screen>,
    /// The layers, in graph order, each with the digest of its Gram.
    pub layers: Vec<LayerTarget>,
    /// Indices into the plan's scores of those that are computed while a layer is in memory, ascending.
    pub scores: Vec<usize>,
    /// Least memory that these scores take beside the reading, in bytes; part of the estimate.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub scoring_bytes: u64,
    /// Memory of the reading alone, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reading_bytes: u64,
    /// Predicted memory and time.
    pub estimate: Estimate,
}

/// One layer of a features unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerTarget {
    /// Index into the model's layers.
    pub layer: usize,
    /// Name of the resulting `LayerGram`.
    pub gram: Digest,
    /// Number type in which it is multiplied at first; 64 bit follow where 32 turn out to be too coarse.
    #[serde(default = "single")]
    pub precision: Precision,
    /// Whether the `LayerGram` is stored: for units that read it, or because the spec says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

fn single() -> Precision {
    Precision::F32
}

impl FeaturesUnit {
    /// Positions of one Gram per layer, the one for metrics that only multiply by it, in graph order. Jobs whose metrics solve as well
    /// have a second one of large layers, after all of these.
    pub fn plain(&self) -> impl Iterator<Item = usize> {
        let first = |position: &usize| {
            let layer = self.layers[*position].layer;
            self.layers[..*position].iter().all(|before| before.layer < layer)
        };
        (0..self.layers.len()).filter(first)
    }

    /// Positions of the Grams that are stored.
    pub fn kept(&self) -> impl Iterator<Item = usize> {
        (0..self.layers.len()).filter(|&position| self.layers[position].kept)
    }

    /// Most Grams that are built at a time.
    pub fn grams_at_once(&self) -> usize {
        if self.plain().count() < self.layers.len() { 2 } else { 1 }
    }
}

/// What the metrics on some stimuli do with the Grams of a layer.
#[derive(Clone, Copy)]
pub(crate) struct Grams {
    /// Some multiply by them.
    pub multiplied: bool,
    /// Some solve with them.
    pub solved: bool,
}

impl Grams {
    /// Which Grams are needed, by layer and precision, of layers and their features: for metrics that multiply, then what is missing
    /// for those that solve.
    pub fn of(
        self,
        layers: impl Iterator<Item = (usize, u64)> + Clone,
        asked: Precision,
        rows: usize,
    ) -> Vec<(usize, Precision)> {
        let needed = |solves: bool| {
            layers.clone().map(move |(layer, features)| (layer, asked.needed(solves, rows, features)))
        };
        let mut wanted: Vec<_> = needed(false).filter(|_| self.multiplied).collect();
        let solved: Vec<_> = needed(true).filter(|target| self.solved && !wanted.contains(target)).collect();
        wanted.extend(solved);
        wanted
    }
}

/// layer x benchmark x all splits: r per neuroid and split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreUnit {
    /// Name of the resulting scores.
    pub digest: Digest,
    /// Index into the plan's models.
    pub model: usize,
    /// Index into the model's layers.
    pub layer: usize,
    /// Index into the plan's benchmarks.
    pub benchmark: usize,
    /// The `LayerGram` it is computed from.
    pub gram: Digest,
    /// Whether it is a unit of its own, which reads the stored Gram; others are computed while their layer is read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
    /// Predicted memory and time.
    pub estimate: Estimate,
}

/// Everything that can change the bytes of a `LayerGram`.
#[derive(Serialize)]
pub(crate) struct GramIdentity<'a> {
    pub kind: &'static str,
    pub revision: u32,
    pub profile: &'a str,
    pub model: &'a Digest,
    pub layer: &'a str,
    pub stimuli: &'a Digest,
    pub screen: Option<Screen>,
    pub precision: Precision,
}

/// Everything that can change the bytes of the scores of one layer on one benchmark.
#[derive(Serialize)]
pub(crate) struct ScoreIdentity<'a> {
    pub kind: &'static str,
    pub revision: u32,
    pub gram: &'a Digest,
    pub benchmark: &'a Digest,
    /// What a model with time is aligned to; nothing for others, whose digests stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bins: Option<&'a [[f64; 2]]>,
}
