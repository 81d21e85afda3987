//! The inner products between stimuli: all that most metrics need of a layer (spec §1.3 "Kernel form", §12).

mod blocks;
mod builder;
mod precision;
mod spectrum;
mod standardised;
mod tile;

pub use tile::Feature;
pub(crate) use tile::check_finite;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::Error;

pub use builder::GramBuilder;
pub use precision::Precision;
pub use spectrum::MAX_NOISE_SHARE;
pub use standardised::StandardisedGram;

/// Features of a tile: tile k holds the features from k times this number on, and only the last tile may be narrower.
///
/// Part of the order of summation, hence of the bytes of every score.
pub const TILE_FEATURES: usize = 2048;

/// Most stimuli a Gram matrix may have (32 GiB of products).
pub const MAX_STIMULI: usize = 65_536;

/// What reads a layer tile by tile.
pub trait TileConsumer {
    /// Takes the next tile, stimuli x features, whose first column is feature `first_feature` of the layer.
    ///
    /// # Errors
    /// If the tile is not the next one, or holds values that cannot be used.
    fn push<T: Feature>(&mut self, first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error>;
}

/// The inner products between the n stimuli of one layer.
///
/// Features x are stored shifted, z = x - s, where s is each feature's mean over all n stimuli (rounded to 32 bit):
/// products of features with a large mean would otherwise lose most of their digits.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerGram {
    /// Number of features p.
    pub features: u64,
    /// Number type of the products.
    pub precision: Precision,
    /// Error of a product (root mean square), as measured while the products were formed.
    pub noise: f64,
    /// Least sum of squares of a feature that varies over the stimuli; infinite if none does.
    pub faintest: f64,
    /// z_i . z_j, n x n, symmetric.
    pub products: Array2<f64>,
    /// Sum over the features of z_i.
    pub sums: Array1<f64>,
    /// z_i . s.
    pub shift_products: Array1<f64>,
    /// Sum over the features of s.
    pub shift_sum: f64,
    /// s . s.
    pub shift_square: f64,
}

impl LayerGram {
    /// Number of stimuli n.
    pub fn stimuli(&self) -> usize {
        self.products.nrows()
    }

    /// Inner products of the features as they were, x_i . x_j, n x n.
    pub fn raw_products(&self) -> Array2<f64> {
        let mut raw = self.products.clone();
        for ((i, j), product) in raw.indexed_iter_mut() {
            *product += self.shift_products[i] + self.shift_products[j] + self.shift_square;
        }
        raw
    }

    /// The Gram matrix of some of the stimuli, in the order of `rows`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a row does not exist, [`Error::TooFew`] if there is none.
    pub fn select(&self, rows: &[usize]) -> Result<Self, Error> {
        self.check_rows("rows of a selection", rows)?;
        Ok(Self {
            products: Array2::from_shape_fn((rows.len(), rows.len()), |(i, j)| {
                self.products[(rows[i], rows[j])]
            }),
            sums: self.sums.select(Axis(0), rows),
            shift_products: self.shift_products.select(Axis(0), rows),
            ..*self
        })
    }

    /// The Gram matrix of the features averaged over groups of stimuli, for instance over the pictures of a category.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a row does not exist, [`Error::TooFew`] without groups or if a group is empty.
    pub fn pooled(&self, groups: &[Vec<usize>]) -> Result<Self, Error> {
        if groups.is_empty() {
            return Err(Error::TooFew { what: "groups of stimuli", needed: 1, found: 0 });
        }
        for group in groups {
            self.check_rows("stimuli of a group", group)?;
        }
        let halfway = average_rows(self.products.view(), groups);
        let average = |values: &Array1<f64>| groups.iter().map(|g| mean_of(values, g)).collect();
        Ok(Self {
            products: average_rows(halfway.t(), groups),
            sums: average(&self.sums),
            shift_products: average(&self.shift_products),
            ..*self
        })
    }

    /// The Gram matrix of weighted means of stimuli, for instance of a model's time bins within one of the recording's. Weights need
    /// not add up to 1, their shares count.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a row does not exist, [`Error::TooFew`] without means or if one is of nothing,
    /// [`Error::Parameter`] for weights that are not numbers above zero.
    pub fn mixed(&self, means: &[Vec<(usize, f64)>]) -> Result<Self, Error> {
        if means.is_empty() {
            return Err(Error::TooFew { what: "means of stimuli", needed: 1, found: 0 });
        }
        let mut shares = Vec::with_capacity(means.len());
        for mean in means {
            let rows: Vec<usize> = mean.iter().map(|(row, _)| *row).collect();
            self.check_rows("stimuli of a mean", &rows)?;
            if let Some((_, weight)) = mean.iter().find(|(_, weight)| !(weight.is_finite() && *weight > 0.0))
            {
                let allowed = "must be a finite number above zero";
                return Err(Error::Parameter { name: "weight", value: weight.to_string(), allowed });
            }
            let total: f64 = mean.iter().map(|(_, weight)| weight).sum();
            shares.push(mean.iter().map(|&(row, weight)| (row, weight / total)).collect::<Vec<_>>());
        }
        let halfway = mix_rows(self.products.view(), &shares);
        let mix = |values: &Array1<f64>| -> Array1<f64> {
            shares.iter().map(|mean| mean.iter().map(|&(row, share)| values[row] * share).sum()).collect()
        };
        Ok(Self {
            products: mix_rows(halfway.t(), &shares),
            sums: mix(&self.sums),
            shift_products: mix(&self.shift_products),
            ..*self
        })
    }

    /// The Gram matrix of a feature matrix that is in memory, stimuli x features, in 64-bit products.
    ///
    /// # Errors
    /// As [`GramBuilder`].
    pub fn from_features(features: ArrayView2<'_, f64>) -> Result<Self, Error> {
        let mut builder = GramBuilder::new(features.nrows(), Precision::F64)?;
        builder.push(0, features)?;
        builder.finish()
    }

    fn check_rows(&self, what: &'static str, rows: &[usize]) -> Result<(), Error> {
        if rows.is_empty() {
            return Err(Error::TooFew { what, needed: 1, found: 0 });
        }
        let len = self.stimuli();
        match rows.iter().find(|&&row| row >= len) {
            Some(&index) => Err(Error::OutOfRange { what, index, len }),
            None => Ok(()),
        }
    }
}

fn mean_of(values: &Array1<f64>, group: &[usize]) -> f64 {
    group.iter().map(|&row| values[row]).sum::<f64>() / group.len() as f64
}

/// A K, where row g of A averages group g.
fn average_rows(matrix: ArrayView2<'_, f64>, groups: &[Vec<usize>]) -> Array2<f64> {
    let mut averaged = Array2::zeros((groups.len(), matrix.ncols()));
    for (mut average, group) in averaged.outer_iter_mut().zip(groups) {
        for &row in group {
            average += &matrix.row(row);
        }
        average /= group.len() as f64;
    }
    averaged
}

/// W K for the rows W of shares.
fn mix_rows(matrix: ArrayView2<'_, f64>, means: &[Vec<(usize, f64)>]) -> Array2<f64> {
    let mut mixed = Array2::zeros((means.len(), matrix.ncols()));
    for (mut to, mean) in mixed.outer_iter_mut().zip(means) {
        for &(row, share) in mean {
            to.scaled_add(share, &matrix.row(row));
        }
    }
    mixed
}

/// Checks that a tile is the next one of a stream: right after the last, and the last one was full.
pub(crate) fn check_tile(
    stimuli: usize,
    seen: u64,
    first_feature: u64,
    (rows, width): (usize, usize),
) -> Result<(), Error> {
    if rows != stimuli {
        return Err(Error::Mismatch { what: "stimuli of a tile", expected: stimuli, found: rows });
    }
    if first_feature != seen {
        return Err(Error::TileOrder { expected: seen, found: first_feature });
    }
    if !seen.is_multiple_of(TILE_FEATURES as u64) {
        return Err(Error::Mismatch {
            what: "features of a tile that is not the last one of its layer",
            expected: TILE_FEATURES,
            found: (seen % TILE_FEATURES as u64) as usize,
        });
    }
    if width == 0 {
        return Err(Error::TooFew { what: "features of a tile", needed: 1, found: 0 });
    }
    Ok(())
}
