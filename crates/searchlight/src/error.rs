//! What can go wrong while computing a map.

/// A reason why a map, or a part of one, cannot be computed.
///
/// The crate sees numbers, not files: whoever calls it adds the subject, volume or model the numbers came from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    /// A number is NaN or infinite.
    #[error("{what} {index} is not a finite number; {advice}")]
    NonFinite {
        /// Which list of numbers.
        what: &'static str,
        /// Position in that list.
        index: usize,
        /// What to do.
        advice: &'static str,
    },
    /// A setting has no meaning.
    #[error("{what} = {found}: {advice}")]
    Invalid {
        /// The setting.
        what: &'static str,
        /// Its value.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// The RSM of a layer does not vary over image pairs, so nothing correlates with it.
    #[error("the RSM of layer `{layer}` is the same for all image pairs; leave the layer out")]
    ConstantLayer {
        /// The layer's name.
        layer: String,
    },
    /// Layers are so alike that what is left of one after the others is noise.
    #[error(
        "layers cannot be told apart: variance inflation {inflation:.3e} of `{layer}` (limit {inflation_limit}), condition number \
         {condition:.3e} (limit {condition_limit:e}); drop or group similar layers, or use ridge, Loewdin or raw maps"
    )]
    Collinear {
        /// The layer with the largest variance inflation.
        layer: String,
        /// Its variance inflation factor.
        inflation: f64,
        /// Largest factor that is accepted.
        inflation_limit: f64,
        /// Ratio of the largest to the smallest eigenvalue of the layer correlations.
        condition: f64,
        /// Largest condition number that is accepted.
        condition_limit: f64,
    },
}
