//! Reliability of recordings from halves of their repetitions (spec §5.1).

use ndarray::{Array1, Array2, ArrayView1, ArrayView3, Axis};

use crate::correlation::{pearson, pearson_columns};
use crate::statistics::nan_mean;
use crate::{Error, Score, SplitScores, shuffle_split};

/// Share of the repetitions in the first half.
const HALF: f64 = 0.5;

/// Responses before averaging over repetitions.
#[derive(Debug, Clone, Copy)]
pub struct Repeats<'a> {
    /// Repetition x stimulus x neuroid, NaN = missing.
    pub values: ArrayView3<'a, f64>,
}

/// The reliability of a set of recordings.
#[derive(Debug, Clone, PartialEq)]
pub struct Ceiling {
    /// Median over neuroids, mean over splits.
    pub value: f64,
    /// Standard error over the splits; 0 for a single split.
    pub error: f64,
    /// Mean over splits (NaN skipped) of each neuroid.
    pub per_neuroid: Vec<f64>,
    /// Splits x neuroids: the corrected correlation of the two halves.
    pub splits: Array2<f64>,
}

impl Ceiling {
    fn from_splits(splits: Array2<f64>) -> Self {
        let Score { value, error, .. } = SplitScores { values: splits.clone(), alphas: Vec::new() }.score();
        let per_neuroid = splits.columns().into_iter().map(|c| nan_mean(&c.to_vec())).collect();
        let error = if splits.nrows() == 1 { 0.0 } else { error };
        Self { value, error, per_neuroid, splits }
    }
}

impl Repeats<'_> {
    fn repetitions(&self) -> usize {
        self.values.len_of(Axis(0))
    }

    /// Mean over the given repetitions, missing values skipped: stimulus x neuroid, NaN where all are missing.
    fn mean_of(&self, repetitions: impl Iterator<Item = usize>) -> Array2<f64> {
        let (_, stimuli, neuroids) = self.values.dim();
        let mut sums = Array2::<f64>::zeros((stimuli, neuroids));
        let mut counts = Array2::<f64>::zeros((stimuli, neuroids));
        for repetition in repetitions {
            let present = self.values.index_axis(Axis(0), repetition);
            ndarray::Zip::from(&mut sums).and(&mut counts).and(&present).for_each(|sum, count, &value| {
                if !value.is_nan() {
                    *sum += value;
                    *count += 1.0;
                }
            });
        }
        sums / counts
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.repetitions() < 2 {
            return Err(Error::TooFew {
                what: "repetitions for a split-half",
                needed: 2,
                found: self.repetitions(),
            });
        }
        Ok(())
    }
}

/// Reliability of `factor` times as much data as gave the reliability `r` (Spearman 1910, Brown 1910):
/// `factor`·r / (1 + (`factor` - 1)·r).
#[must_use]
pub fn spearman_brown(r: f64, factor: f64) -> f64 {
    factor * r / (1.0 + (factor - 1.0) * r)
}

/// A stimulus that no neuroid was recorded for.
fn absent_stimulus(half: &Array2<f64>) -> Option<usize> {
    half.rows().into_iter().position(|row| row.iter().all(|v| v.is_nan()))
}

/// Internal consistency: the repetitions are split at random into halves (`ShuffleSplit`, share .5), each half is averaged,
/// and the Pearson correlation over stimuli of each neuroid is corrected by [`spearman_brown`] to the full number of repetitions.
///
/// The reference uses 10 splits and seed 1. A neuroid with a missing stimulus in one half is NaN in that split.
///
/// # Errors
/// [`Error::TooFew`] for fewer than two repetitions; [`Error::EmptyHalf`] if a stimulus was shown only in one of the halves
/// (use [`even_odd_consistency`] for recordings whose stimuli have different numbers of repetitions); those of [`shuffle_split`].
pub fn internal_consistency(repeats: Repeats<'_>, splits: usize, seed: u32) -> Result<Ceiling, Error> {
    repeats.check()?;
    let halves = shuffle_split(repeats.repetitions(), splits, HALF, seed)?;
    let mut values = Array2::zeros((halves.len(), repeats.values.len_of(Axis(2))));
    for (split, (half, mut row)) in halves.iter().zip(values.rows_mut()).enumerate() {
        let first = repeats.mean_of(half.train.iter().copied());
        let second = repeats.mean_of(half.test.iter().copied());
        if let Some(stimulus) = absent_stimulus(&first).or_else(|| absent_stimulus(&second)) {
            return Err(Error::EmptyHalf { stimulus, split });
        }
        row.assign(&pearson_columns(first.view(), second.view())?.mapv(|r| spearman_brown(r, 2.0)));
    }
    Ok(Ceiling::from_splits(values))
}

/// Pearson correlation over the stimuli that have both values.
fn pearson_of_present(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> Result<f64, Error> {
    let both = a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (a, b): (Array1<f64>, Array1<f64>) = {
        let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
        (a.into(), b.into())
    };
    pearson(a.view(), b.view())
}

/// Pearson correlation, per neuroid, of the mean over repetitions 0, 2, 4, ... with the mean over 1, 3, 5, ...; not corrected.
///
/// Each neuroid uses the stimuli that have at least one repetition in either half, so the number of repetitions may differ
/// from stimulus to stimulus.
///
/// # Errors
/// [`Error::TooFew`] for fewer than two repetitions.
pub fn split_half_even_odd(repeats: Repeats<'_>) -> Result<Array1<f64>, Error> {
    repeats.check()?;
    let even = repeats.mean_of((0..repeats.repetitions()).step_by(2));
    let odd = repeats.mean_of((1..repeats.repetitions()).step_by(2));
    even.columns().into_iter().zip(odd.columns()).map(|(a, b)| pearson_of_present(a, b)).collect()
}

/// The ceiling from [`split_half_even_odd`], corrected by [`spearman_brown`]: one split, so its error is 0.
///
/// # Errors
/// Those of [`split_half_even_odd`].
pub fn even_odd_consistency(repeats: Repeats<'_>) -> Result<Ceiling, Error> {
    let corrected = split_half_even_odd(repeats)?.mapv(|r| spearman_brown(r, 2.0));
    Ok(Ceiling::from_splits(corrected.insert_axis(Axis(0))))
}
