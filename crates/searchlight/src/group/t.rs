//! The one-sample t over subjects.

use ndarray::ArrayView2;

use super::check::{at_least, at_most};
use super::distribution::t_two_sided;
use crate::Error;

/// Fewest subjects of a group statistic.
pub const MIN_SUBJECTS: usize = 2;
/// Most subjects of a group statistic.
pub const MAX_SUBJECTS: usize = 10_000;
/// A standard deviation below this share of the largest magnitude is rounding: t is undefined.
const CONSTANT_SHARE: f64 = 1e-12;

/// One-sample t against 0 at every voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupT {
    /// t per voxel, NaN where undefined.
    pub t: Vec<f64>,
    /// Parametric two-sided p per voxel, NaN where undefined.
    pub p: Vec<f64>,
    /// Mean over subjects, NaN where undefined.
    pub mean: Vec<f64>,
    /// Degrees of freedom: subjects - 1.
    pub df: usize,
    /// Voxels without t: a subject has no value there, or all subjects have the same.
    pub undefined: usize,
}

/// One-sample t of `values` (subjects x voxels) against 0.
///
/// # Errors
/// [`Error::TooFew`] below [`MIN_SUBJECTS`], [`Error::TooMany`] above [`MAX_SUBJECTS`].
pub fn one_sample_t(values: ArrayView2<f64>) -> Result<GroupT, Error> {
    let (subjects, voxels) = values.dim();
    check_subjects(subjects)?;
    let df = subjects - 1;
    let (mut t, mut mean) = (Vec::with_capacity(voxels), Vec::with_capacity(voxels));
    for column in values.columns() {
        let (voxel_t, voxel_mean) = t_of(column.iter().copied(), subjects);
        t.push(voxel_t);
        mean.push(voxel_mean);
    }
    let undefined = t.iter().filter(|t| t.is_nan()).count();
    let p = t.iter().map(|&t| t_two_sided(t, df)).collect();
    Ok(GroupT { t, p, mean, df, undefined })
}

pub(super) fn check_subjects(subjects: usize) -> Result<(), Error> {
    at_least("subjects", MIN_SUBJECTS, subjects)?;
    at_most("subjects", MAX_SUBJECTS, subjects)
}

/// t and mean of one voxel; both NaN if a value is not finite, t NaN if all values are equal.
fn t_of(values: impl Iterator<Item = f64> + Clone, subjects: usize) -> (f64, f64) {
    let n = subjects as f64;
    let mean = values.clone().sum::<f64>() / n;
    if !mean.is_finite() {
        return (f64::NAN, f64::NAN);
    }
    let magnitude = values.clone().fold(0.0_f64, |m, v| m.max(v.abs()));
    let variance = values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if variance.sqrt() <= CONSTANT_SHARE * magnitude {
        return (f64::NAN, mean);
    }
    (mean / (variance / n).sqrt(), mean)
}
