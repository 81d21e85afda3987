use super::Prediction;
use super::rounding::checked;
use super::solver::{Solver, Targets};
use crate::Error;

/// (K + alpha I)⁻¹ Y without the directions in which features do not vary; without a penalty these are least squares of least norm,
/// Y = K_test K⁺ Y_train with the Moore-Penrose inverse of the centred Gram matrix.
///
/// Directions whose eigenvalue is below the cutoff of [`Eigen`](super::Eigen) count as rank deficiency, unless a feature that varies may have
/// been lost among them. The reference cuts singular values of the features at ε times the largest: what lies between is refused.
pub(super) fn by_eigenvectors(
    solver: &Solver<'_>,
    targets: &Targets,
    alpha: f64,
) -> Result<Prediction, Error> {
    let eigen = solver.eigen()?;
    eigen.check_rank(solver.gram, alpha)?;
    let dual = eigen.solve(&eigen.rotate(targets.values.view()), alpha);
    checked(solver.gram, &dual, solver.kernel.apply(&dual, &targets.means))
}
