//! The parts of `results.json` that the services read. The aggregator writes it.

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use tonic::Status;

use super::status::{Reason, refuse};

/// A job's results.
#[derive(Debug, Deserialize)]
pub struct Results {
    pub layers: Vec<LayerScore>,
    pub missing: u64,
    pub leaderboard: Leaderboard,
}

/// One layer of one model on one benchmark.
#[derive(Debug, Deserialize)]
pub struct LayerScore {
    pub model: String,
    pub layer: String,
    pub depth_index: u64,
    pub benchmark: String,
    pub version: String,
    pub raw: Option<Score>,
    pub ceiled: Ceiled,
    pub precision: Option<String>,
    pub undefined: Option<Undefined>,
}

/// Values of a metric that are not defined.
#[derive(Debug, Deserialize)]
pub struct Undefined {
    pub values: u64,
}

/// A score; its splits are not read.
#[derive(Debug, Deserialize)]
pub struct Score {
    #[serde(deserialize_with = "float")]
    pub value: Option<f64>,
    #[serde(deserialize_with = "float")]
    pub error: Option<f64>,
}

/// A ceiled score, or why there is none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ceiled {
    Score(Score),
    Failed { reason: String },
}

/// Models by rank.
#[derive(Debug, Deserialize)]
pub struct Leaderboard {
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

/// A node of the benchmark tree.
#[derive(Debug, Deserialize)]
pub struct Column {
    pub identifier: String,
    pub depth: u32,
    pub version: Option<String>,
}

/// A model.
#[derive(Debug, Deserialize)]
pub struct Row {
    pub rank: Option<u64>,
    pub model: String,
    pub cells: Vec<Cell>,
}

/// A score on a node.
#[derive(Debug, Deserialize)]
pub struct Cell {
    pub value: Value,
    pub error: Option<f64>,
    pub raw: Option<f64>,
    pub layer: Option<String>,
    pub note: Option<String>,
}

/// Missing, failed and a number are three different things.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Missing,
    Failed { reason: String },
    Number(f64),
}

impl Results {
    /// Reads the document.
    ///
    /// # Errors
    /// `DAMAGED`.
    pub fn parse(job: &str, document: &Bytes) -> Result<Self, Status> {
        serde_json::from_slice(document).map_err(|error| {
            tracing::error!(job, %error, "results.json cannot be read");
            let message =
                format!("the results of job '{job}' cannot be read; the coordinator's log says why");
            refuse(tonic::Code::DataLoss, Reason::Damaged, message)
        })
    }
}

/// A number; `null` (NaN) and `"inf"` are none.
fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Float {
        Number(f64),
        Text(String),
    }
    Ok(match Option::<Float>::deserialize(deserializer)? {
        Some(Float::Number(number)) => Some(number),
        Some(Float::Text(text)) => text.parse().ok().filter(|value: &f64| value.is_infinite()),
        None => None,
    })
}
