//! Pearson and Spearman correlation with scipy's rules for constants, ties and NaN.

use ndarray::{Array1, ArrayView1, ArrayView2};

use crate::Error;
use crate::statistics::mean;

fn same_length(expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Mismatch { what: "length of the two variables to be correlated", expected, found })
}

/// Euclidean norm that neither overflows nor underflows for representable results.
fn norm(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * values.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt()
}

fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|v| *v == values[0])
}

fn centred(values: &[f64]) -> Vec<f64> {
    let centre = mean(values);
    values.iter().map(|v| v - centre).collect()
}

/// Pearson correlation of slices of equal length.
fn pearson_of(x: &[f64], y: &[f64]) -> f64 {
    if x.len() < 2 || is_constant(x) || is_constant(y) {
        return f64::NAN;
    }
    let (x, y) = (centred(x), centred(y));
    let (norm_x, norm_y) = (norm(&x), norm(&y));
    let r: f64 = x.iter().zip(&y).map(|(a, b)| (a / norm_x) * (b / norm_y)).sum();
    let r = r.clamp(-1.0, 1.0);
    // Two points always lie on a line; scipy returns the sign exactly.
    if x.len() == 2 { r.round() } else { r }
}

/// Pearson correlation, as `scipy.stats.pearsonr` computes it: centre, divide by the norm, dot product, clamp to \[-1, 1\].
///
/// NaN if a variable is constant (all values equal), has a NaN or infinite value, or fewer than two values.
/// A *nearly* constant variable is correlated like any other, as in scipy, which only warns.
///
/// # Errors
/// [`Error::Mismatch`] if the lengths differ.
pub fn pearson(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Result<f64, Error> {
    same_length(x.len(), y.len())?;
    Ok(pearson_of(&x.to_vec(), &y.to_vec()))
}

/// Pearson correlation of each column of `x` with the same column of `y` (both stimuli x neuroids): one value per neuroid.
///
/// # Errors
/// [`Error::Mismatch`] if the shapes differ.
pub fn pearson_columns(x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>) -> Result<Array1<f64>, Error> {
    same_length(x.nrows(), y.nrows())?;
    if x.ncols() != y.ncols() {
        return Err(Error::Mismatch { what: "number of neuroids", expected: x.ncols(), found: y.ncols() });
    }
    x.columns().into_iter().zip(y.columns()).map(|(a, b)| pearson(a, b)).collect()
}

/// Ranks from 1; equal values share the mean of their ranks. All NaN if a value is NaN (`scipy.stats.rankdata`, average).
#[must_use]
pub fn average_ranks(values: ArrayView1<'_, f64>) -> Array1<f64> {
    ranks_within(values, 0.0)
}

/// As [`average_ranks`], but neighbours in the order that differ by no more than `tolerance` are equal.
#[must_use]
pub(crate) fn ranks_within(values: ArrayView1<'_, f64>, tolerance: f64) -> Array1<f64> {
    if values.iter().any(|v| v.is_nan()) {
        return Array1::from_elem(values.len(), f64::NAN);
    }
    let mut sorted: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    sorted.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap_or(std::cmp::Ordering::Equal));
    let mut ranks = Array1::zeros(values.len());
    let mut before = 0;
    for ties in sorted.chunk_by(|a, b| a.1 == b.1 || b.1 - a.1 <= tolerance) {
        let rank = before as f64 + (ties.len() as f64 + 1.0) / 2.0;
        for &(index, _) in ties {
            ranks[index] = rank;
        }
        before += ties.len();
    }
    ranks
}

/// Spearman correlation: the Pearson correlation of the average ranks. NaN under the same conditions as [`pearson`],
/// except that infinite values have ranks.
///
/// # Errors
/// [`Error::Mismatch`] if the lengths differ.
pub fn spearman(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Result<f64, Error> {
    same_length(x.len(), y.len())?;
    pearson(average_ranks(x).view(), average_ranks(y).view())
}
