use std::path::PathBuf;

/// What can go wrong between a model file and its activations.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("{}: cannot read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A model card is not valid.
    #[error("{}: {message}", path.display())]
    Card {
        /// The card.
        path: PathBuf,
        /// Which field, what was found and what to do.
        message: String,
    },
    /// The file named by a card has other bytes than the card says.
    #[error(
        "{}: sha256 is {found} but {} says {expected}; fetch the file again, or correct `sha256` if the file is meant to have changed",
        path.display(), card.display()
    )]
    Sha256 {
        /// The model file.
        path: PathBuf,
        /// The card.
        card: PathBuf,
        /// What the card says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A model file is not an ONNX model, is damaged, or is over a limit.
    #[error("{}: {message}", path.display())]
    Model {
        /// The model file.
        path: PathBuf,
        /// What was found and what to do.
        message: String,
    },
    /// An operator of the graph cannot be executed.
    #[error("{}: operator {operator} (node {node}) is not supported: {reason}; export the model without it", path.display())]
    Operator {
        /// The model file.
        path: PathBuf,
        /// Operator type, with its domain unless it is the standard one.
        operator: String,
        /// Name of the node, or its position and first output when it has none.
        node: String,
        /// The engine's reason.
        reason: String,
    },
    /// The graph failed while it ran.
    #[error("{}: running the model failed at {node}: {reason}", path.display())]
    Run {
        /// The model file.
        path: PathBuf,
        /// The operator and node, as far as known.
        node: String,
        /// The engine's reason.
        reason: String,
    },
    /// No layer has this name, or no layer matches this pattern.
    #[error("model {model} has no layer {layer:?}{}", suggestion(nearest))]
    UnknownLayer {
        /// Identifier of the model.
        model: String,
        /// Name or pattern that was asked for.
        layer: String,
        /// The most similar names.
        nearest: Vec<String>,
    },
    /// A layer index is outside the source's list.
    #[error("layer index {index} is out of range: the source has {layers} layers")]
    LayerIndex {
        /// The index.
        index: usize,
        /// How many layers there are.
        layers: usize,
    },
    /// A range of stimuli is outside the source.
    #[error("stimuli {start}..{end} are out of range: the source has {stimuli}")]
    StimulusRange {
        /// First stimulus asked for.
        start: usize,
        /// End of the range.
        end: usize,
        /// How many stimuli there are.
        stimuli: usize,
    },
    /// An activation is NaN or infinite.
    #[error(
        "layer {layer} has activation {value} for stimulus {stimulus} (feature {feature}); scores need finite activations"
    )]
    NonFinite {
        /// Layer name.
        layer: String,
        /// Index of the stimulus.
        stimulus: usize,
        /// Index of the feature.
        feature: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// A layer has another size for one stimulus than for the others.
    #[error(
        "layer {layer} has {found} features for stimulus {stimulus} but {expected} otherwise; a layer must have a fixed size"
    )]
    LayerSize {
        /// Layer name.
        layer: String,
        /// Index of the stimulus.
        stimulus: usize,
        /// Features expected.
        expected: usize,
        /// Features found.
        found: usize,
    },
    /// A stimulus could not be loaded or shown to the model.
    #[error("stimulus {stimulus}: {message}")]
    Stimulus {
        /// Index of the stimulus.
        stimulus: usize,
        /// What is wrong with it.
        message: String,
    },
    /// An array has another shape than what it is for.
    #[error("{what}: shape {found:?} was given, but {expected:?} is needed")]
    Shape {
        /// The layer, or what else it is for.
        what: String,
        /// Shape needed.
        expected: Vec<usize>,
        /// Shape given.
        found: Vec<usize>,
    },
    /// What a forward pass left was given to another model's backward pass.
    #[error(
        "the trace is not one of model {model}; give `backward` what `forward` of the same model returned"
    )]
    Trace {
        /// Identifier of the model that was to go backwards.
        model: String,
    },
    /// Given activations do not fit together.
    #[error("given activations: {0}")]
    Given(String),
    /// One stimulus and one tile do not fit in the memory limit.
    #[error(
        "streaming layer {layer} needs at least {needed_bytes} bytes of memory but the limit is {limit_bytes}; raise the limit or leave the layer out"
    )]
    Memory {
        /// The layer that needs most.
        layer: String,
        /// Least number of bytes that would do.
        needed_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The spill file could not be written or read.
    #[error("{}: spilling {bytes} bytes of activations failed: {source}; free disk space, choose another spill directory, or raise the memory limit", directory.display())]
    Spill {
        /// Directory of the spill file.
        directory: PathBuf,
        /// Size that the spill file would have had.
        bytes: u64,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The consumer of tiles refused one.
    #[error("layer {layer}: {source}")]
    Sink {
        /// Layer name.
        layer: String,
        /// The consumer's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// The same about stimulus `index`, where a model that sees one image at a time speaks of the only one; other errors as they are.
    #[must_use]
    pub fn of_stimulus(self, index: usize) -> Self {
        match self {
            Self::NonFinite { layer, feature, value, .. } => {
                Self::NonFinite { layer, stimulus: index, feature, value }
            }
            other => other,
        }
    }
}

fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => "; `ventral models CARD` lists those it has".to_owned(),
        [one] => format!("; did you mean {one:?}?"),
        many => {
            let quoted: Vec<String> = many.iter().map(|name| format!("{name:?}")).collect();
            format!("; did you mean one of {}?", quoted.join(", "))
        }
    }
}
