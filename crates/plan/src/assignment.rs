//! What a worker is told about a unit.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// A unit, as it travels through the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The job's id.
    pub job: String,
    /// What is to be done.
    pub work: Work,
    /// W3C trace context of the submission, when traces are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Predicted time of the unit in seconds, where something predicts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_seconds: Option<f64>,
}

/// Kinds of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Load what the job's bundle names and plan it: writes the document `jobs/<id>/plan.json`, once.
    Plan {
        /// Digest of the bundle's manifest, a blob.
        bundle: Digest,
    },
    /// The features unit of this index in the job's plan.
    Features {
        /// Index.
        index: usize,
    },
    /// The score unit of this index in the job's plan.
    Score {
        /// Index.
        index: usize,
    },
    /// The map unit of this index in the job's plan.
    Map {
        /// Index.
        index: usize,
    },
    /// The synthesis unit of this index in the job's plan.
    Synthesis {
        /// Index.
        index: usize,
    },
    /// Assemble the job's results from the scores its plan lists and from `jobs/<id>/failures.json`.
    Assemble,
    /// Waits and does nothing: drills of the cluster.
    Drill {
        /// How long, in milliseconds.
        milliseconds: u64,
    },
}

/// What a worker says about a finished unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitReport {
    /// Seconds of computing.
    pub seconds: f64,
    /// Peak memory of the computing process in bytes.
    pub peak_bytes: Option<u64>,
    /// Results that were in the store already.
    pub cached: usize,
    /// Results that were computed.
    pub computed: usize,
    /// Layers of a features unit that failed (indices into the unit's layers), each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_layers: Vec<(usize, String)>,
    /// Scores of a features unit that failed though their layer did not (indices into the plan's scores), each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_scores: Vec<(usize, String)>,
}
