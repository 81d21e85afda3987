use faer::Par;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::solve::{solve_in_place, solve_in_place_scratch};
use faer_ext::IntoFaer;
use ndarray::Array2;

use super::Prediction;
use super::kernel::SplitKernel;
use super::linear::by_eigenvectors;
use super::rounding::checked;
use super::solver::{Solver, Targets};
use crate::Error;

/// Ridge with a fixed penalty in its dual form: (K + alpha I) C = Y, prediction K_test C (spec §1.4).
pub(super) fn predict(
    solver: &Solver<'_>,
    targets: &Targets,
    alpha: f64,
    factor: Option<&Array2<f64>>,
) -> Result<Prediction, Error> {
    let solved = factor.map(|factor| solve(factor, targets));
    match solved.map(|dual| checked(solver.gram, &dual, solver.kernel.apply(&dual, &targets.means))) {
        Some(Ok(prediction)) => Ok(prediction),
        _ => by_eigenvectors(solver, targets, alpha),
    }
}

/// The Cholesky factor of K + alpha I, unless the penalty is too small for it.
pub(super) fn factor(kernel: &SplitKernel, alpha: f64) -> Option<Array2<f64>> {
    let n = kernel.train.nrows();
    // A penalty below the rounding of the eigenvalues would not hold back the directions in which features do not vary.
    let rounding = kernel.train.diag().sum() * f64::EPSILON * n as f64;
    if alpha.is_nan() || alpha <= rounding {
        return None;
    }
    let mut factor = kernel.train.clone();
    factor.diag_mut().mapv_inplace(|x| x + alpha);
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut memory);
    let lower = factor.view_mut().into_faer();
    cholesky_in_place(lower, Default::default(), Par::Seq, stack, Default::default()).ok()?;
    Some(factor)
}

fn solve(factor: &Array2<f64>, targets: &Targets) -> Array2<f64> {
    let (n, q) = targets.values.dim();
    let mut memory = MemBuffer::new(solve_in_place_scratch::<f64>(n, q, Par::Seq));
    let mut dual = targets.values.clone();
    solve_in_place(
        factor.view().into_faer(),
        dual.view_mut().into_faer(),
        Par::Seq,
        MemStack::new(&mut memory),
    );
    dual
}
