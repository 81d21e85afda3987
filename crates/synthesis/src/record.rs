//! What is known of a step.

use serde::{Deserialize, Serialize};

/// One step; one line of the convergence record. Holds no time, so that two runs give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    /// The step, from 0. Everything else was measured before the step changed the images.
    pub step: u64,
    /// The objective, with its regularisers.
    pub j: f64,
    /// Mean absolute correlation of two layers' RSMs, of the transformed images.
    pub mean_abs_r: f64,
    /// The largest absolute one.
    pub max_abs_r: f64,
    /// The layers that have it, the earlier first.
    pub worst: [usize; 2],
    /// Spread of each layer's RSM over image pairs, sd(v).
    pub sd: Vec<f64>,
    /// Euclidean norm of the gradient with respect to the parameters.
    pub gradient_norm: f64,
    /// Share of the values of all images that are black or white in eight bits.
    pub clipped: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Mean absolute correlation of the images without a transform, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untransformed: Option<f64>,
}

impl StepRecord {
    /// One line of JSON without its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
