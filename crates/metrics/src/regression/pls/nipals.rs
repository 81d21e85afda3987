//! NIPALS of one split in the space of the neuroids.

use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, s};

use super::fit::{Fit, MAX_ITERATIONS, TOLERANCE};
use crate::regression::products::{matrix_vector, product};

/// The state of one split between components.
pub(super) struct Nipals<'a> {
    pub fit: Fit<'a>,
    /// K Y, (m + e) x q. Not deflated.
    products: Array2<f64>,
    /// M of the current component, q x q.
    covariance: Array2<f64>,
    /// K t, one row per component.
    score_products: Array2<f64>,
}

impl<'a> Nipals<'a> {
    pub(super) fn new(fit: Fit<'a>, products: Array2<f64>, covariance: Array2<f64>) -> Self {
        let score_products = Array2::zeros(fit.scores.raw_dim());
        let mut state = Self { fit, products, covariance, score_products };
        for column in 0..state.fit.norms.len() {
            if state.fit.is_constant(column) {
                state.forget(column);
            }
        }
        state
    }

    /// Extracts the weights of the next component and writes its score into `score`, zero outside of the training set.
    pub(super) fn next_score(&mut self, mut score: ArrayViewMut1<'_, f64>) {
        score.fill(0.0);
        if self.fit.exhausted {
            return;
        }
        let Some((weights, iterations)) = self.power_iteration() else {
            self.fit.exhausted = true;
            return;
        };
        let mut left = matrix_vector(self.fit.targets.view(), weights.view());
        self.fit.remove_scores(&mut left);
        let t = self.deflated_product(&weights);
        self.fit.add_score(t, left.view(), iterations);
        if self.fit.exhausted {
            return;
        }
        let t = self.fit.scores.row(self.fit.iterations.len() - 1);
        for (&row, &value) in self.fit.split.train.iter().zip(t) {
            score[row] = value;
        }
    }

    /// Takes the last component out of what is left; `score_product` is K t over all stimuli, not centred.
    pub(super) fn deflate(&mut self, score_product: ArrayView1<'_, f64>) {
        if self.fit.exhausted {
            return;
        }
        let m = self.fit.split.train.len();
        let k = self.fit.iterations.len() - 1;
        let rows = self.fit.split.train.iter().chain(&self.fit.split.test);
        let mut centred: Array1<f64> = rows.map(|&row| score_product[row]).collect();
        let mean = centred.slice(s![..m]).sum() / m as f64;
        centred -= mean;
        self.score_products.row_mut(k).assign(&centred);

        let t = self.fit.scores.slice(s![k, ..m]);
        let variance = t.dot(&centred.slice(s![..m]));
        self.fit.remove_scores(&mut centred);
        let mut both = Array2::zeros((2, m));
        both.row_mut(0).assign(&t);
        both.row_mut(1).assign(&centred.slice(s![..m]));
        let both = product(both.view(), self.fit.targets.view());
        let d = &both.row(0) / self.fit.score_norms[k];
        self.update_covariance(d.view(), both.row(1), variance);
        for column in self.fit.add_loadings(d.view()) {
            self.forget(column);
        }
    }

    /// c such that w = Xᵀ Y c has norm 1, by the reference's power iteration, and the number of iterations.
    fn power_iteration(&self) -> Option<(Array1<f64>, usize)> {
        let start = self.fit.start_column(|column| self.covariance[(column, column)])?;
        let norm = self.covariance[(start, start)].sqrt();
        let mut c = Array1::zeros(self.covariance.nrows());
        c[start] = norm.recip();
        let mut product = &self.covariance.row(start) / norm;
        // The reference compares its first weights with the number 100, which never stops it.
        if c.len() == 1 {
            return Some((c, 1));
        }
        for iteration in 2..=MAX_ITERATIONS {
            let mut next_product = matrix_vector(self.covariance.view(), product.view());
            let square = product.dot(&next_product);
            if square.is_nan() || square <= 0.0 {
                return None;
            }
            let norm = square.sqrt();
            next_product /= norm;
            let next = &product / norm;
            let change = (&next - &c).dot(&(&next_product - &product));
            (c, product) = (next, next_product);
            if change < TOLERANCE {
                return Some((c, iteration));
            }
        }
        Some((c, MAX_ITERATIONS))
    }

    /// K times the deflated Y times c, centred.
    fn deflated_product(&self, c: &Array1<f64>) -> Array1<f64> {
        let mut product = matrix_vector(self.products.view(), c.view());
        for k in 0..self.fit.iterations.len() {
            let share = self.fit.loadings.row(k).dot(c);
            product.scaled_add(-share, &self.score_products.row(k));
        }
        product
    }

    fn update_covariance(&mut self, d: ArrayView1<'_, f64>, z: ArrayView1<'_, f64>, variance: f64) {
        for ((mut row, &d_i), &z_i) in self.covariance.outer_iter_mut().zip(&d).zip(&z) {
            for ((x, &d_j), &z_j) in row.iter_mut().zip(&d).zip(&z) {
                *x -= (z_i * d_j + d_i * z_j) + variance * (d_i * d_j);
            }
        }
    }

    /// Takes a column out of Y.
    fn forget(&mut self, column: usize) {
        self.fit.targets.column_mut(column).fill(0.0);
        self.covariance.row_mut(column).fill(0.0);
        self.covariance.column_mut(column).fill(0.0);
    }
}
