//! The plan of a job as a cluster keeps it, and the card files it was made from.

use serde::{Deserialize, Serialize};

use crate::{Digest, Plan};

/// Name of the document of a job that holds its [`PlannedJob`].
pub const PLAN_DOCUMENT: &str = "plan.json";
/// Name of the document of a job that names the files of its maps.
pub const MAPS_DOCUMENT: &str = "maps.json";
/// Name of the document of a job that names the files of its sets of synthesised images.
pub const SYNTHESIS_DOCUMENT: &str = "synthesis.json";

/// A plan, and where the cards it was made from are in the job's bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedJob {
    /// The plan.
    pub plan: Plan,
    /// Digest of the bundle's manifest, a blob.
    pub bundle: Digest,
    /// Virtual path of each model's card, in the order of the plan's models.
    pub model_cards: Vec<String>,
    /// Virtual path of each benchmark's card, in the order of the plan's benchmarks.
    pub benchmark_cards: Vec<String>,
    /// Virtual path of each scan's card, in the order of the plan's scans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scan_cards: Vec<String>,
    /// Virtual path of the benchmark card of each set of natural images, in the order of the plan's pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pool_cards: Vec<String>,
}

/// Kinds of cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardKind {
    /// A model card.
    Model,
    /// A benchmark card.
    Benchmark,
    /// A scan card.
    Scan,
    /// A benchmark card whose stimuli are natural images to compare with.
    Pool,
}

impl std::fmt::Display for CardKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Benchmark => "benchmark",
            Self::Scan => "scan",
            Self::Pool => "set of natural images",
        })
    }
}

/// A card that cannot be used; the job goes on without it and ends partial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What the card describes.
    pub kind: CardKind,
    /// The card's file.
    pub card: String,
    /// Why, naming file and field, and what to do.
    pub reason: String,
}

impl Refused {
    /// A name for it among failed units.
    pub fn digest(&self) -> Digest {
        Digest::of_identity(&("refused", self.kind, &self.card))
    }

    /// Which card, in words.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.card)
    }
}
