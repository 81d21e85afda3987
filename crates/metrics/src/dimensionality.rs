//! How many units of a layer stand for a factor such as shape or texture (spec §3, `factor_dimensionality`).

use ndarray::ArrayView2;

use crate::gram::{Feature, check_finite, check_tile};
use crate::regression::at_least;
use crate::{Error, TileConsumer};

/// Score of what no factor explains, before the softmax.
const RESIDUAL: f64 = 1.0;

/// Pairs of stimuli that share a factor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FactorPairs {
    /// The factor, for instance `shape`.
    pub name: String,
    /// First and second stimulus of every pair.
    pub pairs: Vec<[usize; 2]>,
}

/// Reads the tile stream of a layer once; keeps a few numbers per factor.
///
/// With V the variance of all members of all pairs, summed over units, and for every factor S the covariance of first and second
/// members (around the mean of both) summed over units, the softmax of the S / V and of 1 for the rest gives each its share of the
/// units, cut to a whole number of them.
pub struct FactorDimensionality {
    factors: Vec<FactorPairs>,
    stimuli: usize,
    variance: f64,
    covariances: Vec<f64>,
    features: u64,
}

impl FactorDimensionality {
    /// Starts with the pairs of every factor.
    ///
    /// # Errors
    /// [`Error::TooFew`] without factors or for one without pairs, [`Error::OutOfRange`] for a stimulus that does not exist.
    pub fn new(stimuli: usize, factors: Vec<FactorPairs>) -> Result<Self, Error> {
        at_least("factors", 1, factors.len())?;
        for factor in &factors {
            at_least("pairs of stimuli that share a factor", 1, factor.pairs.len())?;
            if let Some(&index) = factor.pairs.iter().flatten().find(|&&stimulus| stimulus >= stimuli) {
                return Err(Error::OutOfRange { what: "stimuli of a pair", index, len: stimuli });
            }
        }
        let covariances = vec![0.0; factors.len()];
        Ok(Self { factors, stimuli, variance: 0.0, covariances, features: 0 })
    }

    /// The share of the layer's units for each factor, in their order; NaN if the layer does not vary.
    ///
    /// # Errors
    /// [`Error::TooFew`] if no tile was pushed.
    pub fn finish(self) -> Result<Vec<f64>, Error> {
        at_least("features of a layer", 1, usize::try_from(self.features).unwrap_or(usize::MAX))?;
        let scores: Vec<f64> = self.covariances.iter().map(|sum| sum / self.variance).collect();
        if scores.iter().any(|score| !score.is_finite()) {
            return Ok(vec![f64::NAN; scores.len()]);
        }
        let largest = scores.iter().fold(RESIDUAL, |max, &score| max.max(score));
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total = weights.iter().sum::<f64>() + (RESIDUAL - largest).exp();
        let units = self.features as f64;
        Ok(weights.iter().map(|weight| (weight / total * units).trunc() / units).collect())
    }

    fn add(&mut self, column: &[f64]) {
        let members = self.factors.iter().flat_map(|factor| factor.pairs.iter().flatten());
        let (count, sum) =
            members.clone().fold((0.0, 0.0), |(count, sum), &row| (count + 1.0, sum + column[row]));
        let mean = sum / count;
        self.variance += members.map(|&row| (column[row] - mean).powi(2)).sum::<f64>() / count;
        for (factor, covariance) in self.factors.iter().zip(&mut self.covariances) {
            let pairs = factor.pairs.len() as f64;
            let mean =
                |member: usize| factor.pairs.iter().map(|pair| column[pair[member]]).sum::<f64>() / pairs;
            let mean = 0.5 * (mean(0) + mean(1));
            let product = |pair: &[usize; 2]| (column[pair[0]] - mean) * (column[pair[1]] - mean);
            *covariance += factor.pairs.iter().map(product).sum::<f64>() / pairs;
        }
    }
}

impl TileConsumer for FactorDimensionality {
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::TileOrder`] and [`Error::Mismatch`] if the tile is not the next one.
    fn push<T: Feature>(&mut self, first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        check_tile(self.stimuli, self.features, first_feature, tile.dim())?;
        check_finite(first_feature, tile)?;
        let mut column = vec![0.0; self.stimuli];
        for feature in 0..tile.ncols() {
            column.iter_mut().zip(tile.column(feature)).for_each(|(to, &from)| *to = from.into());
            self.add(&column);
        }
        self.features += tile.ncols() as u64;
        Ok(())
    }
}
