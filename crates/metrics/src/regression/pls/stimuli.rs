//! NIPALS of one split in the space of the stimuli, for more neuroids than these.
//!
//! With s = Y c and v = K s, both without what earlier scores explain, the power iteration c <- M c / norm of the other way is
//! s <- B v / norm with B = Y Yᵀ (m x m): M v' for c = Yᵀ v' is Yᵀ K B v', and (c - c_old)ᵀ M (c - c_old) is
//! (s - s_old)ᵀ (v - v_old). Nothing of q x q is formed.

use ndarray::{Array1, Array2, ArrayView2, concatenate, s};

use super::fit::{Fit, MAX_ITERATIONS, TOLERANCE};
use crate::regression::Prediction;
use crate::regression::kernel::{SplitKernel, centred_targets};
use crate::regression::products::{matrix_vector, product};
use crate::{Error, LayerGram, Split};

/// Neuroids whose variances are computed at a time; bounds the memory that takes.
const NEUROIDS_PER_PIECE: usize = 256;

struct Stimuli<'a> {
    fit: Fit<'a>,
    /// K of training and, below, test stimuli with training stimuli, (m + e) x m, centred.
    kernel: Array2<f64>,
    /// B, m x m.
    responses: Array2<f64>,
}

/// Y c and K Y c of a component, over the training stimuli, and the number of iterations.
struct Weights {
    left: Array1<f64>,
    iterations: usize,
}

/// Fits one split.
pub(super) fn predict<'a>(
    gram: &'a LayerGram,
    y: ArrayView2<'_, f64>,
    split: &'a Split,
    components: usize,
) -> Result<Prediction, Error> {
    let SplitKernel { train, test } = SplitKernel::new(gram, split);
    let (targets, target_means) = centred_targets(y, &split.train);
    let variances = variances(train.view(), targets.view());
    let kernel = match concatenate(ndarray::Axis(0), &[train.view(), test.view()]) {
        Ok(kernel) => kernel,
        Err(error) => unreachable!("both have a column per training stimulus: {error}"),
    };
    let mut fit = Fit::new(gram, split, targets, target_means, &variances, components);
    for column in 0..fit.norms.len() {
        if fit.is_constant(column) {
            fit.targets.column_mut(column).fill(0.0);
        }
    }
    let responses = product(fit.targets.view(), fit.targets.t());
    let mut state = Stimuli { fit, kernel, responses };
    for _ in 0..components {
        state.extract();
        if state.fit.exhausted {
            break;
        }
    }
    state.fit.prediction()
}

/// yᵀ K y of every column of Y.
fn variances(kernel: ArrayView2<'_, f64>, targets: ArrayView2<'_, f64>) -> Array1<f64> {
    let pieces = targets.axis_chunks_iter(ndarray::Axis(1), NEUROIDS_PER_PIECE);
    pieces
        .flat_map(|piece| {
            let products = product(kernel, piece);
            (&products * &piece).sum_axis(ndarray::Axis(0))
        })
        .collect()
}

impl Stimuli<'_> {
    /// Extracts a component and takes it out of what is left.
    fn extract(&mut self) {
        let Some(Weights { left, iterations }) = self.power_iteration() else {
            self.fit.exhausted = true;
            return;
        };
        let t = matrix_vector(self.kernel.view(), left.view());
        self.fit.add_score(t, left.view(), iterations);
        if self.fit.exhausted {
            return;
        }
        let (m, k) = (left.len(), self.fit.iterations.len() - 1);
        let t = self.fit.scores.slice(s![k, ..m]);
        let d = matrix_vector(self.fit.targets.t(), t) / self.fit.score_norms[k];
        for column in self.fit.add_loadings(d.view()) {
            let constant = self.fit.targets.column(column).to_owned();
            for (mut row, value) in self.responses.outer_iter_mut().zip(&constant) {
                row.scaled_add(-value, &constant);
            }
            self.fit.targets.column_mut(column).fill(0.0);
        }
    }

    /// As [`Nipals`](super::nipals::Nipals) does it.
    fn power_iteration(&self) -> Option<Weights> {
        let column = |column: usize| self.deflated(self.fit.targets.column(column).to_owned());
        let start = self.fit.start_column(|index| {
            let column = column(index);
            column.dot(&self.times_kernel(&column))
        })?;
        let mut left = column(start);
        let mut product = self.times_kernel(&left);
        let norm = left.dot(&product).sqrt();
        left /= norm;
        product /= norm;
        for iteration in 2..=MAX_ITERATIONS {
            let mut next = self.deflated(matrix_vector(self.responses.view(), product.view()));
            let mut next_product = self.times_kernel(&next);
            let square = next.dot(&next_product);
            if square.is_nan() || square <= 0.0 {
                return None;
            }
            let norm = square.sqrt();
            next /= norm;
            next_product /= norm;
            let change = (&next - &left).dot(&(&next_product - &product));
            (left, product) = (next, next_product);
            if change < TOLERANCE {
                return Some(Weights { left, iterations: iteration });
            }
        }
        Some(Weights { left, iterations: MAX_ITERATIONS })
    }

    /// K times a vector over the training stimuli, without what the scores explain.
    fn times_kernel(&self, vector: &Array1<f64>) -> Array1<f64> {
        let train = self.kernel.slice(s![..vector.len(), ..]);
        self.deflated(matrix_vector(train, vector.view()))
    }

    fn deflated(&self, mut vector: Array1<f64>) -> Array1<f64> {
        self.fit.remove_scores(&mut vector);
        vector
    }
}
