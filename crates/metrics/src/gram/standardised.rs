use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::{Feature, GramBuilder, LayerGram, Precision, TileConsumer};
use crate::Error;

/// The Gram matrix of features standardised over some of the stimuli, as scikit-learn's `StandardScaler` does it: minus the mean and
/// divided by the population deviation over these stimuli; a feature that is constant there is only centred.
///
/// It cannot be had from the [`LayerGram`] of the features as they are, so it reads the tiles.
pub struct StandardisedGram {
    builder: GramBuilder,
    fitted: Vec<usize>,
    seen: u64,
}

impl StandardisedGram {
    /// For `stimuli` rows, of which `fitted` give mean and deviation.
    ///
    /// # Errors
    /// [`Error::TooFew`] without fitted rows, [`Error::OutOfRange`] for one that does not exist; as [`GramBuilder::new`].
    pub fn new(stimuli: usize, fitted: &[usize], precision: Precision) -> Result<Self, Error> {
        let what = "stimuli to standardise by";
        if fitted.is_empty() {
            return Err(Error::TooFew { what, needed: 1, found: 0 });
        }
        if let Some(&index) = fitted.iter().find(|&&row| row >= stimuli) {
            return Err(Error::OutOfRange { what, index, len: stimuli });
        }
        Ok(Self { builder: GramBuilder::new(stimuli, precision)?, fitted: fitted.to_vec(), seen: 0 })
    }

    /// The Gram matrix of all features pushed so far.
    ///
    /// # Errors
    /// As [`GramBuilder::finish`].
    pub fn finish(self) -> Result<LayerGram, Error> {
        self.builder.finish()
    }
}

impl TileConsumer for StandardisedGram {
    /// # Errors
    /// As [`GramBuilder`].
    fn push<T: Feature>(&mut self, first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        super::check_tile(self.builder.stimuli(), self.seen, first_feature, tile.dim())?;
        super::check_finite(first_feature, tile)?;
        let scales: Vec<(f64, f64)> = (0..tile.ncols())
            .into_par_iter()
            .with_min_len(64)
            .map(|feature| moments(tile.column(feature), &self.fitted))
            .collect();
        let standardised = Array2::from_shape_fn(tile.dim(), |(row, feature)| {
            let (mean, scale) = scales[feature];
            (tile[(row, feature)].into() - mean) / scale
        });
        self.builder.push(first_feature, standardised.view())?;
        self.seen += tile.ncols() as u64;
        Ok(())
    }
}

/// Mean and deviation over the fitted rows; a deviation within the rounding of its own computation counts as none, and becomes 1.
fn moments<T: Feature>(feature: ArrayView1<'_, T>, fitted: &[usize]) -> (f64, f64) {
    let n = fitted.len() as f64;
    let values = || fitted.iter().map(|&row| -> f64 { feature[row].into() });
    let mean = values().sum::<f64>() / n;
    let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let rounding = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
    (mean, if variance <= rounding { 1.0 } else { variance.sqrt() })
}
