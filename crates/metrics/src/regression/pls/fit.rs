//! What both ways of extracting components keep of one split: scores, loadings, and what is left of the responses.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use crate::regression::Prediction;
use crate::regression::products::product;
use crate::regression::rounding::{check, check_rank};
use crate::{Error, LayerGram, Split};

/// Power iterations after which the reference gives up on convergence.
pub(super) const MAX_ITERATIONS: usize = 500;
/// The reference's bound on the squared change of the weights.
pub(super) const TOLERANCE: f64 = 1e-6;
/// |w|² below this part of its first largest value is rounding: the features explain nothing of what is left.
const EXHAUSTED: f64 = 64.0 * f64::EPSILON;
/// Extraction ends before a feature is seen whose sum of squares, times |y|², is this many times what counts as exhausted: the part of
/// the responses that it explains is small.
const UNSEEN: f64 = 100.0;
/// A column whose squared norm has shrunk by this factor is looked at value by value.
const SHRUNK: f64 = 1e-8;

/// The state of one split. Vectors over stimuli have m training rows, then the test rows.
pub(super) struct Fit<'a> {
    pub gram: &'a LayerGram,
    pub split: &'a Split,
    /// Y, m x q. Not deflated.
    pub targets: Array2<f64>,
    target_means: Array1<f64>,
    /// Squared norm of the columns of the deflated Y, and what it was at first.
    pub norms: Array1<f64>,
    first_norms: Array1<f64>,
    exhausted_below: f64,
    /// t, one row per component.
    pub scores: Array2<f64>,
    /// |t|² over the training stimuli.
    pub score_norms: Vec<f64>,
    /// Error that rounding of K leaves in a value of t.
    errors: Vec<f64>,
    /// d, one row per component.
    pub loadings: Array2<f64>,
    pub iterations: Vec<usize>,
    pub exhausted: bool,
}

impl<'a> Fit<'a> {
    /// `variances` are the diagonal of Yᵀ K Y.
    pub(super) fn new(
        gram: &'a LayerGram,
        split: &'a Split,
        targets: Array2<f64>,
        target_means: Array1<f64>,
        variances: &Array1<f64>,
        components: usize,
    ) -> Self {
        let rows = split.train.len() + split.test.len();
        let norms = targets.map_axis(Axis(0), |column| column.dot(&column));
        let largest = variances.fold(0.0_f64, |max, &x| max.max(x));
        Self {
            gram,
            split,
            target_means,
            first_norms: norms.clone(),
            norms,
            exhausted_below: largest * EXHAUSTED,
            scores: Array2::zeros((components, rows)),
            score_norms: Vec::with_capacity(components),
            errors: Vec::with_capacity(components),
            loadings: Array2::zeros((components, targets.ncols())),
            iterations: Vec::with_capacity(components),
            exhausted: false,
            targets,
        }
    }

    /// The reference starts from the first column of what is left of Y that is not zero; `variance` is what K leaves of one.
    pub(super) fn start_column(&self, variance: impl Fn(usize) -> f64) -> Option<usize> {
        (0..self.norms.len()).find(|&column| {
            let norm = self.norms[column];
            norm > 0.0 && variance(column) > self.exhausted_below.max(norm * self.gram.noise)
        })
    }

    /// Makes a vector orthogonal to all scores over the training stimuli; it may lack the test rows.
    pub(super) fn remove_scores(&self, vector: &mut Array1<f64>) {
        let (m, rows) = (self.split.train.len(), vector.len());
        for (score, norm) in self.scores.outer_iter().zip(&self.score_norms) {
            let share = score.slice(s![..m]).dot(&vector.slice(s![..m])) / norm;
            vector.scaled_add(-share, &score.slice(s![..rows]));
        }
    }

    /// Takes the next score, K times `left` = Y c without what earlier scores explain of it.
    pub(super) fn add_score(&mut self, mut t: Array1<f64>, left: ArrayView1<'_, f64>, iterations: usize) {
        self.remove_scores(&mut t);
        // Once is not enough: the first pass leaves rounding errors of the size of what it removes.
        self.remove_scores(&mut t);
        let of_training = t.slice(s![..self.split.train.len()]);
        let norm = of_training.dot(&of_training);
        if !norm.is_finite() || norm <= 0.0 {
            self.exhausted = true;
            return;
        }
        self.scores.row_mut(self.iterations.len()).assign(&t);
        self.score_norms.push(norm);
        self.errors.push(self.gram.noise * left.dot(&left).sqrt());
        self.iterations.push(iterations);
    }

    /// Keeps the loadings Yᵀ t / |t|² of the last component and gives the columns of Y that became constant.
    pub(super) fn add_loadings(&mut self, d: ArrayView1<'_, f64>) -> Vec<usize> {
        let k = self.iterations.len() - 1;
        self.norms.zip_mut_with(&d, |norm, d| *norm -= self.score_norms[k] * d * d);
        self.loadings.row_mut(k).assign(&d);
        let shrunk = |&column: &usize| self.norms[column] < self.first_norms[column] * SHRUNK;
        let shrunk: Vec<usize> = (0..self.norms.len()).filter(shrunk).collect();
        shrunk.into_iter().filter(|&column| self.is_constant(column)).collect()
    }

    /// The reference sets a column of what is left of Y to zero when all its values are below 10 ε. Measures the norm of others.
    pub(super) fn is_constant(&mut self, column: usize) -> bool {
        if self.norms[column] == 0.0 {
            return false;
        }
        let mut left = self.targets.column(column).to_owned();
        let m = left.len();
        for k in 0..self.iterations.len() {
            left.scaled_add(-self.loadings[(k, column)], &self.scores.slice(s![k, ..m]));
        }
        let constant = left.iter().all(|x| x.abs() < 10.0 * f64::EPSILON);
        self.norms[column] = if constant { 0.0 } else { left.dot(&left) };
        constant
    }

    /// # Errors
    /// [`Error::Rounding`] if the Gram matrix is too coarse for it.
    pub(super) fn prediction(&self) -> Result<Prediction, Error> {
        let m = self.split.train.len();
        let found = self.iterations.len();
        if found < self.loadings.nrows() && self.norms.iter().any(|&norm| norm > 0.0) {
            let largest = self.first_norms.fold(0.0_f64, |max, &norm| max.max(norm));
            let unseen = self.exhausted_below / largest * UNSEEN;
            check_rank(self.gram, found, m - 1, unseen.max(self.gram.noise * m as f64))?;
        }
        let scores = self.scores.slice(s![.., m..]);
        let values = product(scores.t(), self.loadings.view()) + &self.target_means;
        let errors = self.loadings.axis_iter(Axis(1)).map(|loadings| {
            let errors = self.errors.iter().zip(loadings);
            errors.map(|(error, loading)| (error * loading).powi(2)).sum::<f64>().sqrt()
        });
        check(self.gram, errors.zip(values.axis_iter(Axis(1))))?;
        Ok(Prediction { values, alpha: None, iterations: self.iterations.clone() })
    }
}
