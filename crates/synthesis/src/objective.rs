//! The squared correlations of layers' RSMs, the spread floor, and their gradients (spec §1.5).

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::gram::{Moments, moments, pull_back, symmetric, triangle};
use crate::{Error, MAX_LAYERS, Objective, Real};

/// The part of the objective that depends on the layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Weighted mean of the squared correlations, or their soft maximum.
    pub correlation: f64,
    /// What the spread floor adds, with its weight.
    pub spread: f64,
    /// Correlations of the layers' RSMs, L x L.
    pub matrix: Array2<f64>,
    /// Spread of each layer's RSM, with divisor P.
    pub sd: Vec<f64>,
}

/// Mean and largest absolute correlation of two layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Mean over pairs.
    pub mean_abs_r: f64,
    /// The largest.
    pub max_abs_r: f64,
    /// The first pair that has it.
    pub worst: [usize; 2],
}

impl Summary {
    /// Of a symmetric matrix of at least two layers.
    #[must_use]
    pub fn of(matrix: ArrayView2<'_, f64>) -> Self {
        let mut summary = Self { mean_abs_r: 0.0, max_abs_r: -1.0, worst: [0, 1] };
        let mut count = 0.0;
        for [first, second] in pairs(matrix.nrows()) {
            let r = matrix[[first, second]].abs();
            summary.mean_abs_r += r;
            count += 1.0;
            if r > summary.max_abs_r {
                summary.max_abs_r = r;
                summary.worst = [first, second];
            }
        }
        summary.mean_abs_r /= count;
        summary
    }
}

/// Pairs of layers, row by row.
pub(crate) fn pairs(layers: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..layers).flat_map(move |first| (first + 1..layers).map(move |second| [first, second]))
}

/// An RSM with its mean removed.
struct Centred {
    /// w: of norm 1.
    unit: Array1<f64>,
    norm: f64,
}

fn centred(rsm: ArrayView1<'_, f64>, layer: usize, no_spread: f64) -> Result<Centred, Error> {
    let count = rsm.len() as f64;
    let mean = rsm.sum() / count;
    let left = rsm.mapv(|value| value - mean);
    let norm = left.dot(&left).sqrt();
    if !norm.is_finite() {
        return Err(Error::NonFinite { what: "RSM of layer", index: layer });
    }
    if norm <= no_spread * count.sqrt() {
        return Err(Error::ConstantRsm { layer });
    }
    Ok(Centred { unit: left / norm, norm })
}

fn centre(rsms: ArrayView2<'_, f64>, no_spread: f64) -> Result<Vec<Centred>, Error> {
    let (layers, pairs) = rsms.dim();
    if layers > MAX_LAYERS {
        return Err(Error::TooMany { what: "layers", limit: MAX_LAYERS, found: layers });
    }
    for (what, needed, found) in [("layers", 2, layers), ("pairs of images", 3, pairs)] {
        if found < needed {
            return Err(Error::TooFew { what, needed, found });
        }
    }
    rsms.rows().into_iter().enumerate().map(|(layer, rsm)| centred(rsm, layer, no_spread)).collect()
}

fn matrix_of(layers: &[Centred]) -> Array2<f64> {
    let mut matrix = Array2::eye(layers.len());
    for [first, second] in pairs(layers.len()) {
        let r = layers[first].unit.dot(&layers[second].unit).clamp(-1.0, 1.0);
        matrix[[first, second]] = r;
        matrix[[second, first]] = r;
    }
    matrix
}

fn spreads(layers: &[Centred]) -> Vec<f64> {
    layers.iter().map(|layer| layer.norm / (layer.unit.len() as f64).sqrt()).collect()
}

/// Correlations (L x L) and spreads of RSMs (L x P).
pub(crate) fn correlations(
    rsms: ArrayView2<'_, f64>,
    no_spread: f64,
) -> Result<(Array2<f64>, Vec<f64>), Error> {
    let layers = centre(rsms, no_spread)?;
    Ok((matrix_of(&layers), spreads(&layers)))
}

/// Weights of the pairs; their sum is 1.
fn pair_weights(layers: usize, adjacent: f64) -> Result<Vec<f64>, Error> {
    let raw: Vec<f64> =
        pairs(layers).map(|[first, second]| if second == first + 1 { adjacent } else { 1.0 }).collect();
    let total: f64 = raw.iter().sum();
    if total > 0.0 && total.is_finite() {
        return Ok(raw.iter().map(|weight| weight / total).collect());
    }
    Err(Error::Setting {
        field: "objective.adjacent_weight",
        found: adjacent.to_string(),
        advice: "two layers have only an adjacent pair: use a weight above 0".into(),
    })
}

/// Value, and derivative with respect to each pair's correlation.
///
/// The soft maximum is log(Σ ω exp(β r²))/β with Σ ω = 1: the weighted mean for β → 0, the largest r² for β → ∞, and between
/// the two for any other β.
fn correlation_term(matrix: &Array2<f64>, objective: &Objective) -> Result<(f64, Vec<f64>), Error> {
    let weights = pair_weights(matrix.nrows(), objective.adjacent_weight)?;
    let r: Vec<f64> = pairs(matrix.nrows()).map(|pair| matrix[pair]).collect();
    let beta = objective.soft_max;
    if beta == 0.0 {
        let value = weights.iter().zip(&r).map(|(weight, r)| weight * r * r).sum();
        return Ok((value, weights.iter().zip(&r).map(|(weight, r)| 2.0 * weight * r).collect()));
    }
    let counted = weights.iter().zip(&r).filter(|(weight, _)| **weight > 0.0);
    let largest = counted.map(|(_, r)| r * r).fold(0.0, f64::max);
    // exp(x) - 1 keeps what a plain sum of exponentials loses when β is small. A pair without weight may be far above the largest:
    // its exponential may be infinite.
    let part =
        |(r, weight): (&f64, &f64)| if *weight > 0.0 { (beta * (r * r - largest)).exp_m1() } else { 0.0 };
    let parts: Vec<f64> = r.iter().zip(&weights).map(part).collect();
    let excess: f64 = weights.iter().zip(&parts).map(|(weight, part)| weight * part).sum();
    let value = largest + excess.ln_1p() / beta;
    let total = 1.0 + excess;
    let slope = |index: usize| 2.0 * r[index] * weights[index] * (parts[index] + 1.0) / total;
    Ok((value, (0..r.len()).map(slope).collect()))
}

/// The terms for given RSMs (L x P), and the gradient with respect to these.
///
/// # Errors
/// [`Error::TooFew`] for fewer than two layers or three pairs of images, [`Error::TooMany`] layers, [`Error::NonFinite`],
/// [`Error::ConstantRsm`], and [`Error::Setting`] if no pair has a weight.
pub fn of_rsms<T: Real>(
    rsms: ArrayView2<'_, f64>,
    objective: &Objective,
) -> Result<(Terms, Array2<f64>), Error> {
    let layers = centre(rsms, T::NO_SPREAD)?;
    let matrix = matrix_of(&layers);
    let sd = spreads(&layers);
    let (correlation, slopes) = correlation_term(&matrix, objective)?;
    let mut gradient = Array2::zeros(rsms.raw_dim());
    for ([first, second], slope) in pairs(layers.len()).zip(slopes) {
        let r = matrix[[first, second]];
        for (own, other) in [(first, second), (second, first)] {
            let scale = slope / layers[own].norm;
            let mut row = gradient.row_mut(own);
            row.scaled_add(scale, &layers[other].unit);
            row.scaled_add(-scale * r, &layers[own].unit);
        }
    }
    let mut spread = 0.0;
    let root = (rsms.ncols() as f64).sqrt();
    for (layer, &sd) in sd.iter().enumerate() {
        let lack = objective.spread_floor - sd;
        if lack > 0.0 {
            spread += objective.spread * lack * lack;
            gradient.row_mut(layer).scaled_add(-2.0 * objective.spread * lack / root, &layers[layer].unit);
        }
    }
    Ok((Terms { correlation, spread, matrix, sd }, gradient))
}

pub(crate) fn all_moments<T: Real>(layers: &[Array2<T>]) -> Result<Vec<Moments>, Error> {
    if let Some(first) = layers.first() {
        for layer in layers {
            if layer.nrows() != first.nrows() {
                return Err(Error::Mismatch {
                    what: "images of a layer",
                    expected: first.nrows().to_string(),
                    found: layer.nrows().to_string(),
                });
            }
        }
    }
    let found: Vec<Result<Moments, Error>> =
        layers.par_iter().enumerate().map(|(index, layer)| moments(layer.view(), index)).collect();
    found.into_iter().collect()
}

pub(crate) fn stack(moments: &[Moments]) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = moments.iter().map(|layer| triangle(&layer.similarity)).collect();
    let columns = rows.first().map_or(0, Vec::len);
    Array2::from_shape_fn((rows.len(), columns), |(layer, pair)| rows[layer][pair])
}

/// The terms for layer activations (images x units each), and the gradient with respect to these, in their memory.
///
/// Similarities and all that follows are made in f64. In f32, the gradient is within 1e-5 of the one in f64 for the same activations,
/// relative to the largest of its layer, where activations vary about as much as their mean.
///
/// # Errors
/// As [`of_rsms`]; [`Error::Mismatch`] if layers have not the same images, [`Error::Activation`], [`Error::ConstantImage`].
pub fn of_activations<T: Real>(
    mut layers: Vec<Array2<T>>,
    objective: &Objective,
) -> Result<(Terms, Vec<Array2<T>>), Error> {
    let moments = all_moments(&layers)?;
    let (terms, gradient) = of_rsms::<T>(stack(&moments).view(), objective)?;
    layers.par_iter_mut().zip(&moments).enumerate().for_each(|(index, (layer, moments))| {
        let gradient = symmetric(gradient.row(index), layer.nrows());
        pull_back(layer, moments, &gradient);
    });
    Ok((terms, layers))
}
