//! Multinomial logistic regression from inner products alone (spec §4.1), to its exact optimum.
//!
//! The objective is that of the reference, (1/n) Σ -log softmax(W x + b)[y] + |W|² / (2 C n), the intercept b without penalty.
//! At every step W is a combination of the fitted features, W = Aᵀ X, so the scores are K A + 1 bᵀ with K = X Xᵀ. Newton's
//! method with conjugate gradients is run in the geometry of W (A under the inner product of K): the steps are those that
//! a solver in feature space takes, at n² instead of n p operations per product.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};
use rayon::prelude::*;

use crate::regression::product;
use crate::{Error, LayerGram};

/// C of the reference (spec §4.1).
pub const LOGISTIC_C: f64 = 1e-3;
/// Gradient norm, relative to the first, at which the optimum is reached.
const TOLERANCE: f64 = 1e-10;
/// Newton steps after which something is wrong: the objective is strictly convex in W.
const MAX_NEWTON: usize = 100;
const MAX_CONJUGATE: usize = 500;
const MAX_BACKTRACKS: usize = 60;
/// Share of the decrease a linear model promises that a step must bring (Armijo).
const SUFFICIENT: f64 = 1e-4;
/// Decrease, relative to the objective, below which it is lost in rounding.
const FLAT: f64 = 1e-11;
/// Rows that one thread takes at a time; the bytes do not depend on the number of threads.
const ROWS_PER_PIECE: usize = 256;

/// What a fit gives.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticFit {
    /// Probability of each class for every test row; rows sum to 1.
    pub probabilities: Array2<f64>,
    /// The minimum of the objective.
    pub objective: f64,
    /// Norm of the gradient of W and b at the end: the distance of W from the optimum is at most C n times this.
    pub gradient_norm: f64,
    /// Newton steps.
    pub steps: usize,
    /// Products with K, each n² x classes.
    pub products: usize,
}

/// Fits classes on the rows `fit` of a Gram matrix and gives the probabilities of the rows `test`.
///
/// `labels` are those of the rows of `fit`, from 0; `classes` may exceed the labels that occur.
///
/// # Errors
/// [`Error::OutOfRange`] for rows or labels that do not exist, [`Error::TooFew`] without rows or with a single class, [`Error::Parameter`]
/// for a penalty that is not positive, [`Error::Factorisation`] if the optimum is not reached (features that are not finite).
pub fn logistic_probabilities(
    gram: &LayerGram,
    fit: &[usize],
    labels: &[usize],
    test: &[usize],
    classes: usize,
    c: f64,
) -> Result<LogisticFit, Error> {
    check(gram, fit, labels, test, classes, c)?;
    let n = fit.len();
    let kernel = selected(gram, fit, fit);
    let mut problem = Problem { kernel, labels, penalty: 1.0 / (c * n as f64), products: 0 };
    let mut point = Point::zeros(n, classes);
    let (steps, objective, gradient_norm) = problem.minimise(&mut point)?;
    let mut scores = Array2::zeros((test.len(), classes));
    multiply(selected(gram, test, fit).view(), point.a.view(), &mut scores);
    scores += &point.b;
    for row in scores.rows_mut() {
        softmax(row);
    }
    Ok(LogisticFit { probabilities: scores, objective, gradient_norm, steps, products: problem.products })
}

fn check(
    gram: &LayerGram,
    fit: &[usize],
    labels: &[usize],
    test: &[usize],
    classes: usize,
    c: f64,
) -> Result<(), Error> {
    let few = |what, needed, found| {
        if found < needed { Err(Error::TooFew { what, needed, found }) } else { Ok(()) }
    };
    few("rows to fit on", 1, fit.len())?;
    few("rows to predict", 1, test.len())?;
    few("classes", 2, classes)?;
    if fit.len() != labels.len() {
        return Err(Error::Mismatch {
            what: "labels of the rows to fit on",
            expected: fit.len(),
            found: labels.len(),
        });
    }
    let below = |what, indices: &[usize], len| match indices.iter().find(|&&i| i >= len) {
        Some(&index) => Err(Error::OutOfRange { what, index, len }),
        None => Ok(()),
    };
    below("row to fit on", fit, gram.stimuli())?;
    below("row to predict", test, gram.stimuli())?;
    below("label", labels, classes)?;
    if !(c > 0.0 && c.is_finite()) {
        let allowed = "must be a finite number above 0";
        return Err(Error::Parameter { name: "c", value: c.to_string(), allowed });
    }
    Ok(())
}

fn selected(gram: &LayerGram, rows: &[usize], columns: &[usize]) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), columns.len()), |(i, j)| gram.products[(rows[i], columns[j])])
}

/// `c = a b`, rows in pieces of fixed size over the threads.
fn multiply(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, c: &mut Array2<f64>) {
    c.axis_chunks_iter_mut(Axis(0), ROWS_PER_PIECE)
        .into_par_iter()
        .zip(a.axis_chunks_iter(Axis(0), ROWS_PER_PIECE))
        .for_each(|(mut c, a)| c.assign(&product(a, b)));
}

fn softmax(mut row: ndarray::ArrayViewMut1<'_, f64>) {
    let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    row.mapv_inplace(|x| (x - largest).exp());
    let sum = row.sum();
    row.mapv_inplace(|x| x / sum);
}

/// W as its coefficients `a`, their image `ka` = K a, and the intercept.
#[derive(Clone)]
struct Point {
    a: Array2<f64>,
    ka: Array2<f64>,
    b: Array1<f64>,
}

impl Point {
    fn zeros(n: usize, classes: usize) -> Self {
        Self { a: Array2::zeros((n, classes)), ka: Array2::zeros((n, classes)), b: Array1::zeros(classes) }
    }

    /// The inner product of W and b.
    fn dot(&self, other: &Self) -> f64 {
        let of_w: f64 = self.a.iter().zip(&other.ka).map(|(x, y)| x * y).sum();
        of_w + self.b.dot(&other.b)
    }

    fn add(&mut self, factor: f64, other: &Self) {
        self.a.scaled_add(factor, &other.a);
        self.ka.scaled_add(factor, &other.ka);
        self.b.scaled_add(factor, &other.b);
    }

    fn scale(&mut self, factor: f64) {
        self.a *= factor;
        self.ka *= factor;
        self.b *= factor;
    }

    /// Scores of the fitted rows.
    fn scores(&self) -> Array2<f64> {
        &self.ka + &self.b
    }
}

struct Problem<'a> {
    kernel: Array2<f64>,
    labels: &'a [usize],
    penalty: f64,
    products: usize,
}

impl Problem<'_> {
    fn minimise(&mut self, point: &mut Point) -> Result<(usize, f64, f64), Error> {
        let unreached =
            Error::Factorisation { what: "the search for the optimum of the logistic regression" };
        let mut first = None;
        let mut last = f64::INFINITY;
        for step in 0..MAX_NEWTON {
            let mut probabilities = point.scores();
            let loss = self.loss(&mut probabilities);
            let objective = loss + 0.5 * self.penalty * self.square(point);
            let gradient = self.gradient(point, &probabilities);
            let norm = gradient.dot(&gradient).max(0.0).sqrt();
            let scale = *first.get_or_insert(norm);
            if !(norm.is_finite() && objective.is_finite()) {
                return Err(unreached);
            }
            if norm <= TOLERANCE * scale.max(f64::MIN_POSITIVE) {
                return Ok((step, objective, norm));
            }
            let direction = self.direction(&gradient, &probabilities, norm / scale);
            let slope = gradient.dot(&direction);
            if slope.abs() < FLAT * objective.abs() {
                // So near the optimum the objective differs by rounding alone: only the gradient still tells.
                if norm > 0.5 * last {
                    return if norm <= TOLERANCE.sqrt() * scale {
                        Ok((step, objective, norm))
                    } else {
                        Err(unreached)
                    };
                }
                last = norm;
                point.add(1.0, &direction);
            } else if !self.step(point, &direction, objective, slope) {
                return Err(unreached);
            }
        }
        Err(unreached)
    }

    fn square(&self, point: &Point) -> f64 {
        point.a.iter().zip(&point.ka).map(|(x, y)| x * y).sum()
    }

    /// Mean negative log-likelihood of the labels; turns scores into probabilities.
    fn loss(&self, scores: &mut Array2<f64>) -> f64 {
        let mut sum = 0.0;
        for (mut row, &label) in scores.rows_mut().into_iter().zip(self.labels) {
            let score = row[label];
            let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            row.mapv_inplace(|x| (x - largest).exp());
            let total = row.sum();
            row.mapv_inplace(|x| x / total);
            sum += total.ln() + largest - score;
        }
        sum / self.labels.len() as f64
    }

    /// Gradient by W, as coefficients, and by b.
    fn gradient(&mut self, point: &Point, probabilities: &Array2<f64>) -> Point {
        let n = self.labels.len() as f64;
        let mut residual = probabilities / n;
        for (mut row, &label) in residual.rows_mut().into_iter().zip(self.labels) {
            row[label] -= 1.0 / n;
        }
        let b = residual.sum_axis(Axis(0));
        residual.scaled_add(self.penalty, &point.a);
        self.with_image(residual, b)
    }

    fn with_image(&mut self, a: Array2<f64>, b: Array1<f64>) -> Point {
        let mut ka = Array2::zeros(a.dim());
        multiply(self.kernel.view(), a.view(), &mut ka);
        self.products += 1;
        Point { a, ka, b }
    }

    /// Approximate Newton direction: conjugate gradients on the Hessian, the more exact the nearer the optimum.
    fn direction(&mut self, gradient: &Point, probabilities: &Array2<f64>, progress: f64) -> Point {
        let (n, classes) = gradient.a.dim();
        let mut solution = Point::zeros(n, classes);
        let mut residual = gradient.clone();
        residual.scale(-1.0);
        let mut search = residual.clone();
        let mut square = residual.dot(&residual);
        let target = square * progress.sqrt().min(0.1).powi(2);
        for _ in 0..MAX_CONJUGATE {
            if square <= target {
                break;
            }
            let (curved, curvature_b) = self.curve(&search, probabilities);
            let curvature = {
                let of_w: f64 = search.ka.iter().zip(&curved).map(|(x, y)| x * y).sum();
                of_w + search.b.dot(&curvature_b)
            };
            if curvature.is_nan() || curvature <= 0.0 {
                break;
            }
            let length = square / curvature;
            solution.add(length, &search);
            residual.a.scaled_add(-length, &curved);
            residual.b.scaled_add(-length, &curvature_b);
            residual = self.with_image(residual.a, residual.b);
            let next = residual.dot(&residual);
            search.scale(next / square);
            search.add(1.0, &residual);
            square = next;
        }
        solution
    }

    /// The Hessian times a direction: coefficients and intercept.
    fn curve(&self, v: &Point, probabilities: &Array2<f64>) -> (Array2<f64>, Array1<f64>) {
        let n = self.labels.len() as f64;
        let mut curved = v.scores();
        Zip::from(curved.rows_mut()).and(probabilities.rows()).for_each(|mut row, p| {
            let mean = row.dot(&p);
            row.zip_mut_with(&p, |x, &p| *x = p * (*x - mean) / n);
        });
        let b = curved.sum_axis(Axis(0));
        curved.scaled_add(self.penalty, &v.a);
        (curved, b)
    }

    /// Goes along the direction as far as the objective falls enough; false if it does not fall at all.
    fn step(&self, point: &mut Point, direction: &Point, objective: f64, slope: f64) -> bool {
        let mut length = 1.0;
        for _ in 0..MAX_BACKTRACKS {
            let mut candidate = point.clone();
            candidate.add(length, direction);
            let mut scores = candidate.scores();
            let value = self.loss(&mut scores) + 0.5 * self.penalty * self.square(&candidate);
            if value < objective && value <= objective + SUFFICIENT * length * slope {
                *point = candidate;
                return true;
            }
            length *= 0.5;
        }
        false
    }
}
