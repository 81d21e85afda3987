//! Gram matrix of one split, centred on its training set.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::products::product;
use crate::{LayerGram, Split};

/// What kernel regressions need of one split; m training stimuli, e test stimuli.
pub(super) struct SplitKernel {
    /// Inner products between training stimuli, m x m.
    pub train: Array2<f64>,
    /// Inner products of test with training stimuli, e x m.
    pub test: Array2<f64>,
}

impl SplitKernel {
    pub(super) fn new(gram: &LayerGram, split: &Split) -> Self {
        let mut train = rows_and_columns(gram, &split.train, &split.train);
        let mut test = rows_and_columns(gram, &split.test, &split.train);
        let column_means = column_means(train.view());
        let mean = column_means.sum() / column_means.len() as f64;
        for rows in [&mut train, &mut test] {
            for mut row in rows.outer_iter_mut() {
                let row_mean = row.sum() / row.len() as f64;
                row.zip_mut_with(&column_means, |product, column_mean| {
                    *product = (*product - row_mean) - (column_mean - mean);
                });
            }
        }
        Self { train, test }
    }

    /// Predictions K_test `dual`, plus the means of the neuroids.
    pub(super) fn apply(&self, dual: &Array2<f64>, means: &Array1<f64>) -> Array2<f64> {
        product(self.test.view(), dual.view()) + means
    }
}

/// Responses to the training stimuli minus their means, and the means.
pub(super) fn centred_targets(y: ArrayView2<'_, f64>, train: &[usize]) -> (Array2<f64>, Array1<f64>) {
    let mut targets = y.select(Axis(0), train);
    let means = column_means(targets.view());
    targets -= &means;
    (targets, means)
}

/// Mean of every column, added up row by row as the reference does: a constant column must give its constant.
pub(crate) fn column_means(matrix: ArrayView2<'_, f64>) -> Array1<f64> {
    let mut means = Array1::zeros(matrix.ncols());
    for row in matrix.outer_iter() {
        means += &row;
    }
    means / matrix.nrows() as f64
}

fn rows_and_columns(gram: &LayerGram, rows: &[usize], columns: &[usize]) -> Array2<f64> {
    let mut selected = Array2::zeros((rows.len(), columns.len()));
    for (mut to, &row) in selected.outer_iter_mut().zip(rows) {
        let from = gram.products.row(row);
        for (to, &column) in to.iter_mut().zip(columns) {
            *to = from[column];
        }
    }
    selected
}
