use ndarray::{Array2, ArrayView2, Axis};

use super::{centred, inner};
use crate::regression::{Eigen, product};
use crate::{Error, Split};

/// From the centred values of a feature over the training stimuli to its prediction for the test stimuli, minus its mean.
pub(super) struct Map {
    /// L, test stimuli x r.
    pub left: Array2<f64>,
    /// R, r x training stimuli.
    pub right: Array2<f64>,
}

impl Map {
    /// Ridge with this penalty; with 0 least squares of least norm. With XᵀX = V diag(λ) Vᵀ, L = X_test V and
    /// R = diag(1 / (λ + alpha)) Vᵀ Xᵀ.
    pub(super) fn ridge(y: ArrayView2<'_, f64>, split: &Split, alpha: f64) -> Result<Self, Error> {
        let (train, test) = centred(y, split);
        let Eigen { values, vectors, .. } = Eigen::of_gram(inner(&train, train.view()).view(), 0.0)?;
        let weights = values.mapv(|value| if value == 0.0 { 0.0 } else { (value + alpha).recip() });
        let right = product(vectors.t(), train.t()) * &weights.insert_axis(Axis(1));
        Ok(Self { left: product(test.view(), vectors.view()), right })
    }

    pub(super) fn apply(&self, features: ArrayView2<'_, f64>) -> Array2<f64> {
        product(self.left.view(), product(self.right.view(), features).view())
    }
}
