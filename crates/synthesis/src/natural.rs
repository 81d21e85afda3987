//! How alike the layers are for natural images: random draws from a pool.

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use crate::Error;

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
    todo!("{values:?} {value}")
}

/// Mean, spread and ends of the values.
///
/// # Errors
/// [`Error::TooFew`] if there are none.
pub fn distribution(values: &[f64]) -> Result<Distribution, Error> {
    todo!("{values:?}")
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
    todo!("{} {pool} {images} {draws} {seed}", layers.len())
}
