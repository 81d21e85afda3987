use ndarray::ArrayView2;

use super::eigen::Eigen;
use super::kernel::SplitKernel;
use super::rounding::checked;
use super::{Prediction, each_split};
use crate::{Error, LayerGram, Split};

/// Least squares of least norm: Y = K_test K⁺ Y_train with the Moore-Penrose inverse of the centred Gram matrix.
///
/// Directions whose eigenvalue is below the cutoff of [`Eigen`] count as rank deficiency, unless a feature that varies may have been
/// lost among them. The reference cuts singular values of the features at ε times the largest: what lies between is refused.
pub(super) fn predict(
    gram: &LayerGram,
    y: ArrayView2<'_, f64>,
    splits: &[Split],
) -> Result<Vec<Prediction>, Error> {
    each_split(splits, |split| by_eigenvectors(gram, &SplitKernel::new(gram, y, split), 0.0))
}

/// (K + alpha I)⁻¹ Y without the directions in which features do not vary.
pub(super) fn by_eigenvectors(
    gram: &LayerGram,
    kernel: &SplitKernel,
    alpha: f64,
) -> Result<Prediction, Error> {
    let eigen = Eigen::of_gram(kernel.train.view(), gram.noise)?;
    eigen.check_rank(gram, alpha)?;
    let dual = eigen.solve(&eigen.rotate(kernel.targets.view()), alpha);
    checked(gram, &dual, kernel.apply(&dual))
}
