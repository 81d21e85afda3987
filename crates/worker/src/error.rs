use std::path::PathBuf;

/// What can go wrong while a job is loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A pattern of the spec names no card.
    #[error("{}: field '{field}': {pattern:?} {problem}", spec.display())]
    NoCard {
        /// The spec.
        spec: PathBuf,
        /// `models`, `benchmarks`, `searchlight.scans` or `synthesis.natural`.
        field: &'static str,
        /// The entry.
        pattern: String,
        /// What was found and what to do.
        problem: String,
    },
    /// A model cannot be used.
    #[error(transparent)]
    Model(#[from] ventral_models::Error),
    /// A model was refused by the process that opened it, or ended it.
    #[error("{reason}")]
    Opening {
        /// The file, and what it is or did.
        reason: String,
    },
    /// A benchmark or data file cannot be used.
    #[error(transparent)]
    Data(#[from] ventral_data::Error),
    /// A score cannot be computed.
    #[error("{context}: {source}")]
    Metric {
        /// Model, layer and benchmark.
        context: String,
        /// Why.
        source: ventral_metrics::Error,
    },
    /// A layer cannot be used; the stream of its tiles says which it is.
    #[error(transparent)]
    Layer(ventral_metrics::Error),
    /// A map cannot be computed.
    #[error("{context}: {source}")]
    Map {
        /// Subject, centres and model.
        context: String,
        /// Why.
        source: ventral_searchlight::Error,
    },
    /// Images cannot be synthesised or judged.
    #[error("{context}: {source}")]
    Synthesis {
        /// Model and seed.
        context: String,
        /// Why.
        source: ventral_synthesis::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ventral_store::Error),
    /// The Gram that a score reads is not there, or cannot be read.
    #[error("its Gram {} {problem}; it will be computed again", digest.short())]
    NoGram {
        /// Name of the Gram.
        digest: ventral_plan::Digest,
        /// What was found.
        problem: String,
    },
    /// Things that belong together do not fit.
    #[error("{0}")]
    Mismatch(String),
    /// The user wants to stop.
    #[error("interrupted; finished units are kept, the same command continues")]
    Interrupted,
    /// The files of a job cannot be had.
    #[error(transparent)]
    Bundle(#[from] ventral_bundle::Error),
    /// This machine's cache fails, or a document is not there yet.
    #[error("{0}")]
    Cache(String),
    /// The disk of this machine's cache fails.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// This machine is not one that can run the unit.
    #[error("{0}")]
    TooSmall(String),
    /// Nothing that the spec names can be used.
    #[error("no {kind} of this job can be used; {}", list(reasons))]
    AllRefused {
        /// What they describe.
        kind: ventral_plan::CardKind,
        /// Why, one per card.
        reasons: Vec<String>,
    },
    /// The job cannot be planned.
    #[error(transparent)]
    Plan(#[from] ventral_plan::Error),
}

impl Error {
    /// Whether going on with other units is pointless.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Store(error) => !matches!(error, ventral_store::Error::Damaged { .. }),
            Self::Interrupted => true,
            Self::Model(ventral_models::Error::Spill { .. }) => true,
            _ => false,
        }
    }
}

/// Reasons shown in one message.
const MAX_SHOWN: usize = 5;

fn list(reasons: &[String]) -> String {
    let mut text = reasons.iter().take(MAX_SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if reasons.len() > MAX_SHOWN {
        text.push_str(&format!("; and {} more", reasons.len() - MAX_SHOWN));
    }
    text
}
