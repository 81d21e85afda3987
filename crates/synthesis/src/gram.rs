//! Similarities of images, and their way back to activations, tile by tile.
//!
//! Nothing is copied or centred: means are taken out of the sums, so that a layer of many units is read twice and no more.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use faer_ext::IntoFaer;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::{Error, Real};

/// Units that are widened to f64 at once.
const TILE: usize = 1024;
/// Units of a piece of work.
const PIECE: usize = 32 * TILE;
/// Numbers added side by side.
const LANES: usize = 8;

/// What a layer says of the images.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    /// Mean over units, per image.
    pub means: Vec<f64>,
    /// Norm of what is left when it is removed, per image.
    pub norms: Vec<f64>,
    /// Pearson correlation of each pair of images.
    pub similarity: Array2<f64>,
}

struct Sums {
    single: Vec<f64>,
    products: Array2<f64>,
}

/// Copies a row as f64 and returns its sum, added up in a fixed order.
fn widen<T: Real>(row: ArrayView1<'_, T>, target: &mut [f64]) -> f64 {
    match row.as_slice() {
        Some(values) => target.iter_mut().zip(values).for_each(|(slot, value)| *slot = value.to_f64()),
        None => target.iter_mut().zip(row).for_each(|(slot, value)| *slot = value.to_f64()),
    }
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = target.as_chunks::<LANES>();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, value)| *lane += value);
    lanes.iter().sum()
}

/// Images of little contrast have similarities near 1 that differ by 1e-5; only products in f64 keep these differences.
fn piece_sums<T: Real>(piece: ArrayView2<'_, T>) -> Sums {
    let images = piece.nrows();
    let mut single = vec![0.0; images];
    let mut products = Mat::<f64>::zeros(images, images);
    let mut wide = vec![0.0; images * TILE];
    for tile in piece.axis_chunks_iter(Axis(1), TILE) {
        let units = tile.ncols();
        for ((total, row), target) in single.iter_mut().zip(tile.rows()).zip(wide.chunks_mut(units)) {
            *total += widen(row, target);
        }
        let matrix = MatRef::from_row_major_slice(&wide[..images * units], images, units);
        matmul(products.as_mut(), Accum::Add, matrix, matrix.transpose(), 1.0, Par::Seq);
    }
    let products = Array2::from_shape_fn((images, images), |(i, j)| products[(i.max(j), i.min(j))]);
    Sums { single, products }
}

/// Means, norms and similarities of activations (images x units).
pub(crate) fn moments<T: Real>(activations: ArrayView2<'_, T>, layer: usize) -> Result<Moments, Error> {
    let (images, units) = activations.dim();
    for (what, needed, found) in [("images", 2, images), ("units of a layer", 2, units)] {
        if found < needed {
            return Err(Error::TooFew { what, needed, found });
        }
    }
    let pieces: Vec<Sums> =
        activations.axis_chunks_iter(Axis(1), PIECE).into_par_iter().map(piece_sums).collect();
    let mut single = vec![0.0; images];
    let mut products = Array2::<f64>::zeros((images, images));
    for piece in &pieces {
        single.iter_mut().zip(&piece.single).for_each(|(total, part)| *total += part);
        products += &piece.products;
    }
    let count = units as f64;
    let means: Vec<f64> = single.iter().map(|total| total / count).collect();
    let mut norms = Vec::with_capacity(images);
    for image in 0..images {
        let raw = products[[image, image]];
        let left = raw - count * means[image] * means[image];
        if !left.is_finite() {
            return Err(Error::Activation { layer, image });
        }
        if left <= T::NOTHING * raw {
            return Err(Error::ConstantImage { layer, image });
        }
        norms.push(left.sqrt());
    }
    let similarity = Array2::from_shape_fn((images, images), |(i, j)| {
        if i == j {
            return 1.0;
        }
        let left = products[[i, j]] - count * means[i] * means[j];
        (left / (norms[i] * norms[j])).clamp(-1.0, 1.0)
    });
    Ok(Moments { means, norms, similarity })
}

/// Replaces activations by the gradient with respect to them, given that with respect to the similarities (symmetric, zero
/// diagonal; each entry is the derivative with respect to the pair, not half of it).
///
/// With z = (a - mean)/norm it is (I - z zᵀ)(G Z)/norm; what it takes from each image's activations is a matrix of images x
/// images and a constant, so it is one product. A unit's gradient needs that unit only: no second array of this size.
pub(crate) fn pull_back<T: Real>(activations: &mut Array2<T>, moments: &Moments, gradient: &Array2<f64>) {
    let images = activations.nrows();
    let along: Vec<f64> = (0..images)
        .map(|i| (0..images).map(|j| gradient[[i, j]] * moments.similarity[[i, j]]).sum())
        .collect();
    let weight = |i: usize, j: usize| {
        let own = if i == j { along[i] } else { 0.0 };
        (gradient[[i, j]] - own) / (moments.norms[i] * moments.norms[j])
    };
    let constants: Vec<T> = (0..images)
        .map(|i| T::from_f64(-(0..images).map(|j| weight(i, j) * moments.means[j]).sum::<f64>()))
        .collect();
    let weights = Mat::<T>::from_fn(images, images, |i, j| T::from_f64(weight(i, j)));
    activations.axis_chunks_iter_mut(Axis(1), PIECE).into_par_iter().for_each(|mut piece| {
        let mut before = vec![T::default(); images * TILE];
        for mut tile in piece.axis_chunks_iter_mut(Axis(1), TILE) {
            let units = tile.ncols();
            let rows = tile.rows_mut().into_iter().zip(before.chunks_mut(units)).zip(&constants);
            for ((mut row, copy), &constant) in rows {
                row.iter_mut().zip(copy).for_each(|(value, slot)| *slot = std::mem::replace(value, constant));
            }
            let before = MatRef::from_row_major_slice(&before[..images * units], images, units);
            matmul(tile.into_faer(), Accum::Add, weights.as_ref(), before, T::one_impl(), Par::Seq);
        }
    });
}

/// Strict upper triangle, row by row.
pub(crate) fn triangle(matrix: &Array2<f64>) -> Vec<f64> {
    let size = matrix.nrows();
    (0..size).flat_map(|i| (i + 1..size).map(move |j| matrix[[i, j]])).collect()
}

/// The symmetric matrix with this triangle and zeros on the diagonal.
pub(crate) fn symmetric(triangle: ArrayView1<'_, f64>, size: usize) -> Array2<f64> {
    let mut matrix = Array2::zeros((size, size));
    let mut values = triangle.iter();
    for i in 0..size {
        for (j, &value) in (i + 1..size).zip(values.by_ref()) {
            matrix[[i, j]] = value;
            matrix[[j, i]] = value;
        }
    }
    matrix
}
