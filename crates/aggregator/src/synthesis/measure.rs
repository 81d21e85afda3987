//! What a set of images is worth, from the similarities of its images in each layer.

use ndarray::{Array2, ArrayView2};
use ventral_synthesis::Error;
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, Statistics};

/// How alike the layers are, by values and by ranks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) pearson: Statistics,
    pub(crate) spearman: Statistics,
    /// Layers x layers, Pearson's r.
    pub(crate) correlation: Array2<f64>,
    /// The same of ranks.
    pub(crate) ranks: Array2<f64>,
}

impl Measured {
    /// From layers x pairs of images.
    pub(crate) fn new(rsms: ArrayView2<'_, f64>) -> Result<Self, Error> {
        let values = LayerCorrelation::new(rsms, Coefficient::Pearson)?;
        let ranks = LayerCorrelation::new(rsms, Coefficient::Spearman)?;
        Ok(Self {
            pearson: values.statistics()?,
            spearman: ranks.statistics()?,
            correlation: values.matrix().to_owned(),
            ranks: ranks.matrix().to_owned(),
        })
    }

    /// The largest variance inflation; none where layers cannot be told apart.
    pub(crate) fn largest_inflation(&self) -> Option<f64> {
        self.pearson.inflation.as_ref().map(|all| all.iter().copied().fold(1.0, f64::max))
    }

    /// The smallest spread of a layer's similarities.
    pub(crate) fn smallest_sd(&self) -> f64 {
        self.pearson.sd.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// An error about layers by their numbers, with their names.
pub(crate) fn named(error: &Error, layers: &[String]) -> String {
    let named = match error {
        Error::ConstantRsm { layer } => Some((layer, "all pairs of images are equally alike in it")),
        Error::ConstantImage { layer, .. } => {
            Some((layer, "all its units have the same activation for an image"))
        }
        Error::Activation { layer, .. } => Some((layer, "it has an activation that is not a number")),
        _ => None,
    };
    match named.and_then(|(&layer, what)| Some((layers.get(layer)?, what))) {
        Some((layer, what)) => {
            format!("layer `{layer}`: {what}; leave it out under [layers], or use another seed")
        }
        None => error.to_string(),
    }
}

/// Mean |r| that is expected of layers whose similarities have nothing to do with each other: that of normal numbers.
pub(crate) fn unrelated(images: usize) -> f64 {
    let pairs = images * images.saturating_sub(1) / 2;
    (2.0 / (std::f64::consts::PI * pairs as f64)).sqrt()
}
