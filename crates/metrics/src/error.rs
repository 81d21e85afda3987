//! What can go wrong while computing a score.

/// A reason why a quantity of this crate cannot be computed.
///
/// The crate sees numbers, not files: whoever calls it adds the file, model or benchmark the numbers came from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A feature is NaN or infinite.
    #[error(
        "feature {feature} of stimulus {stimulus} is not a finite number; check the model's preprocessing and its numeric type"
    )]
    NonFinite {
        /// Row of the stimulus.
        stimulus: usize,
        /// Index of the feature in the layer.
        feature: u64,
    },
    /// A feature is a number that 32 bit do not hold.
    #[error(
        "feature {feature} of stimulus {stimulus} is {value:e}, which does not fit 32 bit; set features.precision = \"f64\" in the spec"
    )]
    Narrow {
        /// Row of the stimulus.
        stimulus: usize,
        /// Index of the feature in the layer.
        feature: u64,
        /// The value.
        value: f64,
    },
    /// Products of features are too large for the number type in which they are formed.
    #[error(
        "products of the features of stimulus {stimulus} leave the range of {precision}; {}",
        in_range(*.precision)
    )]
    Overflow {
        /// Row of the stimulus.
        stimulus: usize,
        /// Number type of the products.
        precision: crate::Precision,
    },
    /// Inner products of features are too coarse to tell what a score depends on.
    #[error(
        "rounding of the features' inner products in {precision} is {share:.0e} {what}, too much for a score: {advice}",
        advice = coarse(*.precision)
    )]
    Rounding {
        /// What rounding is a share of.
        what: &'static str,
        /// Number type of the products.
        precision: crate::Precision,
        /// The share.
        share: f64,
    },
    /// A response to be predicted is NaN or infinite.
    #[error(
        "the response of neuroid {neuroid} to stimulus {stimulus} is not a finite number; drop the neuroid or average over the repetitions that are present"
    )]
    NonFiniteTarget {
        /// Row of the stimulus.
        stimulus: usize,
        /// Column of the neuroid.
        neuroid: usize,
    },
    /// Two things that must have the same size do not.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What was compared.
        what: &'static str,
        /// The size that is needed.
        expected: usize,
        /// The size that was given.
        found: usize,
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
    /// An index points outside of its array.
    #[error("{what}: index {index} is out of range, there are {len}")]
    OutOfRange {
        /// What is indexed.
        what: &'static str,
        /// The index that was given.
        index: usize,
        /// The number of elements.
        len: usize,
    },
    /// The same stimulus is used twice where it may be used once.
    #[error("stimulus {stimulus} occurs twice in {what}")]
    Repeated {
        /// Where it occurs twice.
        what: &'static str,
        /// Row of the stimulus.
        stimulus: usize,
    },
    /// Tiles of features did not arrive one after the other.
    #[error("tile starts at feature {found}, the next one expected is {expected}")]
    TileOrder {
        /// The feature that should come next.
        expected: u64,
        /// The first feature of the tile.
        found: u64,
    },
    /// A parameter has a value for which the quantity is not defined.
    #[error("{name} = {value}: {allowed}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A matrix factorisation failed.
    #[error("{what} did not succeed; the features may be degenerate (too large, or all equal)")]
    Factorisation {
        /// Which factorisation.
        what: &'static str,
    },
    /// A class of a stratified split has too few members.
    #[error("class \"{class}\" has {members} stimulus; stratified splits need at least 2 of each class")]
    ClassTooSmall {
        /// The label of the class.
        class: String,
        /// The number of stimuli with this label.
        members: usize,
    },
    /// A half of the repetitions has no response to a stimulus.
    #[error(
        "stimulus {stimulus} has no repetition in one half of split {split}; give every stimulus the same repetitions, or use the even/odd split-half"
    )]
    EmptyHalf {
        /// Row of the stimulus.
        stimulus: usize,
        /// Number of the split, from 0.
        split: usize,
    },
    /// A ceiling rule divides by a ceiling, and there is none.
    #[error(
        "ceiling rule {rule} needs a ceiling and there is none; give the benchmark one, or use the rule \"raw\""
    )]
    CeilingMissing {
        /// Name of the rule.
        rule: &'static str,
    },
}

fn in_range(precision: crate::Precision) -> &'static str {
    match precision {
        crate::Precision::F32 => {
            "set features.precision = \"f64\" in the spec, or check the model's preprocessing"
        }
        crate::Precision::F64 => "rescale the features, or check the model's preprocessing",
    }
}

fn coarse(precision: crate::Precision) -> &'static str {
    match precision {
        crate::Precision::F32 => "set features.precision = \"f64\" in the spec",
        crate::Precision::F64 => {
            "features vary too unevenly, so that some are lost beside the others, or too little beside a penalty; rescale them or leave some out"
        }
    }
}
