//! NIPALS with few predictors and very many targets: the reference's steps (spec §1.3), where the targets Y, the features, enter only
//! through K = Y Yᵀ and the column to start from.
//!
//! With weights w: t = X w, u ∝ Y Yᵀ t = K t, next w ∝ Xᵀ u. Deflation takes t out of X and of both sides of K. Scales of u do not
//! matter, since w is normalised; the reference adds ε to some norms, which changes nothing above rounding.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::centred;
use super::map::Map;
use crate::gram::Feature;
use crate::regression::matrix_vector;
use crate::{LayerGram, Split};

/// Power iterations after which the reference gives up on convergence.
const MAX_ITERATIONS: usize = 500;
/// The reference's bound on the squared change of the weights.
const TOLERANCE: f64 = 1e-6;
/// What is left of a target counts as zero below this; the reference's 10 ε.
const ZERO: f64 = 10.0 * f64::EPSILON;

/// One split before it has seen a feature.
pub(super) struct Start {
    /// Responses to the training and to the test stimuli, centred.
    train: Array2<f64>,
    test: Array2<f64>,
    /// K of the training stimuli, centred.
    products: Array2<f64>,
    components: usize,
}

/// First feature of a tile that varies over these stimuli, centred on them.
pub(super) fn first_varying<T: Feature>(tile: ArrayView2<'_, T>, train: &[usize]) -> Option<Array1<f64>> {
    (0..tile.ncols()).find_map(|feature| {
        let values: Array1<f64> = train.iter().map(|&row| tile[(row, feature)].into()).collect();
        let mean = values.sum() / values.len() as f64;
        let centred = values - mean;
        centred.iter().any(|v| v.abs() >= ZERO).then_some(centred)
    })
}

impl Start {
    pub(super) fn new(gram: &LayerGram, y: ArrayView2<'_, f64>, split: &Split, components: usize) -> Self {
        let (train, test) = centred(y, split);
        let rows = gram.products.select(Axis(0), &split.train);
        let mut products = rows.select(Axis(1), &split.train);
        let means = products.sum_axis(Axis(0)) / products.nrows() as f64;
        let mean = means.sum() / means.len() as f64;
        for (mut row, own) in products.outer_iter_mut().zip(means.clone()) {
            row.zip_mut_with(&means, |product, other| *product = (*product - own) - (other - mean));
        }
        Self { train, test, products, components }
    }

    /// Extracts all components; `feature` is the first one that varies, centred on the training stimuli.
    pub(super) fn extract(&mut self, mut feature: Array1<f64>) -> Map {
        let (m, e) = (self.train.nrows(), self.test.nrows());
        let (mut scores, mut test_scores) = (Vec::new(), Vec::new());
        let largest = self.products.diag().fold(0.0_f64, |max, &v| max.max(v));
        for _ in 0..self.components {
            if self.products.diag().fold(0.0_f64, |max, &v| max.max(v)) <= largest * f64::EPSILON {
                break;
            }
            let Some(w) = self.weights(feature.view()) else { break };
            let t = matrix_vector(self.train.view(), w.view());
            let norm = t.dot(&t);
            if !norm.is_finite() || norm <= 0.0 {
                break;
            }
            let p = self.train.t().dot(&t) / norm;
            let of_test = matrix_vector(self.test.view(), w.view());
            subtract(&mut self.train, t.view(), p.view());
            subtract(&mut self.test, of_test.view(), p.view());
            self.deflate(&t, norm);
            let share = feature.dot(&t) / norm;
            feature.scaled_add(-share, &t);
            scores.push(t / norm);
            test_scores.push(of_test);
        }
        let right = Array2::from_shape_fn((scores.len(), m), |(k, i)| scores[k][i]);
        let left = Array2::from_shape_fn((e, test_scores.len()), |(i, k)| test_scores[k][i]);
        Map { left, right }
    }

    /// Weights of norm 1 by the reference's power iteration; `None` once nothing is left to explain.
    fn weights(&self, feature: ArrayView1<'_, f64>) -> Option<Array1<f64>> {
        let mut u = feature.to_owned();
        let mut old: Option<Array1<f64>> = None;
        for _ in 0..MAX_ITERATIONS {
            let mut w = self.train.t().dot(&u);
            let norm = w.dot(&w).sqrt();
            if !norm.is_finite() || norm <= 0.0 {
                return None;
            }
            w /= norm;
            if let Some(old) = old {
                let change = &w - &old;
                if change.dot(&change) < TOLERANCE {
                    return Some(w);
                }
            }
            u = matrix_vector(self.products.view(), matrix_vector(self.train.view(), w.view()).view());
            old = Some(w);
        }
        old
    }

    /// K <- (I - t tᵀ / τ) K (I - t tᵀ / τ).
    fn deflate(&mut self, t: &Array1<f64>, norm: f64) {
        let product = matrix_vector(self.products.view(), t.view()) / norm;
        let variance = product.dot(t) / norm;
        for ((mut row, &t_i), &p_i) in self.products.outer_iter_mut().zip(t).zip(&product) {
            for ((k, &t_j), &p_j) in row.iter_mut().zip(t).zip(&product) {
                *k -= (p_i * t_j + t_i * p_j) - variance * (t_i * t_j);
            }
        }
    }
}

/// `x -= t pᵀ`
fn subtract(x: &mut Array2<f64>, t: ArrayView1<'_, f64>, p: ArrayView1<'_, f64>) {
    for (mut row, &t) in x.outer_iter_mut().zip(t) {
        row.scaled_add(-t, &p);
    }
}
