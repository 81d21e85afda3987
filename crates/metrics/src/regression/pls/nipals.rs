//! NIPALS of one split.

use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, Axis, s};

use crate::Split;
use crate::regression::Prediction;
use crate::regression::products::{matrix_vector, product};

/// Power iterations after which the reference gives up on convergence.
const MAX_ITERATIONS: usize = 500;
/// The reference's bound on the squared change of the weights.
const TOLERANCE: f64 = 1e-6;
/// |w|² below this part of its first largest value is rounding: the features explain nothing of what is left.
const EXHAUSTED: f64 = 64.0 * f64::EPSILON;
/// A column whose squared norm has shrunk by this factor is looked at value by value.
const SHRUNK: f64 = 1e-8;

/// The state of one split between components. Vectors over stimuli have m training rows, then the test rows.
pub(super) struct Nipals<'a> {
    split: &'a Split,
    /// Y, m x q. Not deflated.
    targets: Array2<f64>,
    target_means: Array1<f64>,
    /// K Y, (m + e) x q. Not deflated.
    products: Array2<f64>,
    /// M of the current component, q x q.
    covariance: Array2<f64>,
    exhausted_below: f64,
    /// Squared norm of the columns of the deflated Y, and what it was at first.
    norms: Array1<f64>,
    first_norms: Array1<f64>,
    /// t, one row per component.
    scores: Array2<f64>,
    /// K t, one row per component.
    score_products: Array2<f64>,
    /// |t|² over the training stimuli.
    score_norms: Vec<f64>,
    /// d, one row per component.
    loadings: Array2<f64>,
    iterations: Vec<usize>,
    exhausted: bool,
}

impl<'a> Nipals<'a> {
    pub(super) fn new(
        split: &'a Split,
        targets: Array2<f64>,
        target_means: Array1<f64>,
        products: Array2<f64>,
        covariance: Array2<f64>,
        components: usize,
    ) -> Self {
        let rows = products.nrows();
        let norms = targets.map_axis(Axis(0), |column| column.dot(&column));
        let largest = covariance.diag().iter().fold(0.0_f64, |max, &x| max.max(x));
        let mut state = Self {
            split,
            target_means,
            exhausted_below: largest * EXHAUSTED,
            first_norms: norms.clone(),
            norms,
            scores: Array2::zeros((components, rows)),
            score_products: Array2::zeros((components, rows)),
            score_norms: Vec::with_capacity(components),
            loadings: Array2::zeros((components, targets.ncols())),
            iterations: Vec::with_capacity(components),
            exhausted: false,
            targets,
            products,
            covariance,
        };
        for column in 0..state.norms.len() {
            state.zero_if_constant(column);
        }
        state
    }

    /// Extracts the weights of the next component and writes its score into `score`, zero outside of the training set.
    pub(super) fn next_score(&mut self, mut score: ArrayViewMut1<'_, f64>) {
        score.fill(0.0);
        if self.exhausted {
            return;
        }
        let Some((weights, iterations)) = self.power_iteration() else {
            self.exhausted = true;
            return;
        };
        let k = self.iterations.len();
        let mut t = self.deflated_product(&weights);
        self.remove_scores(&mut t);
        // Once is not enough: the first pass leaves rounding errors of the size of what it removes.
        self.remove_scores(&mut t);
        let of_training = t.slice(s![..self.split.train.len()]);
        let norm = of_training.dot(&of_training);
        if !norm.is_finite() || norm <= 0.0 {
            self.exhausted = true;
            return;
        }
        for (&row, &value) in self.split.train.iter().zip(of_training) {
            score[row] = value;
        }
        self.scores.row_mut(k).assign(&t);
        self.score_norms.push(norm);
        self.iterations.push(iterations);
    }

    /// Takes the last component out of what is left; `score_product` is K t over all stimuli, not centred.
    pub(super) fn deflate(&mut self, score_product: ArrayView1<'_, f64>) {
        if self.exhausted {
            return;
        }
        let m = self.split.train.len();
        let k = self.iterations.len() - 1;
        let rows = self.split.train.iter().chain(&self.split.test);
        let mut centred: Array1<f64> = rows.map(|&row| score_product[row]).collect();
        let mean = centred.slice(s![..m]).sum() / m as f64;
        centred -= mean;
        self.score_products.row_mut(k).assign(&centred);

        let t = self.scores.slice(s![k, ..m]);
        let variance = t.dot(&centred.slice(s![..m]));
        self.remove_scores(&mut centred);
        let mut both = Array2::zeros((2, m));
        both.row_mut(0).assign(&t);
        both.row_mut(1).assign(&centred.slice(s![..m]));
        let both = product(both.view(), self.targets.view());
        let d = &both.row(0) / self.score_norms[k];
        self.update_covariance(d.view(), both.row(1), variance);
        self.norms.zip_mut_with(&d, |norm, d| *norm -= self.score_norms[k] * d * d);
        self.loadings.row_mut(k).assign(&d);
        for column in 0..self.norms.len() {
            if self.norms[column] < self.first_norms[column] * SHRUNK {
                self.zero_if_constant(column);
            }
        }
    }

    pub(super) fn prediction(&self) -> Prediction {
        let m = self.split.train.len();
        let scores = self.scores.slice(s![.., m..]);
        Prediction {
            values: product(scores.t(), self.loadings.view()) + &self.target_means,
            alpha: None,
            iterations: self.iterations.clone(),
        }
    }

    /// c such that w = Xᵀ Y c has norm 1, by the reference's power iteration, and the number of iterations.
    fn power_iteration(&self) -> Option<(Array1<f64>, usize)> {
        let start = self.start_column()?;
        let norm = self.covariance[(start, start)].sqrt();
        let mut c = Array1::zeros(self.norms.len());
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

    /// The reference starts from the first column of what is left of Y that is not zero.
    fn start_column(&self) -> Option<usize> {
        (0..self.norms.len()).find(|&column| {
            self.norms[column] > 0.0 && self.covariance[(column, column)] > self.exhausted_below
        })
    }

    /// K times the deflated Y times c, centred.
    fn deflated_product(&self, c: &Array1<f64>) -> Array1<f64> {
        let mut product = matrix_vector(self.products.view(), c.view());
        for k in 0..self.iterations.len() {
            let share = self.loadings.row(k).dot(c);
            product.scaled_add(-share, &self.score_products.row(k));
        }
        product
    }

    /// Makes a vector orthogonal to all scores over the training stimuli.
    fn remove_scores(&self, vector: &mut Array1<f64>) {
        let m = self.split.train.len();
        for (score, norm) in self.scores.outer_iter().zip(&self.score_norms) {
            let share = score.slice(s![..m]).dot(&vector.slice(s![..m])) / norm;
            vector.scaled_add(-share, &score);
        }
    }

    fn update_covariance(&mut self, d: ArrayView1<'_, f64>, z: ArrayView1<'_, f64>, variance: f64) {
        for ((mut row, &d_i), &z_i) in self.covariance.outer_iter_mut().zip(&d).zip(&z) {
            for ((x, &d_j), &z_j) in row.iter_mut().zip(&d).zip(&z) {
                *x -= (z_i * d_j + d_i * z_j) + variance * (d_i * d_j);
            }
        }
    }

    /// The reference sets a column of what is left of Y to zero when all its values are below 10 ε.
    fn zero_if_constant(&mut self, column: usize) {
        if self.norms[column] == 0.0 {
            return;
        }
        let mut left = self.targets.column(column).to_owned();
        let m = left.len();
        for k in 0..self.iterations.len() {
            left.scaled_add(-self.loadings[(k, column)], &self.scores.slice(s![k, ..m]));
        }
        if left.iter().any(|x| x.abs() >= 10.0 * f64::EPSILON) {
            self.norms[column] = left.dot(&left);
            return;
        }
        self.norms[column] = 0.0;
        self.targets.column_mut(column).fill(0.0);
        self.covariance.row_mut(column).fill(0.0);
        self.covariance.column_mut(column).fill(0.0);
    }
}
