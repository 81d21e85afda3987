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
        /// `models` or `benchmarks`.
        field: &'static str,
        /// The entry.
        pattern: String,
        /// What was found and what to do.
        problem: String,
    },
    /// A model cannot be used.
    #[error(transparent)]
    Model(#[from] ventral_models::Error),
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
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ventral_store::Error),
    /// A stored object is not what its name says.
    #[error("{object}: {source}; delete it and run again, it will be recomputed")]
    Codec {
        /// The object.
        object: PathBuf,
        /// Why.
        source: ventral_store::CodecError,
    },
    /// Things that belong together do not fit.
    #[error("{0}")]
    Mismatch(String),
    /// The user wants to stop.
    #[error("interrupted; finished units are kept, the same command continues")]
    Interrupted,
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
