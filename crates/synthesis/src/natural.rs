//! How alike the layers are for natural images: random draws from a pool.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::evaluate::{Coefficient, LayerCorrelation, Statistics};
use crate::random::{Stream, below, stream};
use crate::{Error, MAX_IMAGES, MIN_IMAGES};

/// Most images of a pool.
pub const MAX_POOL: usize = 100_000;
/// Most draws.
pub const MAX_DRAWS: usize = 100_000;

/// E1 to E4 of each draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draws {
    /// E1 of each draw: mean absolute correlation of two layers.
    pub mean_abs_r: Vec<f64>,
    /// E2: the largest.
    pub max_abs_r: Vec<f64>,
    /// E3: mean correlation of adjacent layers.
    pub mean_adjacent_r: Vec<f64>,
    /// E4: effective rank.
    pub effective_rank: Vec<f64>,
}

/// Draws compared with both coefficients. The sets of images are the same for both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Natural {
    /// With Pearson's r.
    pub pearson: Draws,
    /// With ranks.
    pub spearman: Draws,
}

/// Where the values of all draws lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Mean.
    pub mean: f64,
    /// Standard deviation with divisor K - 1; 0 for a single draw.
    pub sd: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// Share of the values that are smaller than `value`, those equal to it counting half.
#[must_use]
pub fn quantile(values: &[f64], value: f64) -> f64 {
    let smaller = values.iter().filter(|&&other| other < value).count();
    let equal = values.iter().filter(|&&other| other == value).count();
    (smaller as f64 + equal as f64 / 2.0) / values.len().max(1) as f64
}

/// Mean, spread and ends of the values.
///
/// # Errors
/// [`Error::TooFew`] if there are none.
pub fn distribution(values: &[f64]) -> Result<Distribution, Error> {
    if values.is_empty() {
        return Err(Error::TooFew { what: "draws", needed: 1, found: 0 });
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    Ok(Distribution {
        mean,
        sd: (square / (count - 1.0).max(1.0)).sqrt(),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// `draws` sets of `images` of the pool, without repetition within a set.
///
/// `layers` has the RSM of the whole pool per layer (strict upper triangle, row by row). Draw k depends on seed and k only.
///
/// # Errors
/// [`Error::TooFew`], [`Error::TooMany`], [`Error::Mismatch`], [`Error::NonFinite`], [`Error::ConstantRsm`].
pub fn natural(
    layers: &[ArrayView1<'_, f64>],
    pool: usize,
    images: usize,
    draws: usize,
    seed: u64,
) -> Result<Natural, Error> {
    check(layers, pool, images, draws)?;
    let found: Vec<Result<[Statistics; 2], Error>> = (0..draws as u64)
        .into_par_iter()
        .map(|draw| {
            let chosen = choose(pool, images, seed, draw);
            let rsms = Array2::from_shape_fn((layers.len(), images * (images - 1) / 2), |(layer, pair)| {
                let [first, second] = pair_of(&chosen, pair);
                layers[layer][position(first, second, pool)]
            });
            let of = |coefficient| LayerCorrelation::new(rsms.view(), coefficient)?.statistics();
            Ok([of(Coefficient::Pearson)?, of(Coefficient::Spearman)?])
        })
        .collect();
    let found = found.into_iter().collect::<Result<Vec<_>, Error>>()?;
    Ok(Natural { pearson: draws_of(&found, 0), spearman: draws_of(&found, 1) })
}

fn draws_of(found: &[[Statistics; 2]], which: usize) -> Draws {
    let list = |value: fn(&Statistics) -> f64| found.iter().map(|both| value(&both[which])).collect();
    Draws {
        mean_abs_r: list(|statistics| statistics.mean_abs_r),
        max_abs_r: list(|statistics| statistics.max_abs_r),
        mean_adjacent_r: list(|statistics| statistics.mean_adjacent_r),
        effective_rank: list(|statistics| statistics.effective_rank),
    }
}

fn check(layers: &[ArrayView1<'_, f64>], pool: usize, images: usize, draws: usize) -> Result<(), Error> {
    let many =
        [("images of the pool", MAX_POOL, pool), ("images", MAX_IMAGES, images), ("draws", MAX_DRAWS, draws)];
    for (what, limit, found) in many {
        if found > limit {
            return Err(Error::TooMany { what, limit, found });
        }
    }
    let few = [
        ("layers", 2, layers.len()),
        ("images", MIN_IMAGES, images),
        ("images of the pool", images, pool),
        ("draws", 1, draws),
    ];
    for (what, needed, found) in few {
        if found < needed {
            return Err(Error::TooFew { what, needed, found });
        }
    }
    let pairs = pool * (pool - 1) / 2;
    for layer in layers {
        if layer.len() != pairs {
            let what = "similarities of a layer of the pool";
            return Err(Error::Mismatch {
                what,
                expected: pairs.to_string(),
                found: layer.len().to_string(),
            });
        }
    }
    Ok(())
}

/// Images in ascending order, so that the same set is the same draw.
fn choose(pool: usize, images: usize, seed: u64, draw: u64) -> Vec<usize> {
    let mut random = stream(seed, Stream::Natural, draw);
    let mut chosen = std::collections::BTreeSet::new();
    // Floyd: every set is equally likely, and nothing of the pool's size is made.
    for last in pool - images..pool {
        let candidate = below(&mut random, last as u64 + 1) as usize;
        if !chosen.insert(candidate) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

/// The images of the pair at this place of the triangle.
fn pair_of(chosen: &[usize], mut pair: usize) -> [usize; 2] {
    let mut first = 0;
    while pair >= chosen.len() - 1 - first {
        pair -= chosen.len() - 1 - first;
        first += 1;
    }
    [chosen[first], chosen[first + 1 + pair]]
}

/// Place of a pair, `first < second`, in the triangle of `size` images.
fn position(first: usize, second: usize, size: usize) -> usize {
    first * (2 * size - first - 1) / 2 + second - first - 1
}
