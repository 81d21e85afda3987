//! How many layers a voxel answers to.

use ndarray::{ArrayView2, Axis};

use crate::Error;
use crate::group::check::positive;

/// How a voxel's values become shares of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shares {
    /// Squares of the positive values over their sum: shares of explained variance.
    #[default]
    SquaredPositive,
    /// exp(value/temperature) over their sum.
    Softmax {
        /// The value that raises a layer's share e-fold.
        temperature: f64,
    },
}

/// Entropy in nats over the layers at each voxel: 0 if one layer has it all, ln L if all L layers are equal.
///
/// Layers that are undefined at a voxel take no part; NaN where none is defined or, for squares, none is positive.
/// # Errors
/// [`Error::Invalid`] for a temperature that is not a finite number above 0.
pub fn selectivity_entropy(maps: ArrayView2<f64>, shares: Shares) -> Result<Vec<f64>, Error> {
    if let Shares::Softmax { temperature } = shares {
        positive("temperature", temperature)?;
    }
    let entropy = |values: &[f64]| {
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = |value: f64| match shares {
            Shares::SquaredPositive => value.max(0.0).powi(2),
            Shares::Softmax { temperature } => ((value - largest) / temperature).exp(),
        };
        let total: f64 = values.iter().map(|&v| weight(v)).sum();
        if total.is_nan() || total <= 0.0 {
            return f64::NAN;
        }
        let shares = values.iter().map(|&v| weight(v) / total).filter(|share| *share > 0.0);
        -shares.map(|share| share * share.ln()).sum::<f64>() + 0.0
    };
    let voxels = maps.axis_iter(Axis(1));
    Ok(voxels
        .map(|voxel| entropy(&voxel.iter().copied().filter(|v| v.is_finite()).collect::<Vec<_>>()))
        .collect())
}
