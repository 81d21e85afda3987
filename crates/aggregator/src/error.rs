//! What can go wrong while aggregating.

/// A reason why scores cannot be brought into a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two nodes of a benchmark tree have the same identifier.
    #[error("\"{identifier}\" occurs twice in the benchmark tree; give each node its own identifier")]
    RepeatedNode {
        /// The identifier.
        identifier: String,
    },
    /// A branch of a benchmark tree has no child.
    #[error("\"{identifier}\" of the benchmark tree has no benchmark below it; remove it or add one")]
    EmptyBranch {
        /// The identifier.
        identifier: String,
    },
    /// A benchmark tree is too deep.
    #[error("\"{identifier}\" is more than {limit} levels below the root of the benchmark tree")]
    TooDeep {
        /// The first node beyond the limit.
        identifier: String,
        /// The limit.
        limit: usize,
    },
    /// Names and values of a raw table do not belong together.
    #[error(
        "raw scores of {model}, layer {layer}, on {benchmark}: {found} neuroid names for {expected} columns"
    )]
    NeuroidNames {
        /// The model.
        model: String,
        /// The layer.
        layer: String,
        /// The benchmark.
        benchmark: String,
        /// Columns of the values.
        expected: usize,
        /// Names given.
        found: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ventral_store::Error),
    /// A stored object is not what its name says.
    #[error("{}: {source}; delete it and run again, it will be recomputed", object.display())]
    Object {
        /// The object.
        object: std::path::PathBuf,
        /// Why.
        source: ventral_store::CodecError,
    },
    /// A stored piece of a map, or set of images, is not what its name says.
    #[error("{}: {problem}; delete it and run again, it will be recomputed", object.display())]
    Record {
        /// The object.
        object: std::path::PathBuf,
        /// What was found.
        problem: String,
    },
    /// Pieces of one map do not belong together.
    #[error("{problem}; this is an error of the program, please report it")]
    Ranges {
        /// What was found.
        problem: String,
    },
    /// Statistics over maps cannot be computed.
    #[error("brain maps: {0}")]
    Searchlight(#[from] ventral_searchlight::Error),
    /// A volume cannot be written.
    #[error("writing the map {name}: {source}")]
    Volume {
        /// Name of its file.
        name: String,
        /// Why.
        source: ventral_data::ParseError,
    },
    /// A picture cannot be written.
    #[error("writing a picture: {0}")]
    Picture(#[from] image::ImageError),
    /// A document of the job cannot be used.
    #[error("the job's document {document} {problem}")]
    Document {
        /// Its name.
        document: &'static str,
        /// What was found.
        problem: String,
    },
    /// A score was damaged and is discarded.
    #[error("score {} is discarded and has to be computed again: {problem}", score.short())]
    Input {
        /// Name of the score.
        score: ventral_plan::Digest,
        /// What was found.
        problem: String,
    },
    /// A table could not be written.
    #[error("writing a CSV table: {0}")]
    Csv(#[from] csv::Error),
    /// Bytes could not be written.
    #[error("writing a table: {0}")]
    Io(#[from] std::io::Error),
    /// A JSON document could not be written.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The report's page could not be filled in.
    #[error("writing the report: {0}")]
    Page(#[from] askama::Error),
}
