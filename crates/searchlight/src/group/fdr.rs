//! False discovery rate (Benjamini & Hochberg) and p values from a null distribution.

use super::check::{at_least, same_size, share};
use super::distribution::z_of_upper_tail;
use crate::Error;

/// The largest p that is significant at rate `q`: the largest p₍ₖ₎ with p₍ₖ₎ ≤ k q / M over the M p values that are not NaN.
/// `None` if none is.
///
/// # Errors
/// [`Error::Invalid`] unless 0 < `q` < 1.
pub fn fdr_threshold(p: &[f64], q: f64) -> Result<Option<f64>, Error> {
    share("false discovery rate q", q)?;
    let sorted = sorted(p);
    let m = sorted.len() as f64;
    Ok(sorted.iter().enumerate().rev().find(|(k, p)| **p <= (k + 1) as f64 * q / m).map(|(_, p)| *p))
}

/// The smallest rate q at which each p value is significant (adjusted p); NaN stays NaN.
#[must_use]
pub fn fdr_adjusted(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let m = order.len() as f64;
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut smallest = 1.0_f64;
    for (rank, &voxel) in order.iter().enumerate().rev() {
        smallest = smallest.min(p[voxel] * m / (rank + 1) as f64);
        adjusted[voxel] = smallest;
    }
    adjusted
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Which values count as extreme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tail {
    /// Large magnitudes.
    #[default]
    TwoSided,
    /// Large values.
    Larger,
    /// Small values.
    Smaller,
}

impl Tail {
    /// The number that is large where `value` is extreme.
    #[must_use]
    pub fn extremity(self, value: f64) -> f64 {
        match self {
            Tail::TwoSided => value.abs(),
            Tail::Larger => value,
            Tail::Smaller => -value,
        }
    }
}

/// Share of `null` that is at least as extreme as each value; NaN for NaN.
///
/// Right if `null` contains the value's own (identity) relabelling, or is the complete set of relabellings.
/// # Errors
/// [`Error::TooFew`] for an empty null.
pub fn exceedance(values: &[f64], null: &[f64], tail: Tail) -> Result<Vec<f64>, Error> {
    at_least("values of the null distribution", 1, null.len())?;
    let extremes = sorted(&null.iter().map(|&v| tail.extremity(v)).collect::<Vec<_>>());
    same_size("values of the null distribution that are not NaN", null.len(), extremes.len())?;
    let p = |&value: &f64| {
        let below = extremes.partition_point(|&e| e < tail.extremity(value));
        if value.is_nan() { value } else { (extremes.len() - below) as f64 / extremes.len() as f64 }
    };
    Ok(values.iter().map(p).collect())
}

/// p of each value against relabellings that do not contain the identity: (1 + #≥)/(1 + #). NaN for NaN.
/// # Errors
/// As [`exceedance`].
pub fn permutation_p(values: &[f64], null: &[f64], tail: Tail) -> Result<Vec<f64>, Error> {
    let count = null.len() as f64;
    Ok(exceedance(values, null, tail)?.into_iter().map(|p| (1.0 + p * count) / (1.0 + count)).collect())
}

/// [`exceedance`] kept within 1/N and 1 - 1/N of the N null values, so that its z is finite (nilearn's `null_to_p`).
/// # Errors
/// As [`exceedance`].
pub fn bounded_exceedance(values: &[f64], null: &[f64], tail: Tail) -> Result<Vec<f64>, Error> {
    let least = 1.0 / null.len() as f64;
    let bound = |p: f64| if p.is_nan() { p } else { p.min(1.0 - least).max(least) };
    Ok(exceedance(values, null, tail)?.into_iter().map(bound).collect())
}

/// z of a signed statistic from the share `p` of null maxima (of its own sign's side) at least as large: Φ⁻¹(1 - p/2), at most
/// Φ⁻¹(1 - 1/N) for N null maxima, with the sign of the statistic (the maps of CoSMoMVPA's `montecarlo_cluster_stat`).
#[must_use]
pub fn two_tailed_z(statistic: f64, p: f64, null_count: usize) -> f64 {
    if statistic.is_nan() || statistic == 0.0 {
        return statistic;
    }
    let upper = (p / 2.0).max(1.0 / null_count as f64);
    z_of_upper_tail(upper) * statistic.signum()
}
