//! Matrix products on one thread, so that the bytes depend on the shapes alone.

use faer::linalg::matmul::matmul;
use faer::{Accum, Par};
use faer_ext::IntoFaer;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};

/// `a b`
pub(crate) fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    product_into(c.view_mut(), a, b);
    c
}

/// `a x`
pub(crate) fn matrix_vector(a: ArrayView2<'_, f64>, x: ArrayView1<'_, f64>) -> Array1<f64> {
    let mut y = Array1::zeros(a.nrows());
    let column = y.view_mut().insert_axis(Axis(1));
    product_into(column, a, x.insert_axis(Axis(1)));
    y
}

/// `c = a b`
pub(crate) fn product_into(c: ArrayViewMut2<'_, f64>, a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) {
    matmul(c.into_faer(), Accum::Replace, a.into_faer(), b.into_faer(), 1.0, Par::Seq);
}

/// `c += factor a b`
pub(crate) fn add_product(
    c: ArrayViewMut2<'_, f64>,
    factor: f64,
    a: ArrayView2<'_, f64>,
    b: ArrayView2<'_, f64>,
) {
    matmul(c.into_faer(), Accum::Add, a.into_faer(), b.into_faer(), factor, Par::Seq);
}
