//! What the aggregation is fed with.

use serde::{Deserialize, Serialize};
use ventral_metrics::{Precision, Score};

use crate::{Undefined, UndefinedRule, Value};

/// The ceiled score of a layer, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ceiled {
    /// The score after the benchmark's ceiling rule.
    Score(Score),
    /// The metric or the ceiling failed.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// One layer of one model on one benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerScore {
    /// Identifier of the model.
    pub model: String,
    /// Name of the layer.
    pub layer: String,
    /// Place of the layer along the network's depth, from 0.
    pub depth_index: usize,
    /// Identifier of the benchmark.
    pub benchmark: String,
    /// Version of the benchmark.
    pub version: String,
    /// The score before the ceiling; absent if the metric failed.
    pub raw: Option<Score>,
    /// The benchmark's ceiling in units of the raw score, if it has one for all of its splits and parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<f64>,
    /// The score after the ceiling.
    pub ceiled: Ceiled,
    /// Number type in which the layer was multiplied, where it is not the one that the job asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Values of the metric that are not defined, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<Box<Undefined>>,
}

impl LayerScore {
    /// The ceiled score for a table: NaN is a failure.
    #[must_use]
    pub fn value(&self) -> Value {
        match &self.ceiled {
            Ceiled::Score(score) => Value::of(score.value),
            Ceiled::Failed { reason } => Value::Failed { reason: reason.clone() },
        }
    }

    /// The raw score for a table; if there is none, why.
    #[must_use]
    pub fn raw_value(&self) -> Value {
        match (&self.raw, &self.ceiled) {
            (Some(score), _) => Value::of(score.value),
            (None, Ceiled::Failed { reason }) => Value::Failed { reason: reason.clone() },
            (None, Ceiled::Score(_)) => Value::Missing,
        }
    }

    /// What must be said of a score that passes over undefined values.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let skipped = |undefined: &&Undefined| undefined.rule == UndefinedRule::Skipped;
        self.undefined.as_deref().filter(skipped).map(Undefined::to_string)
    }

    /// The ceiled score with its splits, if there is one.
    #[must_use]
    pub fn ceiled_score(&self) -> Option<&Score> {
        match &self.ceiled {
            Ceiled::Score(score) => Some(score),
            Ceiled::Failed { .. } => None,
        }
    }
}
