//! Sections of a card for recordings over time and for features reduced to principal components.

use serde::{Deserialize, Serialize};

use super::card::StimuliCard;

/// What is done with the time bins of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeMode {
    /// Responses are averaged over the bins.
    Mean,
    /// The metric is computed in every bin; the score is the mean over bins.
    Each,
    /// One mapping is fitted to all bins and scored in every bin; the score is the mean over bins (`spantime_*`).
    Span,
    /// Every bin of a neuroid is a neuroid of its own.
    Flatten,
}

/// Time bins of a recording (`[time]`), in NetCDF files, or in npy and MATLAB files with a time axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeCard {
    /// What is done with them.
    pub mode: TimeMode,
    /// Start in ms: bins that begin before are left out.
    pub from: Option<f64>,
    /// End in ms: bins that end after are left out.
    pub to: Option<f64>,
    /// For `npy` and `mat`: start and end of each bin in ms.
    pub bins: Option<Vec<[f64; 2]>>,
}

/// Features reduced to principal components before they are compared (`[pca]`, spec §2.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PcaCard {
    /// How many; 1,000 unless given. Layers with no more features are left as they are.
    pub components: Option<usize>,
    /// The images that the components are fitted on, at least as many as components. Models see them filling their input.
    pub images: StimuliCard,
}

/// Time bins that a score is computed in.
#[derive(Debug, Clone, PartialEq)]
pub struct Time {
    /// What is done with them.
    pub mode: TimeMode,
    /// Start and end of each bin in ms; those of the columns are slowest.
    pub bins: Vec<[f64; 2]>,
}

/// Principal components to which features are reduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// How many.
    pub count: usize,
    /// The first of the benchmark's stimuli that they are fitted on; so are all after it.
    pub first: usize,
}

/// A part of the neuroids whose score and ceiling are computed by themselves; the benchmark's are the means over parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Name: a subject, a time bin.
    pub name: String,
    /// Columns of the responses.
    pub columns: Vec<usize>,
    /// Its ceiling, if the benchmark has one.
    pub ceiling: Option<f64>,
}
