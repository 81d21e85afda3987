//! Synthesised images as the benchmark of the residual method on natural images (paired over layers).

use ndarray::{Array2, ArrayView2};

use super::overlap::{Overlap, spatial_correlation};
use crate::Error;
use crate::group::check::same_size;
use crate::group::{DEFAULT_DRAWS, Flips, Tail, sign_flip_test};

/// Maps of the layers and the voxels that count as theirs (both layers x voxels).
#[derive(Debug, Clone, Copy)]
pub struct LayerMaps<'a> {
    /// Map values, NaN where undefined.
    pub values: ArrayView2<'a, f64>,
    /// Thresholded maps.
    pub masks: ArrayView2<'a, bool>,
}

/// Agreement of two sets of maps, layer by layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Dice index of the masks; NaN where one is empty.
    pub dice: Vec<f64>,
    /// Correlation of the maps over voxels; NaN where undefined.
    pub correlation: Vec<f64>,
}

/// A difference over layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// Mean over the layers where both agreements are defined; NaN without any.
    pub mean: f64,
    /// Two-sided p of the mean under sign flips of the layers; NaN with fewer than two layers or equal differences.
    pub p: f64,
    /// Layers where one of the agreements is undefined.
    pub undefined: usize,
}

/// Does the residual method bring natural images closer to the synthesised ones than raw comparison?
#[derive(Debug, Clone, PartialEq)]
pub struct Benchmark {
    /// Of the residual maps of natural images with the maps of synthesised images.
    pub residual: Agreement,
    /// Of the raw maps of natural images with the maps of synthesised images.
    pub raw: Agreement,
    /// Residual minus raw Dice index.
    pub dice: PairedDifference,
    /// Residual minus raw correlation.
    pub correlation: PairedDifference,
}

/// Compares the maps of `synthesised` images with those of natural images by the `residual` method and `raw`.
///
/// # Errors
/// [`Error::Mismatch`] if the sets differ in layers or voxels; too few or many layers for sign flips.
pub fn synthesis_benchmark(
    synthesised: LayerMaps,
    residual: LayerMaps,
    raw: LayerMaps,
    seed: u64,
) -> Result<Benchmark, Error> {
    let shape = synthesised.values.dim();
    check_shape(shape, synthesised)?;
    check_shape(shape, residual)?;
    check_shape(shape, raw)?;
    let residual = agreement(synthesised, residual)?;
    let raw = agreement(synthesised, raw)?;
    let dice = paired(&residual.dice, &raw.dice, seed)?;
    let correlation = paired(&residual.correlation, &raw.correlation, seed)?;
    Ok(Benchmark { residual, raw, dice, correlation })
}

fn check_shape((layers, voxels): (usize, usize), maps: LayerMaps) -> Result<(), Error> {
    same_size("layers of the maps", layers, maps.values.nrows())?;
    same_size("voxels of the maps", voxels, maps.values.ncols())?;
    same_size("layers of the masks", layers, maps.masks.nrows())?;
    same_size("voxels of the masks", voxels, maps.masks.ncols())
}

fn agreement(a: LayerMaps, b: LayerMaps) -> Result<Agreement, Error> {
    let layers = 0..a.values.nrows();
    let dice = layers.clone().map(|l| Ok(Overlap::of(a.masks.row(l), b.masks.row(l))?.dice()));
    let correlation = layers.map(|l| spatial_correlation(a.values.row(l), b.values.row(l))).collect();
    Ok(Agreement { dice: dice.collect::<Result<_, Error>>()?, correlation })
}

fn paired(first: &[f64], second: &[f64], seed: u64) -> Result<PairedDifference, Error> {
    let differences: Vec<f64> =
        first.iter().zip(second).map(|(a, b)| a - b).filter(|d| !d.is_nan()).collect();
    let n = differences.len();
    let undefined = first.len() - n;
    let mean = differences.iter().sum::<f64>() / n as f64;
    let spread = differences.iter().any(|d| (d - mean).abs() > 1e-12 * mean.abs().max(1e-300));
    if n < 2 || !spread {
        return Ok(PairedDifference { mean, p: f64::NAN, undefined });
    }
    let column = Array2::from_shape_fn((n, 1), |(layer, _)| differences[layer]);
    let flips = Flips::new(n, DEFAULT_DRAWS, seed)?;
    let tests = sign_flip_test(&[column.view()], &flips, Tail::TwoSided)?;
    Ok(PairedDifference { mean, p: tests[0].p[0], undefined })
}
