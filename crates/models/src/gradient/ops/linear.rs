//! Products of matrices.

use faer::MatMut;

use crate::gradient::program::{Kept, Memory, Op, Saved};
use crate::gradient::real::{Factor, Real, product};

/// y = alpha a b for each matrix of a batch; either side may be a constant, and be stored transposed.
pub(in crate::gradient) struct MatMul<T> {
    /// Rows of a, inner length, columns of b.
    pub size: [usize; 3],
    pub transposed: [bool; 2],
    pub alpha: T,
    /// For each matrix of the output, which of a and which of b it is made of.
    pub batch: Vec<[usize; 2]>,
}

impl<T: Real> MatMul<T> {
    fn factor<'a>(&self, side: usize, index: usize, data: &'a [T]) -> Factor<'a, T> {
        let [m, k, n] = self.size;
        let (rows, columns) = if side == 0 { (m, k) } else { (k, n) };
        let data = &data[index * rows * columns..][..rows * columns];
        if self.transposed[side] {
            Factor::new(data, columns, rows).transposed()
        } else {
            Factor::new(data, rows, columns)
        }
    }
}

impl<T: Real> Op<T> for MatMul<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], _memory: &Memory<T>) -> Saved<T> {
        let [m, _, n] = self.size;
        for (output, &[a, b]) in output.chunks_exact_mut((m * n).max(1)).zip(&self.batch) {
            let (a, b) = (self.factor(0, a, inputs[0]), self.factor(1, b, inputs[1]));
            product(MatMut::from_row_major_slice_mut(output, m, n), false, a.view(), b.view(), self.alpha);
        }
        Saved::default()
    }

    fn backward(&self, wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let [m, k, n] = self.size;
        for (adjoint, indices) in adjoint.chunks_exact((m * n).max(1)).zip(&self.batch) {
            let adjoint = Factor::new(adjoint, m, n).view();
            let other = self.factor(1 - wrt, indices[1 - wrt], kept.inputs[1 - wrt]).view().transpose();
            let (left, right) = if wrt == 0 { (adjoint, other) } else { (other, adjoint) };
            let (rows, columns) = if wrt == 0 { (m, k) } else { (k, n) };
            let into = &mut into[indices[wrt] * rows * columns..][..rows * columns];
            let into = if self.transposed[wrt] {
                MatMut::from_row_major_slice_mut(into, columns, rows).transpose_mut()
            } else {
                MatMut::from_row_major_slice_mut(into, rows, columns)
            };
            product(into, true, left, right, self.alpha);
        }
    }

    fn reads(&self, wrt: usize, input: usize) -> bool {
        wrt != input
    }
}
