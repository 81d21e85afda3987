//! Where every split starts: K Y and Yᵀ K Y, centred on its training set.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::ROWS_PER_PIECE;
use super::fit::Fit;
use super::nipals::Nipals;
use crate::regression::kernel::{centred_targets, column_means};
use crate::regression::products::{add_product, product, product_into};
use crate::{LayerGram, Split};

/// Products of the Gram matrix with the responses to all stimuli, of which every split subtracts what it leaves out.
pub(super) struct FullProducts {
    /// Responses minus their means over all stimuli, n x q, and a column of ones.
    targets: Array2<f64>,
    /// K times `targets`.
    products: Array2<f64>,
}

impl FullProducts {
    pub(super) fn new(gram: &LayerGram, y: ArrayView2<'_, f64>) -> Self {
        let (n, q) = y.dim();
        let means = column_means(y);
        let targets = Array2::from_shape_fn((n, q + 1), |(i, j)| match j < q {
            true => y[(i, j)] - means[j],
            false => 1.0,
        });
        let mut products = Array2::zeros((n, q + 1));
        products
            .axis_chunks_iter_mut(Axis(0), ROWS_PER_PIECE)
            .into_par_iter()
            .zip(gram.products.axis_chunks_iter(Axis(0), ROWS_PER_PIECE))
            .for_each(|(products, rows)| product_into(products, rows, targets.view()));
        Self { targets, products }
    }

    /// K times the targets, where only the rows of the training set count.
    fn restricted(&self, gram: &LayerGram, train: &[usize]) -> Array2<f64> {
        let mut in_training = vec![false; gram.stimuli()];
        for &row in train {
            in_training[row] = true;
        }
        let left_out: Vec<usize> = (0..in_training.len()).filter(|&row| !in_training[row]).collect();
        let (rows, factor, mut products) = if left_out.len() <= train.len() {
            (&left_out[..], -1.0, self.products.clone())
        } else {
            (train, 1.0, Array2::zeros(self.products.raw_dim()))
        };
        // K is symmetric: its rows are its columns, and lie in one piece.
        let columns = gram.products.select(Axis(0), rows);
        let targets = self.targets.select(Axis(0), rows);
        add_product(products.view_mut(), factor, columns.t(), targets.view());
        products
    }
}

/// The state of one split before its first component.
pub(super) fn start<'a>(
    gram: &'a LayerGram,
    full: &FullProducts,
    y: ArrayView2<'_, f64>,
    split: &'a Split,
    components: usize,
) -> Nipals<'a> {
    let (targets, target_means) = centred_targets(y, &split.train);
    let products = centred_products(gram, full, split);
    let of_training = products.slice(ndarray::s![..split.train.len(), ..]);
    let covariance = product(targets.t(), of_training);
    let covariance = (&covariance + &covariance.t()) * 0.5;
    let variances = covariance.diag().to_owned();
    Nipals::new(Fit::new(gram, split, targets, target_means, &variances, components), products, covariance)
}

/// K Y of the training and, below, the test stimuli, features and responses centred on the training set.
fn centred_products(gram: &LayerGram, full: &FullProducts, split: &Split) -> Array2<f64> {
    let q = full.targets.ncols() - 1;
    let restricted = full.restricted(gram, &split.train);
    let mut target_means = Array1::<f64>::zeros(q + 1);
    for &row in &split.train {
        target_means += &full.targets.row(row);
    }
    target_means /= split.train.len() as f64;
    let rows: Vec<usize> = split.train.iter().chain(&split.test).copied().collect();
    let mut products = Array2::zeros((rows.len(), q));
    for (mut to, &row) in products.outer_iter_mut().zip(&rows) {
        let from = restricted.row(row);
        for j in 0..q {
            to[j] = from[j] - from[q] * target_means[j];
        }
    }
    let means = column_means(products.slice(ndarray::s![..split.train.len(), ..]));
    products -= &means;
    products
}
