//! Maps for many images, without any images x images matrix.
//!
//! With Z the unit patterns of a neighbourhood (images x voxels) and a layer's RSM given as FFᵀ (F images x factors), sums
//! over pairs are sums of squares of small matrices: Σ K² = ‖ZᵀZ‖², Σ KL = ‖FᵀZ‖², Σ K = ‖Zᵀ1‖², each less its diagonal.
//! For n images, m voxels and k factors that is n·m·(m + k) products in place of n²(m + layers)/2.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, Mat, MatRef, Par, Side};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::neighbourhood::Neighbourhoods;
use crate::patterns::{LANES, MAX_IMAGES};
use crate::range::{Options, RangeMap, check, chunks};
use crate::rsm::RsmKind;
use crate::rsm::kernel::Real;
use crate::{Error, Patterns};

/// Variance of the brain's similarities as a share of their mean square below which f32 is not enough.
const LEAST_SPREAD_F32: f64 = 1e-2;
/// The same for f64: similarities with less than 3e-5 of relative spread count as equal, for sums of squares of whole
/// matrices are subtracted here.
const LEAST_SPREAD: f64 = 1e-9;

/// Layer RSMs as products of factors, compared by Pearson correlation.
#[derive(Debug, Clone)]
pub struct FactoredLayers {
    names: Vec<String>,
    images: usize,
    /// All layers' factors x images, padded.
    wide: Vec<f64>,
    narrow: Vec<f32>,
    spans: Vec<Range<usize>>,
    moments: Vec<Moments>,
    correlations: Array2<f64>,
    bounds: Vec<f64>,
}

/// Sums of a layer's similarities.
#[derive(Debug, Clone)]
struct Moments {
    /// Similarity of each image with itself.
    diagonal: Vec<f64>,
    /// Over all ordered pairs of different images.
    sum: f64,
    /// Root of the centred sum of squares over these pairs.
    spread: f64,
}

impl FactoredLayers {
    /// Layers from their features (images x units): the Pearson RSM over units, exactly.
    ///
    /// # Errors
    /// [`Error::TooFew`], [`Error::TooMany`] or [`Error::Mismatch`] for the number of images or layers,
    /// [`Error::NonFinite`], [`Error::ConstantLayer`] where an image's features or the RSM do not vary.
    pub fn from_features(names: Vec<String>, features: &[ArrayView2<'_, f64>]) -> Result<Self, Error> {
        let images = check_layers(&names, features)?;
        let mut factors = Vec::new();
        for (layer, features) in features.iter().enumerate() {
            let mut rows = features.to_owned();
            for mut row in rows.rows_mut() {
                let mean = row.sum() / row.len() as f64;
                let raw = row.dot(&row);
                row -= mean;
                let square = row.dot(&row);
                if square <= 1e-24 * raw || square <= 0.0 {
                    return Err(Error::ConstantLayer { layer: names[layer].clone() });
                }
                row /= square.sqrt();
            }
            factors.push(rows);
        }
        let bounds = vec![0.0; names.len()];
        Self::new(names, images, &factors, bounds)
    }

    /// Layers from their RSMs (images x images, symmetric), each by its `rank` largest positive eigenvalues.
    /// [`FactoredLayers::error_bounds`] says what that costs; all images as rank cost nothing if the RSM has no negative
    /// eigenvalue, as correlations have none.
    ///
    /// # Errors
    /// See [`FactoredLayers::from_features`]; [`Error::TooFew`] for rank 0.
    pub fn from_similarities(
        names: Vec<String>,
        similarities: &[ArrayView2<'_, f64>],
        rank: usize,
    ) -> Result<Self, Error> {
        let images = check_layers(&names, similarities)?;
        if rank == 0 {
            return Err(Error::TooFew { what: "rank", needed: 1, found: 0 });
        }
        let (mut factors, mut bounds) = (Vec::new(), Vec::new());
        for (layer, matrix) in similarities.iter().enumerate() {
            if matrix.ncols() != images {
                return Err(Error::Mismatch {
                    what: "columns of an RSM",
                    expected: images,
                    found: matrix.ncols(),
                });
            }
            let factor = factor_of(matrix, rank, &names[layer])?;
            bounds.push(bound(matrix, &factor));
            factors.push(factor);
        }
        Self::new(names, images, &factors, bounds)
    }

    fn new(
        names: Vec<String>,
        images: usize,
        factors: &[Array2<f64>],
        bounds: Vec<f64>,
    ) -> Result<Self, Error> {
        let stride = images.next_multiple_of(LANES);
        let pairs = (images * (images - 1)) as f64;
        let (mut spans, mut flat) = (Vec::new(), Vec::new());
        let mut moments: Vec<Moments> = Vec::new();
        for (layer, factor) in factors.iter().enumerate() {
            let start = flat.len() / stride;
            for column in factor.columns() {
                let end = flat.len() + stride;
                flat.extend(column);
                flat.resize(end, 0.0);
            }
            spans.push(start..flat.len() / stride);
            let diagonal: Vec<f64> = factor.rows().into_iter().map(|row| row.dot(&row)).collect();
            let sum = ones(factor) - diagonal.iter().sum::<f64>();
            let square = cross(factor, factor) - diagonal.iter().map(|d| d * d).sum::<f64>();
            let spread = square - sum * sum / pairs;
            if spread <= 1e-12 * square {
                return Err(Error::ConstantLayer { layer: names[layer].clone() });
            }
            moments.push(Moments { diagonal, sum, spread: spread.sqrt() });
        }
        let correlations = Array2::from_shape_fn((names.len(), names.len()), |(a, b)| {
            if a == b {
                return 1.0;
            }
            // The lower layer first, so that the matrix is symmetric to the bit.
            let (a, b) = (a.min(b), a.max(b));
            let own: f64 = moments[a].diagonal.iter().zip(&moments[b].diagonal).map(|(x, y)| x * y).sum();
            let product = cross(&factors[a], &factors[b]) - own - moments[a].sum * moments[b].sum / pairs;
            product / (moments[a].spread * moments[b].spread)
        });
        let narrow = flat.iter().map(|&value: &f64| value as f32).collect();
        Ok(Self { names, images, wide: flat, narrow, spans, moments, correlations, bounds })
    }

    /// Names of the layers.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images
    }

    /// Correlations of the layers' RSMs with each other, for [`crate::LayerDesign::from_correlations`].
    #[must_use]
    pub fn correlations(&self) -> ArrayView2<'_, f64> {
        self.correlations.view()
    }

    /// For each layer, what no map value can be wrong by more than because of the factors that were left out: the distance
    /// between the standardised RSM and its approximation.
    #[must_use]
    pub fn error_bounds(&self) -> &[f64] {
        &self.bounds
    }
}

fn check_layers(names: &[String], matrices: &[ArrayView2<'_, f64>]) -> Result<usize, Error> {
    let first = matrices.first().ok_or(Error::TooFew { what: "layers", needed: 1, found: 0 })?;
    let images = first.nrows();
    if matrices.len() != names.len() {
        return Err(Error::Mismatch { what: "layers", expected: names.len(), found: matrices.len() });
    }
    if images < 3 {
        return Err(Error::TooFew { what: "images", needed: 3, found: images });
    }
    if images > MAX_IMAGES {
        return Err(Error::TooMany { what: "images", limit: MAX_IMAGES, found: images });
    }
    for matrix in matrices {
        if matrix.nrows() != images {
            return Err(Error::Mismatch {
                what: "images of a layer",
                expected: images,
                found: matrix.nrows(),
            });
        }
        if let Some(index) = matrix.iter().position(|value| !value.is_finite()) {
            let advice = "leave the unit or image out";
            return Err(Error::NonFinite { what: "value of a layer", index, advice });
        }
    }
    Ok(images)
}

/// The eigenvectors of the largest positive eigenvalues, times their roots: images x factors.
fn factor_of(matrix: &ArrayView2<'_, f64>, rank: usize, name: &str) -> Result<Array2<f64>, Error> {
    let images = matrix.nrows();
    let square = Mat::from_fn(images, images, |i, j| matrix[[i.max(j), i.min(j)]]);
    let failed = |_| Error::ConstantLayer { layer: name.to_owned() };
    let eigen = square.self_adjoint_eigen(Side::Lower).map_err(failed)?;
    let positive = (0..images).rev().take(rank).take_while(|&k| eigen.S()[k] > 0.0).count();
    if positive == 0 {
        return Err(Error::ConstantLayer { layer: name.to_owned() });
    }
    Ok(Array2::from_shape_fn((images, positive), |(i, k)| {
        let k = images - 1 - k;
        eigen.U()[(i, k)] * eigen.S()[k].sqrt()
    }))
}

/// Distance of the standardised triangles of a matrix and of its approximation.
fn bound(matrix: &ArrayView2<'_, f64>, factor: &Array2<f64>) -> f64 {
    let approximation = factor.dot(&factor.t());
    let images = matrix.nrows();
    let triangle = |value: &dyn Fn(usize, usize) -> f64| {
        let mut values = Vec::with_capacity(images * (images - 1) / 2);
        (0..images).for_each(|i| values.extend((0..i).map(|j| value(i, j))));
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter_mut().for_each(|value| *value -= mean);
        let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        values.iter_mut().for_each(|value| *value /= norm);
        values
    };
    let (exact, near) = (triangle(&|i, j| matrix[[i, j]]), triangle(&|i, j| approximation[[i, j]]));
    exact.iter().zip(&near).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// ‖Fᵀ1‖².
fn ones(factor: &Array2<f64>) -> f64 {
    factor.columns().into_iter().map(|column| column.sum().powi(2)).sum()
}

/// ‖AᵀB‖².
fn cross(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let product = a.t().dot(b);
    product.iter().map(|value| value * value).sum()
}

/// The maps of a range of centres from factored layers, on all threads of the current pool; see [`crate::map_range_parallel`].
///
/// # Errors
/// See [`crate::map_range`]; [`Error::Invalid`] for RSMs that are no products of unit patterns.
pub fn map_range_factored(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    layers: &FactoredLayers,
    options: &Options,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<RangeMap, Error> {
    check(patterns, neighbourhoods, &range, layers.images, options)?;
    if !matches!(options.rsm, RsmKind::Pearson | RsmKind::Cosine) {
        let advice = "factored layers need Pearson or cosine RSMs";
        return Err(Error::Invalid { what: "rsm", found: format!("{:?}", options.rsm), advice });
    }
    let parts: Vec<RangeMap> = chunks(&range)
        .into_par_iter()
        .map(|chunk| {
            let part = compute(patterns, neighbourhoods, chunk.clone(), layers, options);
            progress(chunk.len());
            part
        })
        .collect();
    RangeMap::join(&parts)
}

fn compute(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    chunk: Range<usize>,
    layers: &FactoredLayers,
    options: &Options,
) -> RangeMap {
    let mut map = RangeMap {
        values: Array2::from_elem((chunk.len(), layers.names.len()), f64::NAN),
        voxels: Vec::with_capacity(chunk.len()),
        too_small: 0,
        undefined: 0,
    };
    let (mut members, mut narrow, mut wide) = (Vec::new(), Vec::new(), Vec::new());
    for (position, centre) in chunk.enumerate() {
        neighbourhoods.members(centre, &mut members);
        map.voxels.push(members.len() as u32);
        if members.len() < options.minimum_voxels {
            map.too_small += 1;
            continue;
        }
        let values = unit_patterns::<f32>(patterns, &members, options.rsm, &mut narrow)
            .then(|| compare(&narrow, members.len(), (&layers.narrow, LEAST_SPREAD_F32), layers))
            .flatten()
            .or_else(|| {
                // Similarities that hardly differ are lost in f32.
                unit_patterns::<f64>(patterns, &members, options.rsm, &mut wide)
                    .then(|| compare(&wide, members.len(), (&layers.wide, LEAST_SPREAD), layers))
                    .flatten()
            });
        match values {
            Some(values) => {
                map.values.row_mut(position).iter_mut().zip(values).for_each(|(slot, value)| *slot = value)
            }
            None => map.undefined += 1,
        }
    }
    map
}

/// Unit patterns, voxels x images; false where an image has zero norm.
fn unit_patterns<T: Real>(patterns: &Patterns, members: &[u32], rsm: RsmKind, units: &mut Vec<T>) -> bool {
    let (stride, images) = (patterns.stride(), patterns.images());
    let pivot = patterns.padded(members[0] as usize, 0);
    units.clear();
    let mut mean = vec![T::default(); stride];
    for &member in members {
        let row = patterns.padded(member as usize, 0);
        match rsm {
            RsmKind::Pearson => {
                units.extend(row.iter().zip(pivot).map(|(&value, &pivot)| T::of(value) - T::of(pivot)))
            }
            _ => units.extend(row.iter().map(|&value| T::of(value))),
        }
        let start = units.len() - stride;
        mean.iter_mut().zip(&units[start..]).for_each(|(sum, &value)| *sum += value);
    }
    let share = T::narrow(if rsm == RsmKind::Pearson { 1.0 / members.len() as f64 } else { 0.0 });
    mean.iter_mut().for_each(|sum| *sum = *sum * share);
    let mut squares = vec![T::default(); stride];
    for row in units.chunks_exact_mut(stride) {
        for ((value, &mean), square) in row.iter_mut().zip(&mean).zip(&mut squares) {
            *value = *value - mean;
            *square += *value * *value;
        }
    }
    if squares[..images].iter().any(|&square| square <= T::default()) {
        return false;
    }
    let inverse = |square: &T| {
        if *square > T::default() { T::narrow(1.0 / square.wide().sqrt()) } else { T::default() }
    };
    let scales: Vec<T> = squares.iter().map(inverse).collect();
    for row in units.chunks_exact_mut(stride) {
        row.iter_mut().zip(&scales).for_each(|(value, &scale)| *value = *value * scale);
    }
    true
}

/// Pearson correlation of the pairs with each layer's; none where the brain RSM does not vary enough for the number type.
fn compare<T: Real + ComplexField>(
    units: &[T],
    voxels: usize,
    (factors, least): (&[T], f64),
    layers: &FactoredLayers,
) -> Option<Vec<f64>> {
    let stride = units.len() / voxels;
    let count = layers.images as f64;
    let pairs = count * (count - 1.0);
    let z = MatRef::from_row_major_slice(units, voxels, stride);
    let square = squares(z, z).iter().sum::<f64>() - count;
    let total = |row: &[T]| row.iter().map(|value| value.wide()).sum::<f64>().powi(2);
    let sum = units.chunks_exact(stride).map(total).sum::<f64>() - count;
    let spread = square - sum * sum / pairs;
    if spread <= least * (square + count) {
        return None;
    }
    let products = squares(MatRef::from_row_major_slice(factors, factors.len() / stride, stride), z);
    let value = |(span, moments): (&Range<usize>, &Moments)| {
        // Unit patterns have 1 on the diagonal.
        let own: f64 = moments.diagonal.iter().sum();
        let cross = products[span.clone()].iter().sum::<f64>() - own - sum * moments.sum / pairs;
        (cross / (spread.sqrt() * moments.spread)).clamp(-1.0, 1.0)
    };
    Some(layers.spans.iter().zip(&layers.moments).map(value).collect())
}

/// For each row of `a`, the sum of squares of its products with the rows of `b`.
fn squares<T: Real + ComplexField>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<f64> {
    let mut product = Mat::<T>::zeros(b.nrows(), a.nrows());
    matmul(product.as_mut(), Accum::Replace, b, a.transpose(), T::narrow(1.0), Par::Seq);
    (0..a.nrows()).map(|row| product.col(row).iter().map(|value| value.wide().powi(2)).sum()).collect()
}
