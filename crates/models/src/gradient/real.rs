//! The numbers that graphs are differentiated in.

use std::marker::PhantomData;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// `f32` in use, `f64` where gradients are checked.
pub trait Real: ndarray::NdFloat + faer::traits::RealField + Default {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;
    /// As `f64`, exactly.
    fn wide(self) -> f64;
}

impl Real for f32 {
    #[inline]
    fn of(value: f64) -> Self {
        value as Self
    }

    #[inline]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    #[inline]
    fn of(value: f64) -> Self {
        value
    }

    #[inline]
    fn wide(self) -> f64 {
        self
    }
}

/// A loop over elements; `run` must be inlined always.
pub(super) trait Kernel<A> {
    fn run(arguments: A);
}

/// Runs a kernel compiled for the widest vectors of this processor. Element by element nothing changes: no sum is reordered or fused.
pub(super) fn vectorised<K: Kernel<A>, A>(_kernel: K, arguments: A) {
    faer::traits::pulp::Arch::new().dispatch(Call::<K, A>(PhantomData, arguments));
}

struct Call<K, A>(PhantomData<K>, A);

impl<K: Kernel<A>, A> faer::traits::pulp::NullaryFnOnce for Call<K, A> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        K::run(self.1);
    }
}

/// One operand of [`product`]: rows x columns, row-major, or its transpose when `transposed`.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    pub columns: usize,
    pub transposed: bool,
}

impl<'a, T: Real> Factor<'a, T> {
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self { data, rows, columns, transposed: false }
    }

    pub fn transposed(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    pub fn view(self) -> MatRef<'a, T> {
        let stored = MatRef::from_row_major_slice(self.data, self.rows, self.columns);
        if self.transposed { stored.transpose() } else { stored }
    }
}

/// out (+)= alpha a b, on one thread: the same bytes always.
pub(super) fn product<T: Real>(out: MatMut<'_, T>, add: bool, a: MatRef<'_, T>, b: MatRef<'_, T>, alpha: T) {
    let accum = if add { Accum::Add } else { Accum::Replace };
    // Transposed, so that the result is contiguous along what the kernels vectorise.
    matmul(out.transpose_mut(), accum, b.transpose(), a.transpose(), alpha, Par::Seq);
}

/// The error function to 1e-15: its series near zero, a continued fraction of the complement beyond.
pub(super) fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size < 1.75 {
        let square = x * x;
        let (mut term, mut sum) = (x, x);
        for n in 1..80u32 {
            term *= -square / f64::from(n);
            let next = term / f64::from(2 * n + 1);
            sum += next;
            if next.abs() < 1e-18 * sum.abs() {
                break;
            }
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    if size > 6.0 {
        return x.signum();
    }
    let fraction = (1..60u32).rev().fold(size, |tail, n| size + f64::from(n) / 2.0 / tail);
    let complement = (-x * x).exp() / (fraction * std::f64::consts::PI.sqrt());
    x.signum() * (1.0 - complement)
}
