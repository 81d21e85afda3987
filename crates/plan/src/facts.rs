//! What planning needs to know; gathered by whoever can open files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ventral_metrics::{CeilingRule, Summary};

use crate::{Digest, GradientFacts};

/// A model, as far as planning is concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Identifier on the card.
    pub identifier: String,
    /// Digest of everything that changes its activations: weights, preprocessing, batch.
    pub digest: Digest,
    /// Layers to score, in graph order.
    pub layers: Vec<LayerFacts>,
    /// Region to layer commitments of the card.
    pub commitments: BTreeMap<String, String>,
    /// Visual degrees the model's input spans; `None` for given activations.
    pub degrees: Option<f64>,
    /// Seconds of one stimulus through the whole graph on this machine, all threads.
    pub seconds_per_stimulus: f64,
    /// Bytes of the weights in memory.
    pub weight_bytes: u64,
    /// ImageNet top-1 accuracy between 0 and 1, when the card states it.
    pub imagenet_top1: Option<f64>,
    /// Start and end in ms of the time bins of its activations; empty for a model without time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub time_bins: Vec<[f64; 2]>,
    /// Index of the layer that behaviour is read out from; without one a model is not scored on behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readout: Option<usize>,
    /// Indices, ascending, of layers that are there only because a region or the readout commits to them: brain maps leave them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub committed: Vec<usize>,
    /// Its gradient with respect to the image, where images are made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient: Option<GradientFacts>,
}

impl ModelFacts {
    /// Number of layers that brain maps compare with; none of a model that is given by its answers, and scored on behaviour alone.
    #[must_use]
    pub fn mapped(&self) -> usize {
        self.layers.len() - self.committed.len()
    }

    /// Rows of activations that are read for a benchmark's stimuli: one per stimulus, or per time bin and stimulus.
    #[must_use]
    pub fn rows(&self, stimuli: usize) -> usize {
        stimuli.saturating_mul(self.time_bins.len().max(1))
    }
}

/// One layer of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// Name of the tensor.
    pub name: String,
    /// Number of features p per stimulus.
    pub features: u64,
}

/// What a metric reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consumes {
    /// The Gram matrix alone.
    Gram,
    /// The features themselves, tile by tile.
    Tiles,
}

/// A benchmark, as far as planning is concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkFacts {
    /// Identifier on the card.
    pub identifier: String,
    /// Version on the card.
    pub version: String,
    /// Region it stands for.
    pub region: String,
    /// Digest of the card's meaning and of all its data.
    pub digest: Digest,
    /// Digest of the stimuli: ids and image bytes, in order.
    pub stimuli: Digest,
    /// Number of stimuli n the features are read for.
    pub stimulus_count: usize,
    /// Number of targets q: neuroids, or image pairs for an RDM.
    pub targets: usize,
    /// Ids of the neuroids, one per column of the scores; empty for a metric with one value per split.
    pub neuroids: Vec<String>,
    /// Number of splits.
    pub splits: usize,
    /// What its metric reads.
    pub consumes: Consumes,
    /// Visual degrees the stimuli were shown at, when stated.
    pub degrees: Option<f64>,
    /// Name of the metric.
    pub metric: String,
    /// Ceiling, for rules that need one; NaN never.
    pub ceiling: Option<Ceiling>,
    /// How the ceiling normalises a raw score (spec 5.3).
    pub rule: CeilingRule,
    /// Whether its scores are only reported: no layer may be chosen on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// Whom to cite.
    pub citation: Option<String>,
    /// What is peculiar about the data: constant neuroids and the like.
    pub notes: Vec<String>,
    /// What goes beyond one fit of all neuroids from the features as they are.
    #[serde(default, skip_serializing_if = "Variant::is_plain")]
    pub variant: Variant,
}

/// Bytes of what is known of a stimulus: identifier, file, properties.
const STIMULUS_BYTES: u64 = 400;

impl BenchmarkFacts {
    /// Memory that it takes when it is loaded, more or less: the responses, as read and averaged, and its stimuli.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let values = (self.stimulus_count as u64).saturating_mul(self.targets as u64);
        values.saturating_mul(16).saturating_add(self.stimulus_count as u64 * STIMULUS_BYTES)
    }
}

/// What sets a benchmark apart from one fit of all neuroids from the features as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Variant {
    /// Whether a metric that reads tiles needs the layer's Gram matrix before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_gram: bool,
    /// Whether its regression solves with the Gram matrix, which is then multiplied in 64 bit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub solves: bool,
    /// Parts of the columns whose scores are averaged: subjects, time bins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartFacts>,
    /// Time bins in ms that a model with time is aligned to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bins: Vec<[f64; 2]>,
    /// Principal components that features are reduced to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<usize>,
    /// Whether it is an engineering benchmark, which is shown but does not count in the brain score.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub engineering: bool,
    /// For behaviour: a model is scored on its readout layer alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorFacts>,
    /// Whether the columns of its scores are subjects: the score is their mean, the error their standard error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subjects: bool,
    /// Whether it is about single units of a layer: the score is the mean of its values, the error their standard deviation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub units: bool,
}

/// What is different about a benchmark of behaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BehaviorFacts {
    /// How the metric's values become a score.
    pub summary: Summary,
    /// Ceiling of each split, where splits have their own.
    pub ceilings: Vec<f64>,
}

/// A part of the columns that is scored and ceiled by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartFacts {
    /// Its name.
    pub name: String,
    /// Its columns of the scores; empty for the one at its own place, for metrics with one value per part.
    pub columns: Vec<usize>,
    /// Its ceiling.
    pub ceiling: Option<f64>,
}

impl Variant {
    /// Whether there is nothing special.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// How well the data predict themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// The ceiling.
    pub value: f64,
    /// Its standard error over splits, when it has one.
    pub error: Option<f64>,
}

/// The machine the units will run on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// Numeric profile: CPU feature class and kernel revision. Part of every digest.
    pub profile: String,
    /// Memory the job may use, in bytes.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: usize,
    /// Measured rate of f64 matrix products, in operations per second.
    pub f64_rate: f64,
    /// Measured rate of f32 matrix products, in operations per second.
    pub f32_rate: f64,
}
