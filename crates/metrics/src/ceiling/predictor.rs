//! Ceiling of reverse predictivity: halves drawn for each stimulus by itself (spec §5.2).

use ndarray::{Array2, ArrayView1, Axis};

use super::{Ceiling, Repeats, spearman_brown};
use crate::statistics::{nan_mean, nan_median, nan_standard_deviation};
use crate::{Error, MAX_SPLITS, Pcg64};

/// Stimuli with two halves below which a split says nothing.
const MIN_STIMULI: usize = 10;

/// Predictor consistency: for every stimulus its own repetitions are halved at random, halves are averaged, correlated over
/// stimuli per neuroid and corrected to the full number of repetitions. Stimuli may have different numbers of repetitions; those
/// with fewer than two are left out, and a split with fewer than 10 others is NaN.
///
/// `order` has the stimuli sorted by identifier, the order in which the reference draws. It uses 10 splits and seed 0; the draws are
/// those of numpy's `default_rng`.
///
/// # Errors
/// [`Error::TooFew`] for fewer than two repetitions or no split, [`Error::TooMany`] beyond [`MAX_SPLITS`], [`Error::Mismatch`] and
/// [`Error::OutOfRange`] for an order of other stimuli.
pub fn predictor_consistency(
    repeats: Repeats<'_>,
    order: &[usize],
    splits: usize,
    seed: u32,
) -> Result<Ceiling, Error> {
    repeats.check()?;
    let (repetitions, stimuli, neuroids) = repeats.values.dim();
    check_order(order, stimuli)?;
    if splits == 0 {
        return Err(Error::TooFew { what: "splits", needed: 1, found: 0 });
    }
    if splits > MAX_SPLITS {
        return Err(Error::TooMany { what: "splits", limit: MAX_SPLITS, found: splits });
    }
    let present: Vec<Vec<usize>> = (0..stimuli)
        .map(|stimulus| {
            let shown =
                |&r: &usize| repeats.values.slice(ndarray::s![r, stimulus, ..]).iter().any(|v| !v.is_nan());
            (0..repetitions).filter(shown).collect()
        })
        .collect();
    let mut random = Pcg64::new(seed);
    let mut values = Array2::from_elem((splits, neuroids), f64::NAN);
    for mut row in values.rows_mut() {
        let halves: Vec<(usize, Vec<usize>, usize)> = order
            .iter()
            .filter(|&&stimulus| present[stimulus].len() >= 2)
            .map(|&stimulus| {
                let mut drawn = present[stimulus].clone();
                random.shuffle(&mut drawn);
                let half = drawn.len() / 2;
                (stimulus, drawn, half)
            })
            .collect();
        if halves.len() < MIN_STIMULI {
            continue;
        }
        let mut first = Array2::zeros((halves.len(), neuroids));
        let mut second = first.clone();
        for (row, (stimulus, drawn, half)) in halves.iter().enumerate() {
            average(&repeats, *stimulus, &drawn[..*half], &mut first, row);
            average(&repeats, *stimulus, &drawn[*half..], &mut second, row);
        }
        for (neuroid, r) in row.iter_mut().enumerate() {
            *r = spearman_brown(plain_pearson(first.column(neuroid), second.column(neuroid)), 2.0);
        }
    }
    Ok(summary(values))
}

fn check_order(order: &[usize], stimuli: usize) -> Result<(), Error> {
    if order.len() != stimuli {
        return Err(Error::Mismatch { what: "stimuli in order", expected: stimuli, found: order.len() });
    }
    match order.iter().find(|&&stimulus| stimulus >= stimuli) {
        Some(&index) => Err(Error::OutOfRange { what: "stimuli in order", index, len: stimuli }),
        None => Ok(()),
    }
}

/// Mean over repetitions of one stimulus, missing values skipped.
fn average(repeats: &Repeats<'_>, stimulus: usize, drawn: &[usize], to: &mut Array2<f64>, row: usize) {
    for (neuroid, cell) in to.row_mut(row).iter_mut().enumerate() {
        let values: Vec<f64> = drawn.iter().map(|&r| repeats.values[[r, stimulus, neuroid]]).collect();
        *cell = nan_mean(&values);
    }
}

/// Product of the centred vectors over the product of their norms, without scipy's care: NaN only where a norm is zero.
fn plain_pearson(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    let n = a.len() as f64;
    let (a, b) = (&a - a.sum() / n, &b - b.sum() / n);
    let norms = a.dot(&a).sqrt() * b.dot(&b).sqrt();
    if norms == 0.0 { f64::NAN } else { (&a * &b).sum() / norms }
}

/// Medians and mean without NaN; the error counts the splits that have a value, unlike that of other ceilings.
fn summary(splits: Array2<f64>) -> Ceiling {
    let medians: Vec<f64> = splits.rows().into_iter().map(|row| nan_median(&row.to_vec())).collect();
    let finite = medians.iter().filter(|m| m.is_finite()).count() as f64;
    let per_neuroid = splits.axis_iter(Axis(1)).map(|c| nan_mean(&c.to_vec())).collect();
    Ceiling {
        value: nan_mean(&medians),
        error: nan_standard_deviation(&medians) / finite.sqrt(),
        per_neuroid,
        splits,
    }
}
