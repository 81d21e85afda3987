use ndarray::ArrayView2;
use rayon::prelude::*;

use super::Prediction;
use super::eigen::Eigen;
use super::kernel::SplitKernel;
use super::products::product;
use crate::{Error, LayerGram, Split};

/// Least squares of least norm: Y = K_test K⁺ Y_train with the Moore-Penrose inverse of the centred Gram matrix.
///
/// Directions whose eigenvalue is below m ε times the largest (m training stimuli) count as rank deficiency. The reference
/// cuts singular values of the features at ε times the largest, so the two differ for features whose singular values span
/// more than about 10⁶; below that the error is ε times the square of that span.
pub(super) fn predict(
    gram: &LayerGram,
    y: ArrayView2<'_, f64>,
    splits: &[Split],
) -> Result<Vec<Prediction>, Error> {
    splits.par_iter().with_max_len(1).map(|split| predict_split(&SplitKernel::new(gram, y, split))).collect()
}

fn predict_split(kernel: &SplitKernel) -> Result<Prediction, Error> {
    let eigen = Eigen::of_gram(kernel.train.view())?;
    let dual = eigen.solve(&eigen.rotate(kernel.targets.view()), 0.0);
    Ok(Prediction {
        values: product(kernel.test.view(), dual.view()) + &kernel.target_means,
        alpha: None,
        iterations: Vec::new(),
    })
}
