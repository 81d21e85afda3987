//! Representational dissimilarity matrices (spec §3, metric `rdm`).

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::correlation::{pearson, ranks_within};
use crate::{Error, LayerGram, Precision};

/// A stimulus whose variance over the features is below this share of its terms' magnitude is constant up to rounding.
fn constant_share(precision: Precision) -> f64 {
    match precision {
        Precision::F64 => 1e-12,
        Precision::F32 => 1e-6,
    }
}

/// Inner products of the features centred over the features of each stimulus (stimuli x stimuli), and the magnitude
/// of the terms each diagonal entry is a difference of.
///
/// With x = z + s, the products of s with itself and with z enter the same for all features, so they are joined
/// into per-stimulus offsets before anything is subtracted from the (small) shifted products.
fn row_centred(gram: &LayerGram) -> (Array2<f64>, Array1<f64>) {
    let p = gram.features as f64;
    let mean_shift = gram.shift_sum / p;
    let offset = &gram.shift_products - &(&gram.sums * mean_shift);
    let shift_variance = gram.shift_square - gram.shift_sum * mean_shift;
    let centred = Array2::from_shape_fn(gram.products.dim(), |(i, j)| {
        gram.products[[i, j]] - gram.sums[i] * gram.sums[j] / p + offset[i] + offset[j] + shift_variance
    });
    let magnitude = Array1::from_shape_fn(gram.sums.len(), |i| {
        let own = gram.products[[i, i]].abs() + gram.sums[i].powi(2) / p;
        let cross = gram.shift_products[i].abs() + (gram.sums[i] * mean_shift).abs();
        own + 2.0 * cross + gram.shift_square + gram.shift_sum * mean_shift
    });
    (centred, magnitude)
}

/// Dissimilarity 1 - Pearson r between the features of each pair of stimuli: strict upper triangle, row by row.
///
/// A stimulus whose features are all equal has no correlation: its pairs are NaN.
///
/// # Errors
/// [`Error::TooFew`] for fewer than two stimuli or two features.
pub fn rdm(gram: &LayerGram) -> Result<Array1<f64>, Error> {
    let n = gram.stimuli();
    if n < 2 {
        return Err(Error::TooFew { what: "stimuli of a dissimilarity matrix", needed: 2, found: n });
    }
    if gram.features < 2 {
        return Err(Error::TooFew {
            what: "features of a dissimilarity matrix",
            needed: 2,
            found: gram.features as usize,
        });
    }
    let (centred, magnitude) = row_centred(gram);
    let share = constant_share(gram.precision);
    let norms: Vec<f64> = (0..n)
        .map(|i| if centred[[i, i]] > share * magnitude[i] { centred[[i, i]].sqrt() } else { f64::NAN })
        .collect();
    let pair = |i: usize, j: usize| 1.0 - (centred[[i, j]] / (norms[i] * norms[j])).clamp(-1.0, 1.0);
    Ok((0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| pair(i, j)).collect())
}

/// The same from a features matrix (stimuli x features), by correlating its rows: for targets and small matrices.
#[must_use]
pub fn rdm_of(features: ArrayView2<'_, f64>) -> Array1<f64> {
    let n = features.nrows();
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    // Rows of one matrix have one length, so the correlation cannot fail.
    pairs.map(|(i, j)| pearson(features.row(i), features.row(j)).map_or(f64::NAN, |r| 1.0 - r)).collect()
}

/// Dissimilarities that differ by less than this share of the largest are equal: they come from sums in floating point, so what is equal
/// in theory (between patterns of zeros and ones, for instance) is not in practice, and its order would be that of rounding.
const TIE: f64 = 64.0 * f64::EPSILON;

/// Spearman correlation of two dissimilarity matrices given as upper triangles; NaN if one holds a NaN or is constant. Differences within
/// 64 roundings of the largest dissimilarity are ties, unlike in the reference, where their order is chance.
///
/// # Errors
/// [`Error::Mismatch`] if they have different numbers of pairs.
pub fn rdm_similarity(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> Result<f64, Error> {
    let ranks = |values: ArrayView1<'_, f64>| {
        let largest = values.iter().fold(0.0_f64, |max, value| max.max(value.abs()));
        ranks_within(values, if largest.is_finite() { TIE * largest } else { 0.0 })
    };
    pearson(ranks(a).view(), ranks(b).view())
}
