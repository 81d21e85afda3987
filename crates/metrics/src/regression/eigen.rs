//! Eigendecomposition of a symmetric matrix on one thread: with more, its last bits depend on how many.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use faer_ext::IntoFaer;
use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::products::product;
use super::rounding::{MAX_ROUNDING, check_rank};
use crate::{Error, LayerGram};

/// K = Q diag(values) Qᵀ of a Gram matrix K.
pub(crate) struct Eigen {
    /// Eigenvalues, ascending by what they were before those below the cutoff became zero.
    pub values: Array1<f64>,
    pub vectors: Array2<f64>,
    /// What rounding leaves of a zero eigenvalue: n times the error of an element, or n ε times the largest if that is more.
    pub cutoff: f64,
}

impl Eigen {
    /// `noise` is the error of an element of the matrix, 0 if it is exact up to 64-bit rounding.
    pub(crate) fn of_gram(matrix: ArrayView2<'_, f64>, noise: f64) -> Result<Self, Error> {
        let n = matrix.nrows();
        let mut values = faer::diag::Diag::<f64>::zeros(n);
        let mut vectors = Mat::<f64>::zeros(n, n);
        let params = Default::default();
        let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, params);
        let mut memory = MemBuffer::new(scratch);
        self_adjoint_evd(
            matrix.into_faer(),
            values.as_mut(),
            Some(vectors.as_mut()),
            Par::Seq,
            MemStack::new(&mut memory),
            params,
        )
        .map_err(|_| Error::Factorisation { what: "the eigendecomposition of the Gram matrix" })?;
        let mut values: Array1<f64> = (0..n).map(|i| values[i]).collect();
        let largest = values.fold(0.0_f64, |max, value| max.max(value.abs()));
        let cutoff = noise.max(largest * f64::EPSILON) * n as f64;
        values.mapv_inplace(|value| if value > cutoff { value } else { 0.0 });
        Ok(Self { values, vectors: Array2::from_shape_fn((n, n), |(i, j)| vectors[(i, j)]), cutoff })
    }

    /// Refuses a rank that rounding may have cut, unless the penalty `alpha` leaves nothing of what is below the cutoff anyway.
    pub(super) fn check_rank(&self, gram: &LayerGram, alpha: f64) -> Result<(), Error> {
        if self.cutoff <= alpha * MAX_ROUNDING {
            return Ok(());
        }
        let rank = self.values.iter().filter(|&&value| value > 0.0).count();
        check_rank(gram, rank, self.values.len().saturating_sub(1), self.cutoff)
    }

    /// Q diag(1 / (values + alpha)) `rotated`, where `rotated` = Qᵀ y, without the directions of eigenvalue zero.
    pub(crate) fn solve(&self, rotated: &Array2<f64>, alpha: f64) -> Array2<f64> {
        let weights = self.values.mapv(|value| match value {
            0.0 => 0.0,
            value => (value + alpha).recip(),
        });
        let weighted = rotated * &weights.insert_axis(Axis(1));
        product(self.vectors.view(), weighted.view())
    }

    /// Qᵀ y.
    pub(crate) fn rotate(&self, y: ArrayView2<'_, f64>) -> Array2<f64> {
        product(self.vectors.t(), y)
    }
}
