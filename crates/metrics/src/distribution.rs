//! Distributions of a property of single neurons (spec §3, `ks_similarity`).

use crate::regression::at_least;
use crate::statistics::{nan_mean, nan_standard_deviation};
use crate::{Error, RandomState, Score};

/// Most resamplings.
pub const MAX_RESAMPLINGS: usize = 100_000;
/// Share of resamplings without a value above which the score is 0.
const MAX_UNDEFINED: f64 = 0.1;

/// Similarity of the distribution of a property over the units of a model with that over recorded neurons: 1 minus the largest
/// difference of the cumulative histograms, over the largest difference that all units in the first or in the last bin would have.
///
/// As many units as there are neurons are drawn with replacement, `resamplings` times (the reference: 1,000). The reference draws
/// without a seed; here numpy's `RandomState(seed).choice` draws. Values beyond the bins count in the outermost; NaN in none.
/// The score is the mean over the resamplings, its error their standard deviation; if more than a tenth of them are NaN, all count 0.
///
/// # Errors
/// [`Error::TooFew`] without units, neurons or resamplings or with fewer than two edges; [`Error::TooMany`] beyond
/// [`MAX_RESAMPLINGS`]; [`Error::Parameter`] for edges that do not rise.
pub fn ks_similarity(
    units: &[f64],
    neurons: &[f64],
    edges: &[f64],
    resamplings: usize,
    seed: u32,
) -> Result<Score, Error> {
    at_least("units of the model", 1, units.len())?;
    at_least("neurons", 1, neurons.len())?;
    at_least("resamplings", 1, resamplings)?;
    if resamplings > MAX_RESAMPLINGS {
        return Err(Error::TooMany { what: "resamplings", limit: MAX_RESAMPLINGS, found: resamplings });
    }
    check_edges(edges)?;
    let data = histogram(neurons.iter().copied(), edges);
    let mut random = RandomState::new(seed);
    let mut values: Vec<f64> = (0..resamplings)
        .map(|_| {
            let draw = |_| units[random.interval(units.len() as u64 - 1) as usize];
            let sample: Vec<f64> = (0..neurons.len()).map(draw).collect();
            similarity(&histogram(sample.into_iter(), edges), &data)
        })
        .collect();
    let undefined = values.iter().filter(|v| v.is_nan()).count() as f64;
    if undefined > resamplings as f64 * MAX_UNDEFINED {
        values.fill(0.0);
    }
    Ok(Score { value: nan_mean(&values), error: nan_standard_deviation(&values), per_split: values })
}

fn check_edges(edges: &[f64]) -> Result<(), Error> {
    at_least("edges of a histogram", 2, edges.len())?;
    let rising = edges.windows(2).all(|pair| pair[0] < pair[1]) && edges.iter().all(|e| e.is_finite());
    if rising {
        return Ok(());
    }
    let allowed = "must be finite and rise from bin to bin";
    Err(Error::Parameter { name: "bins", value: format!("{edges:?}"), allowed })
}

/// Share of the values in each bin; bins are half open but the last.
fn histogram(values: impl Iterator<Item = f64>, edges: &[f64]) -> Vec<f64> {
    let bins = edges.len() - 1;
    let mut counts = vec![0.0; bins];
    for value in values.filter(|v| !v.is_nan()) {
        let inside = value.clamp(edges[0], edges[bins]);
        let bin = edges.partition_point(|edge| *edge <= inside) - 1;
        counts[bin.min(bins - 1)] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    counts.into_iter().map(|count| count / total).collect()
}

fn similarity(model: &[f64], data: &[f64]) -> f64 {
    let mut all_first = vec![0.0; data.len()];
    let mut all_last = all_first.clone();
    all_first[0] = 1.0;
    all_last[data.len() - 1] = 1.0;
    let worst = distance(&all_first, data).max(distance(&all_last, data));
    1.0 - distance(model, data) / worst
}

/// Largest difference of the cumulative sums; NaN if a value is.
fn distance(p: &[f64], q: &[f64]) -> f64 {
    let (mut sum_p, mut sum_q, mut largest) = (0.0, 0.0, 0.0_f64);
    for (p, q) in p.iter().zip(q) {
        sum_p += p;
        sum_q += q;
        let difference: f64 = sum_p - sum_q;
        if difference.is_nan() {
            return f64::NAN;
        }
        largest = largest.max(difference.abs());
    }
    largest
}
