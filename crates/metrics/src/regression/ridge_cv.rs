use ndarray::{Array1, Array2, Axis};

use super::Prediction;
use super::eigen::Eigen;
use super::kernel::SplitKernel;
use super::products::product;
use super::rounding::checked;
use super::solver::{Solver, Targets};
use crate::Error;

/// Most penalties one search may try.
const MAX_ALPHAS: usize = 10_000;

/// The 99 penalties from which the reference chooses, in its order (spec §1.4).
pub fn ridge_alphas() -> Vec<f64> {
    let stretch = |start: f64, step: f64, count: usize| (0..count).map(move |i| start + i as f64 * step);
    [0.01, 0.1, 0.5, 1.0]
        .into_iter()
        .chain(stretch(10.0, 22.5, 4))
        .chain(stretch(1e2, 50.0, 18))
        .chain(stretch(1e3, 500.0, 18))
        .chain(stretch(1e4, 5e3, 18))
        .chain(stretch(1e5, 5e4, 18))
        .chain(stretch(1e6, 5e5, 19))
        .collect()
}

/// Penalties that can be searched: a few, each above zero.
pub(super) fn check(alphas: &[f64]) -> Result<(), Error> {
    super::at_least("penalties to choose from", 1, alphas.len())?;
    if alphas.len() > MAX_ALPHAS {
        return Err(Error::TooMany {
            what: "penalties to choose from",
            limit: MAX_ALPHAS,
            found: alphas.len(),
        });
    }
    alphas.iter().try_for_each(|&alpha| super::check_alpha(alpha))
}

/// Ridge with the penalty of least leave-one-out error, one for all neuroids (spec §1.4).
pub(super) fn predict(
    solver: &Solver<'_>,
    targets: &Targets,
    alphas: &[f64],
    search: &Search,
) -> Result<Prediction, Error> {
    let rotated = search.eigen.rotate(targets.values.view());
    let mut best = (f64::NAN, alphas[0]);
    for &alpha in alphas {
        let error = search.error(&rotated, alpha);
        if best.0.is_nan() || error < best.0 {
            best = (error, alpha);
        }
    }
    let (_, alpha) = best;
    search.eigen.check_rank(solver.gram, alpha)?;
    let dual = search.eigen.solve(&rotated, alpha);
    let prediction = checked(solver.gram, &dual, solver.kernel.apply(&dual, &targets.means))?;
    Ok(Prediction { alpha: Some(alpha), ..prediction })
}

/// One eigendecomposition K = Q diag(l) Qᵀ that serves every penalty and all targets.
pub(super) struct Search {
    eigen: Eigen,
    /// Q², element by element.
    squares: Array2<f64>,
    /// Qᵀ 1.
    rotated_ones: Array1<f64>,
}

impl Search {
    pub fn new(kernel: &SplitKernel, noise: f64) -> Result<Self, Error> {
        let eigen = Eigen::of_gram(kernel.train.view(), noise)?;
        Ok(Self {
            squares: eigen.vectors.mapv(|x| x * x),
            rotated_ones: eigen.vectors.sum_axis(Axis(0)),
            eigen,
        })
    }

    /// Mean squared leave-one-out error over all stimuli and neuroids; `rotated` is Qᵀ Y.
    ///
    /// With G = K + alpha I, the error of stimulus i is (G⁻¹ Y)_i / d_i. d is the diagonal of G⁻¹ without the direction that the intercept
    /// takes: d_i = (G⁻¹)_ii - (G⁻¹ 1)_i / m.
    fn error(&self, rotated: &Array2<f64>, alpha: f64) -> f64 {
        // The one direction without variance is that of the intercept; what rounding leaves there would be divided by alpha alone.
        let intercept = self.eigen.values.iter().filter(|&&value| value == 0.0).count() == 1;
        let weights = self.eigen.values.mapv(|value| match value {
            0.0 if intercept => 0.0,
            value => (value + alpha).recip(),
        });
        let weighted = rotated * &weights.view().insert_axis(Axis(1));
        let dual = product(self.eigen.vectors.view(), weighted.view());
        let ones = (&weights * &self.rotated_ones).insert_axis(Axis(1));
        let ones = product(self.eigen.vectors.view(), ones.view());
        let diagonal = product(self.squares.view(), weights.view().insert_axis(Axis(1)));
        let m = dual.nrows() as f64;
        let mut sum = 0.0;
        for ((row, &diagonal), &one) in dual.outer_iter().zip(&diagonal).zip(&ones) {
            let diagonal = diagonal - one / m;
            sum += row.iter().map(|c| (c / diagonal).powi(2)).sum::<f64>();
        }
        sum / dual.len() as f64
    }
}
