//! How much of a Gram matrix rounding hides.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::LayerGram;
use crate::regression::{column_means, product};

/// Directions that a metric may have used up before it depends on the rest: the components of PLS.
const DIRECTIONS: usize = 25;
/// Products with the matrix that bring the directions close to its largest.
const ITERATIONS: usize = 3;
/// Rows of the matrix that one thread multiplies at a time.
const ROWS_PER_PIECE: usize = 128;

/// Largest share that rounding may have in what is left of a Gram matrix beside its 25 largest directions: r of PLS is then off by
/// 1e-6 at most, and by a tenth of that in real layers, whose share is 1e-7 to 4e-7 in 32 bit.
pub const MAX_NOISE_SHARE: f64 = 5e-7;

impl LayerGram {
    /// Share that rounding has in what is left of the centred products beside their 25 largest directions: the quotient of both
    /// Frobenius norms. Above [`MAX_NOISE_SHARE`] PLS and similarities are not to be computed from it.
    ///
    /// The whole may be exact to seven digits and still say nothing beside a few features that vary much more than the others.
    #[must_use]
    pub fn noise_share(&self) -> f64 {
        let means = column_means(self.products.view());
        let mean = means.sum() / means.len() as f64;
        let mut left = self.products.clone();
        for (mut row, own) in left.outer_iter_mut().zip(&means) {
            row.zip_mut_with(&means, |product, other| *product = (*product - own) - (other - mean));
        }
        let n = self.stimuli();
        let mut basis = Array2::from_shape_fn((n, DIRECTIONS.min(n)), |(row, direction)| {
            super::tile::sign(row * DIRECTIONS + direction)
        });
        for _ in 0..ITERATIONS {
            basis = times(left.view(), basis.view());
            orthonormalise(&mut basis);
        }
        let image = times(left.view(), basis.view());
        left.axis_chunks_iter_mut(Axis(0), ROWS_PER_PIECE)
            .into_par_iter()
            .zip(basis.axis_chunks_iter(Axis(0), ROWS_PER_PIECE))
            .for_each(|(mut rows, basis)| rows -= &product(basis, image.t()));
        let rest: f64 = left.outer_iter().map(|row| row.dot(&row)).sum();
        self.noise * n as f64 / rest.sqrt()
    }
}

/// `matrix` times `columns`, in pieces of fixed size over the threads.
fn times(matrix: ArrayView2<'_, f64>, columns: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut result = Array2::zeros((matrix.nrows(), columns.ncols()));
    result
        .axis_chunks_iter_mut(Axis(0), ROWS_PER_PIECE)
        .into_par_iter()
        .zip(matrix.axis_chunks_iter(Axis(0), ROWS_PER_PIECE))
        .for_each(|(mut result, rows)| result.assign(&product(rows, columns)));
    result
}

/// Gram and Schmidt, twice; a column that depends on those before becomes zero.
fn orthonormalise(basis: &mut Array2<f64>) {
    for column in 0..basis.ncols() {
        let (done, mut rest) = basis.view_mut().split_at(Axis(1), column);
        let mut own = rest.column_mut(0);
        let size = own.dot(&own).sqrt();
        for _ in 0..2 {
            for other in done.axis_iter(Axis(1)) {
                let share = other.dot(&own);
                own.scaled_add(-share, &other);
            }
        }
        let norm = own.dot(&own).sqrt();
        let scale = if norm > size * f64::EPSILON { norm.recip() } else { 0.0 };
        own *= scale;
    }
}
