//! What supervisor and slot say to each other: one JSON document per line.

use serde::{Deserialize, Serialize};
use ventral_plan::{Assignment, UnitReport};
use ventral_queue::FailureKind;

/// A unit to compute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The unit's name.
    pub unit: String,
    /// Counts the leases of the unit, for logs.
    pub epoch: u64,
    /// What is to be done.
    pub assignment: Assignment,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Reply {
    /// Its results are in the store.
    Finished {
        /// What it took.
        report: UnitReport,
    },
    /// It failed.
    Failed {
        /// Whose fault it was.
        kind: FailureKind,
        /// Why.
        reason: String,
        /// Whether the same unit gave other bytes than before: determinism is broken.
        alarm: bool,
    },
}
