//! Partial least squares by NIPALS, on the Gram matrix and in the space of the neuroids (spec §1.3), or of the stimuli if these are
//! fewer ([`stimuli`]).
//!
//! With centred training features X and responses Y (m x q), every weight vector of NIPALS is w = Xᵀ Y c for some c of
//! length q, so the power iteration of a component is c <- M c / norm with M = Yᵀ K Y (q x q), K = X Xᵀ, and its
//! stopping rule |w - w_old|² < 1e-6 is (c - c_old)ᵀ M (c - c_old) < 1e-6. Start column, rule and iteration counts are
//! those of the reference. The reference adds ε to its norms; that changes an iterate by ε / |w|, which matters only once
//! the features' residual is exhausted, where extraction stops here.
//!
//! X, Y and K are not deflated. With scores T so far, loadings D = Yᵀ T diag(τ)⁻¹ and τ = |t|²:
//!
//! - K Y_k c = K Y c - (K T) Dᵀ c, and its part orthogonal to T is the next score t;
//! - K t is one product for all splits together, in one pass over K; centring it is subtracting its training mean;
//! - M_k+1 = M_k - z dᵀ - d zᵀ - (tᵀ K t) d dᵀ with z = Yᵀ times the part of K t that is orthogonal to T and t.
//!
//! Test stimuli go through the same steps as extra rows that take no part in any inner product, which gives their scores
//! T_test = K_test V U⁻¹ without forming V or U; the prediction is T_test Dᵀ plus the training mean.

mod fit;
mod nipals;
mod setup;
mod stimuli;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use self::nipals::Nipals;
use super::products::product_into;
use super::{Prediction, at_least, each_split};
use crate::{Error, LayerGram, Split};

/// Splits that share a pass over the Gram matrix; bounds the memory that is in use at a time.
const SPLITS_PER_PASS: usize = 16;
/// Rows of the Gram matrix that one thread multiplies at a time.
const ROWS_PER_PIECE: usize = 128;

pub(super) fn predict(
    gram: &LayerGram,
    y: ArrayView2<'_, f64>,
    splits: &[Split],
    components: usize,
) -> Result<Vec<Prediction>, Error> {
    at_least("PLS components", 1, components)?;
    let features = usize::try_from(gram.features).unwrap_or(usize::MAX);
    at_least("features of the layer for this number of PLS components", components, features)?;
    for split in splits {
        // Centred features of m stimuli have rank m - 1.
        at_least("training stimuli for this number of PLS components", components + 1, split.train.len())?;
    }
    if y.ncols() > gram.stimuli() {
        return each_split(splits, |split| stimuli::predict(gram, y, split, components));
    }
    let full = setup::FullProducts::new(gram, y);
    let mut predictions = Vec::with_capacity(splits.len());
    for splits in splits.chunks(SPLITS_PER_PASS) {
        let mut fits: Vec<Nipals<'_>> = splits
            .par_iter()
            .with_max_len(1)
            .map(|split| setup::start(gram, &full, y, split, components))
            .collect();
        extract(gram, &mut fits, components);
        for state in &fits {
            predictions.push(state.fit.prediction()?);
        }
    }
    Ok(predictions)
}

/// Extracts all components of all splits, one component at a time.
fn extract(gram: &LayerGram, fits: &mut [Nipals<'_>], components: usize) {
    let n = gram.stimuli();
    // One row per split, zero at stimuli outside of its training set.
    let mut scores = Array2::<f64>::zeros((fits.len(), n));
    let mut products = Array2::<f64>::zeros((n, fits.len()));
    for _ in 0..components {
        fits.par_iter_mut()
            .zip(scores.axis_iter_mut(Axis(0)).into_par_iter())
            .with_max_len(1)
            .for_each(|(fit, score)| fit.next_score(score));
        products
            .axis_chunks_iter_mut(Axis(0), ROWS_PER_PIECE)
            .into_par_iter()
            .zip(gram.products.axis_chunks_iter(Axis(0), ROWS_PER_PIECE))
            .for_each(|(products, rows)| product_into(products, rows, scores.t()));
        fits.par_iter_mut()
            .zip(products.axis_iter(Axis(1)).into_par_iter())
            .with_max_len(1)
            .for_each(|(fit, product)| fit.deflate(product));
    }
}
