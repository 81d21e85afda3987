//! What planning needs to know; gathered by whoever can open files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ventral_metrics::CeilingRule;

use crate::Digest;

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
