//! Each neuron predicted by the one feature that correlates best with it (spec §1.4).

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, Zip, s};
use rayon::prelude::*;

use crate::correlation::pearson_columns;
use crate::gram::{Feature, check_finite, check_tile};
use crate::regression::{check_splits, check_targets, column_means, product};
use crate::{Error, Split, SplitScores, TileConsumer};

/// Features that one thread correlates at a time. Part of the shape of the products, hence of their last bits.
const FEATURES_PER_PIECE: usize = 256;

/// The best feature so far of every neuroid in one split.
struct Best {
    /// Correlation over the training stimuli; minus infinity before the first feature.
    correlations: Array1<f64>,
    /// Responses of the best feature to the test stimuli, test stimuli x neuroids.
    responses: Array2<f64>,
}

/// Finds, for every neuroid and split, the feature with the largest (signed) Pearson correlation over the training stimuli,
/// and scores it on the test stimuli.
///
/// Reads the tile stream of a layer once. Memory: splits x neuroids x test stimuli, and one tile.
pub struct NeuronToNeuron {
    targets: Array2<f64>,
    splits: Vec<Split>,
    /// Responses of the training sets, centred and of norm 1, zero elsewhere: stimuli x (splits x neuroids).
    standardised: Array2<f64>,
    best: Vec<Best>,
    features: u64,
}

/// Best feature of a piece for each (split, neuroid): its correlation and its column in the tile.
type Candidates = Vec<(f64, usize)>;

impl NeuronToNeuron {
    /// Starts with the responses `y` (stimuli x neuroids) and the splits to score.
    ///
    /// # Errors
    /// As [`predict`](crate::predict) for `y` and the splits.
    pub fn new(y: ArrayView2<'_, f64>, splits: &[Split]) -> Result<Self, Error> {
        check_targets(y.nrows(), y)?;
        check_splits(y.nrows(), splits)?;
        let q = y.ncols();
        let mut standardised = Array2::zeros((y.nrows(), splits.len() * q));
        for (index, split) in splits.iter().enumerate() {
            let columns = standardised.slice_mut(s![.., index * q..(index + 1) * q]);
            standardise(y, &split.train, columns);
        }
        let best = splits.iter().map(|split| Best {
            correlations: Array1::from_elem(q, f64::NEG_INFINITY),
            responses: Array2::from_elem((split.test.len(), q), f64::NAN),
        });
        Ok(Self {
            best: best.collect(),
            targets: y.to_owned(),
            splits: splits.to_vec(),
            standardised,
            features: 0,
        })
    }

    /// Pearson correlation over the test stimuli between every neuroid and its best feature.
    ///
    /// NaN marks a neuroid that is constant over the training or test stimuli, or whose best feature is constant over the
    /// test stimuli.
    ///
    /// # Errors
    /// [`Error::TooFew`] if no tile was pushed.
    pub fn finish(self) -> Result<SplitScores, Error> {
        if self.features == 0 {
            return Err(Error::TooFew { what: "features of a layer", needed: 1, found: 0 });
        }
        let mut values = Array2::zeros((self.splits.len(), self.targets.ncols()));
        for ((split, best), mut row) in self.splits.iter().zip(&self.best).zip(values.outer_iter_mut()) {
            let recorded = self.targets.select(Axis(0), &split.test);
            row.assign(&pearson_columns(best.responses.view(), recorded.view())?);
        }
        Ok(SplitScores { values, alphas: Vec::new() })
    }

    /// The best of the features `start..` of a tile, as many as a piece has.
    fn candidates<T: Feature>(&self, tile: ArrayView2<'_, T>, start: usize) -> Candidates {
        let end = tile.ncols().min(start + FEATURES_PER_PIECE);
        let mut values = tile.slice(s![.., start..end]).mapv(Into::<f64>::into);
        // Without their mean, features with a large one keep their digits in the product.
        let means = column_means(values.view());
        values -= &means;
        let correlations = product(values.t(), self.standardised.view());
        let q = self.targets.ncols();
        let mut best = vec![(f64::NEG_INFINITY, 0); correlations.ncols()];
        for (index, split) in self.splits.iter().enumerate() {
            let norms = column_norms(values.view(), &split.train);
            let columns = index * q..(index + 1) * q;
            for (feature, norm) in norms.iter().enumerate() {
                let row = correlations.slice(s![feature, columns.clone()]);
                for (best, covariance) in best[columns.clone()].iter_mut().zip(row) {
                    let correlation = covariance / norm;
                    if correlation > best.0 {
                        *best = (correlation, start + feature);
                    }
                }
            }
        }
        best
    }

    /// A later feature replaces an earlier one only if it is better, so the first of equals stays.
    fn take<T: Feature>(&mut self, tile: ArrayView2<'_, T>, candidates: &Candidates) {
        let q = self.targets.ncols();
        for (i, &(correlation, feature)) in candidates.iter().enumerate() {
            let (split, neuroid) = (i / q, i % q);
            let best = &mut self.best[split];
            if correlation > best.correlations[neuroid] {
                best.correlations[neuroid] = correlation;
                let test = self.splits[split].test.iter();
                let responses = best.responses.column_mut(neuroid);
                for (response, &stimulus) in responses.into_iter().zip(test) {
                    *response = tile[(stimulus, feature)].into();
                }
            }
        }
    }
}

impl TileConsumer for NeuronToNeuron {
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::TileOrder`] and [`Error::Mismatch`] if the tile is not the next one.
    fn push<T: Feature>(&mut self, first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        check_tile(self.targets.nrows(), self.features, first_feature, tile.dim())?;
        check_finite(first_feature, tile)?;
        let starts: Vec<usize> = (0..tile.ncols()).step_by(FEATURES_PER_PIECE).collect();
        let pieces: Vec<Candidates> =
            starts.into_par_iter().with_max_len(1).map(|start| self.candidates(tile, start)).collect();
        for candidates in &pieces {
            self.take(tile, candidates);
        }
        self.features += tile.ncols() as u64;
        Ok(())
    }
}

/// Writes the responses of the training set into `columns`, centred and of norm 1; NaN where a neuroid is constant.
fn standardise(y: ArrayView2<'_, f64>, train: &[usize], mut columns: ArrayViewMut2<'_, f64>) {
    let norms = column_norms(y, train);
    let means = column_means(y.select(Axis(0), train).view());
    for &row in train {
        columns.row_mut(row).assign(&((&y.row(row) - &means) / &norms));
    }
}

/// Norm of every column over the training set, centred on it; NaN where the column is constant there.
fn column_norms(values: ArrayView2<'_, f64>, train: &[usize]) -> Array1<f64> {
    let mut means = Array1::<f64>::zeros(values.ncols());
    for &row in train {
        means += &values.row(row);
    }
    means /= train.len() as f64;
    let first = values.row(train[0]);
    let mut squares = Array1::<f64>::zeros(values.ncols());
    let mut constant = vec![true; values.ncols()];
    for &row in train {
        let row = values.row(row);
        for (column, value) in row.iter().enumerate() {
            squares[column] += (value - means[column]).powi(2);
            constant[column] &= *value == first[column];
        }
    }
    Zip::from(&mut squares)
        .and(&constant)
        .for_each(|x, &constant| *x = if constant { f64::NAN } else { x.sqrt() });
    squares
}
