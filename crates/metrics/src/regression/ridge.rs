use faer::Par;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::solve::{solve_in_place, solve_in_place_scratch};
use faer_ext::IntoFaer;
use ndarray::{Array2, ArrayView2};

use super::kernel::SplitKernel;
use super::linear::by_eigenvectors;
use super::rounding::checked;
use super::{Prediction, each_split};
use crate::{Error, LayerGram, Split};

/// Ridge with a fixed penalty in its dual form: (K + alpha I) C = Y, prediction K_test C (spec §1.4).
pub(super) fn predict(
    gram: &LayerGram,
    y: ArrayView2<'_, f64>,
    splits: &[Split],
    alpha: f64,
) -> Result<Vec<Prediction>, Error> {
    super::check_alpha(alpha)?;
    each_split(splits, |split| predict_split(gram, &SplitKernel::new(gram, y, split), alpha))
}

fn predict_split(gram: &LayerGram, kernel: &SplitKernel, alpha: f64) -> Result<Prediction, Error> {
    // A penalty below the rounding of the eigenvalues would not hold back the directions in which features do not vary.
    let rounding = kernel.train.diag().sum() * f64::EPSILON * kernel.train.nrows() as f64;
    let solved = if alpha > rounding { solve(kernel, alpha).ok() } else { None };
    match solved.map(|dual| checked(gram, &dual, kernel.apply(&dual))) {
        Some(Ok(prediction)) => Ok(prediction),
        _ => by_eigenvectors(gram, kernel, alpha),
    }
}

/// (K + alpha I)⁻¹ Y by Cholesky.
fn solve(kernel: &SplitKernel, alpha: f64) -> Result<Array2<f64>, Error> {
    let (n, q) = kernel.targets.dim();
    let mut factor = kernel.train.clone();
    factor.diag_mut().mapv_inplace(|x| x + alpha);
    let mut memory =
        MemBuffer::new(
            cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default())
                .or(solve_in_place_scratch::<f64>(n, q, Par::Seq)),
        );
    let stack = MemStack::new(&mut memory);
    cholesky_in_place(factor.view_mut().into_faer(), Default::default(), Par::Seq, stack, Default::default())
        .map_err(|_| Error::Factorisation {
            what: "the Cholesky decomposition of the Gram matrix plus penalty",
        })?;
    let mut dual = kernel.targets.clone();
    solve_in_place(factor.view().into_faer(), dual.view_mut().into_faer(), Par::Seq, stack);
    Ok(dual)
}
