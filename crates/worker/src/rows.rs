//! From the rows of a layer's activations to the rows of a benchmark: pools of stimuli, time bins, principal components.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2};
use ventral_data::{Benchmark, TimeMode};
use ventral_metrics::{Error as MetricError, Feature, LayerGram, align_time_bin, principal_components};

/// Weighted rows of the activations, one list per row wanted.
pub type Mixture = Vec<Vec<(usize, f64)>>;

/// The time bins that a model with time is aligned to.
pub fn target_bins(benchmark: &Benchmark) -> Vec<[f64; 2]> {
    let window = |bins: &[[f64; 2]]| match (bins.first(), bins.last()) {
        (Some(first), Some(last)) => vec![[first[0], last[1]]],
        _ => Vec::new(),
    };
    match &benchmark.time {
        Some(time) if matches!(time.mode, TimeMode::Each | TimeMode::Span) => time.bins.clone(),
        _ => window(&benchmark.bins),
    }
}

/// How the rows of a benchmark (in each of its bins, bins slowest) are made of those of a model; `None` if they are the same.
///
/// # Errors
/// A model with time on a recording whose time bins are not known, or lie outside of the model's.
pub fn mixture(benchmark: &Benchmark, model_bins: &[[f64; 2]]) -> Result<Option<Mixture>, MetricError> {
    let pooled = benchmark.pools.as_ref().map(|pools| -> Mixture {
        pools.iter().map(|pool| pool.iter().map(|&row| (row, 1.0)).collect()).collect()
    });
    if model_bins.is_empty() {
        return Ok(pooled);
    }
    if benchmark.components.is_some() {
        return Err(MetricError::Parameter {
            name: "components",
            value: "[pca]".to_owned(),
            allowed: "is for models without time bins",
        });
    }
    let targets = target_bins(benchmark);
    if targets.is_empty() {
        return Err(MetricError::TooFew {
            what: "time bins of the recording, which a model with time is aligned to",
            needed: 1,
            found: 0,
        });
    }
    let stimuli = benchmark.stimuli.len();
    let rows = pooled.unwrap_or_else(|| (0..stimuli).map(|row| vec![(row, 1.0)]).collect());
    let mut mixture = Vec::with_capacity(targets.len() * rows.len());
    for target in targets {
        let sources = align_time_bin(model_bins, target)?;
        let over_time = |row: &Vec<(usize, f64)>| {
            let at = |&(bin, portion): &(usize, f64)| {
                row.iter().map(move |&(r, w)| (bin * stimuli + r, w * portion))
            };
            sources.iter().flat_map(at).collect()
        };
        mixture.extend(rows.iter().map(over_time));
    }
    Ok(Some(mixture))
}

/// The Gram matrix of a benchmark's rows from that of the activations.
///
/// # Errors
/// Those of [`mixture`] and of the principal components.
pub fn prepared<'a>(
    benchmark: &Benchmark,
    model_bins: &[[f64; 2]],
    gram: &'a LayerGram,
) -> Result<Cow<'a, LayerGram>, MetricError> {
    let gram = match &benchmark.components {
        Some(components) => {
            let fit: Vec<usize> = (components.first..gram.stimuli()).collect();
            let rows: Vec<usize> = (0..components.first).collect();
            Cow::Owned(principal_components(gram, &fit, &rows, components.count)?)
        }
        None => Cow::Borrowed(gram),
    };
    match (model_bins.is_empty(), &benchmark.pools) {
        (true, Some(pools)) => gram.pooled(pools).map(Cow::Owned),
        (true, None) => Ok(gram),
        (false, _) => match mixture(benchmark, model_bins)? {
            Some(mixture) => gram.mixed(&mixture).map(Cow::Owned),
            None => Ok(gram),
        },
    }
}

/// Features of a benchmark's rows from a tile of activations.
pub fn mixed<T: Feature>(tile: ArrayView2<'_, T>, mixture: &Mixture) -> Array2<f64> {
    Array2::from_shape_fn((mixture.len(), tile.ncols()), |(row, feature)| {
        let weighted = mixture[row].iter().map(|&(from, weight)| tile[[from, feature]].into() * weight);
        let total: f64 = mixture[row].iter().map(|(_, weight)| weight).sum();
        weighted.sum::<f64>() / total
    })
}
