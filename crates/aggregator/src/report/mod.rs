//! The report: one self-contained HTML page that needs no network and no script to be read.

pub(crate) mod chart;
pub(crate) mod depth;
mod input;
pub(crate) mod page;
pub(crate) mod scale;
pub(crate) mod scatter;
pub(crate) mod series;
pub(crate) mod spread;
pub(crate) mod svg;
pub(crate) mod tables;

pub use input::report_of;
use serde::{Deserialize, Serialize};
use ventral_metrics::CeilingRule;

use crate::{Error, LayerScore, Leaderboard, Selection};

/// A fact about how the results came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// What: "numeric profile", "spec", "date".
    pub name: String,
    /// The fact.
    pub value: String,
}

/// What a reader needs to know about a benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkInfo {
    /// Identifier.
    pub identifier: String,
    /// Version.
    pub version: String,
    /// Region.
    pub region: String,
    /// Name of the metric.
    pub metric: String,
    /// Number of stimuli.
    pub stimuli: usize,
    /// Number of neuroids, or of pairs of stimuli.
    pub targets: usize,
    /// Number of splits.
    pub splits: usize,
    /// The ceiling in units of the raw score, if there is one.
    pub ceiling: Option<f64>,
    /// How it enters the score.
    pub rule: CeilingRule,
    /// What the error bar of its scores is, if they have one.
    pub error_bar: Option<String>,
    /// Whom to cite.
    pub citation: Option<String>,
}

/// ImageNet accuracy of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopOne {
    /// The model.
    pub model: String,
    /// Top-1 accuracy in percent.
    pub percent: f64,
}

/// What a stage was expected to need, and needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The stage or model.
    pub name: String,
    /// Predicted wall time in seconds.
    pub predicted_seconds: Option<f64>,
    /// Wall time in seconds.
    pub actual_seconds: Option<f64>,
    /// Predicted peak memory in bytes.
    pub predicted_bytes: Option<u64>,
    /// Peak memory in bytes.
    pub actual_bytes: Option<u64>,
}

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// A sentence or two below it.
    pub summary: Option<String>,
    /// The table of models; its order is that of all charts.
    pub leaderboard: Leaderboard,
    /// The layers reported.
    pub selections: Vec<Selection>,
    /// Every layer on every benchmark.
    pub layers: Vec<LayerScore>,
    /// The benchmarks, in the order they are to be shown.
    pub benchmarks: Vec<BenchmarkInfo>,
    /// Accuracies of the models that state one.
    pub imagenet_top1: Vec<TopOne>,
    /// Predicted and actual costs.
    pub costs: Vec<Cost>,
    /// How the results came about.
    pub provenance: Vec<Provenance>,
}

/// The page.
///
/// # Errors
/// [`Error::Page`] if the template cannot be filled in.
pub fn html(report: &Report) -> Result<String, Error> {
    page::render(report)
}
