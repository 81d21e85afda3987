//! What can go wrong.

/// A reason why images cannot be synthesised or judged.
///
/// The crate sees numbers, not names: layers, images and pairs are indices from 0; whoever calls it knows their names.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has no meaning or is beyond a limit.
    #[error("{field} = {found}: {advice}")]
    Setting {
        /// The setting's path in [`crate::Settings`].
        field: &'static str,
        /// Its value.
        found: String,
        /// What to do.
        advice: String,
    },
    /// Two things that must have the same size do not.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What was compared.
        what: &'static str,
        /// The size that is needed.
        expected: String,
        /// The size that was given.
        found: String,
    },
    /// There is too little of something.
    #[error("{what}: at least {needed} needed, found {found}")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// The least number that works.
        needed: usize,
        /// The number that was given.
        found: usize,
    },
    /// There is more of something than a limit of this crate allows.
    #[error("{what}: at most {limit} allowed, found {found}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The number that was given.
        found: usize,
    },
    /// An activation is NaN or infinite.
    #[error("layer {layer}, image {image}: the network gave an activation that is not a finite number")]
    Activation {
        /// The layer.
        layer: usize,
        /// The image.
        image: usize,
    },
    /// All units of a layer have the same activation for an image, so that it correlates with nothing.
    #[error(
        "layer {layer}, image {image}: all units have the same activation, so the image has no correlation with others; leave \
         the layer out or use another seed"
    )]
    ConstantImage {
        /// The layer.
        layer: usize,
        /// The image.
        image: usize,
    },
    /// The RSM of a layer does not vary over image pairs, so nothing correlates with it.
    #[error(
        "layer {layer}: its similarity is the same for all image pairs; leave the layer out or use another seed"
    )]
    ConstantRsm {
        /// The layer.
        layer: usize,
    },
    /// A number that was given is NaN or infinite.
    #[error("{what} {index} is not a finite number")]
    NonFinite {
        /// Which list of numbers.
        what: &'static str,
        /// Position in that list.
        index: usize,
    },
    /// The gradient is NaN, infinite or too large to take a step.
    #[error("image {image}: its gradient is not a finite number of usable size; use a smaller learning rate")]
    Gradient {
        /// The image.
        image: usize,
    },
    /// The eigenvalues of the layer correlations were not found.
    #[error("the eigenvalues of the correlations of {layers} layers were not found")]
    Eigenvalues {
        /// Number of layers.
        layers: usize,
    },
}

/// Why a step was not taken. The run is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError<E> {
    /// The network failed.
    #[error("step {step}: {source}")]
    Network {
        /// The step, from 0.
        step: u64,
        /// What the network reported.
        source: E,
    },
    /// What the network gave cannot be used.
    #[error("step {step}: {source}")]
    Synthesis {
        /// The step, from 0.
        step: u64,
        /// Why.
        source: Error,
    },
    /// The run has stopped already.
    #[error("the run has stopped after {steps} steps")]
    Stopped {
        /// Steps taken.
        steps: u64,
    },
}

/// Why a run cannot go on from a checkpoint.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The settings themselves are wrong.
    #[error(transparent)]
    Settings(#[from] Error),
    /// The bytes are no checkpoint.
    #[error("these {bytes} bytes are not a checkpoint of a synthesis")]
    Foreign {
        /// How many there are.
        bytes: usize,
    },
    /// The checkpoint was written by another version.
    #[error("checkpoint of revision {found}, this program reads {expected}; start again")]
    Revision {
        /// The revision that is read.
        expected: u32,
        /// The revision of the bytes.
        found: u32,
    },
    /// The bytes end too early, or go on too long.
    #[error("checkpoint has {found} bytes, its header says {expected}: it was cut short or added to")]
    Length {
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The checksum is another.
    #[error("checkpoint is damaged: its checksum is another")]
    Damaged,
    /// It belongs to a run with other settings.
    #[error("checkpoint belongs to a run with other settings")]
    OtherSettings,
    /// It is whole but does not make sense.
    #[error("checkpoint does not fit its own settings: {0}")]
    Inconsistent(&'static str),
}
