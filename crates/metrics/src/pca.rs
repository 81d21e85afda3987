//! Principal components of a layer from inner products alone (spec §2.2).
//!
//! With F the features of the images the components are fitted on, centred by their mean, and X those of the stimuli, centred by the
//! same mean: F Fᵀ = U diag(λ) Uᵀ, components are Fᵀ U diag(λ)^-½, and the scores of the stimuli X Fᵀ U diag(λ)^-½. Both products are
//! parts of one Gram matrix of images and stimuli together, so neither components nor features are formed.

use ndarray::{Array1, Array2, Axis};

use crate::regression::{Eigen, column_means, product};
use crate::{Error, LayerGram};

/// Components of the reference.
pub const PCA_COMPONENTS: usize = 1000;

/// The stimuli `rows` in the space of the first `components` principal components of the stimuli `fit`.
///
/// A layer with no more features than components is returned as it is, as in the reference. Directions in which the images of the
/// fit do not differ (the last of as many components as images, for instance) have an arbitrary component in the reference and none
/// here. Signs of components are arbitrary: what depends on them (dissimilarities, single features) must not be computed from this.
///
/// # Errors
/// [`Error::OutOfRange`] if a row does not exist; [`Error::TooFew`] without rows, without components, or with fewer images than
/// components; [`Error::Factorisation`].
pub fn principal_components(
    gram: &LayerGram,
    fit: &[usize],
    rows: &[usize],
    components: usize,
) -> Result<LayerGram, Error> {
    if components == 0 {
        return Err(Error::TooFew { what: "principal components", needed: 1, found: 0 });
    }
    if gram.features <= components as u64 {
        return gram.select(rows);
    }
    if fit.len() < components {
        let what = "images to fit principal components on (one per component)";
        return Err(Error::TooFew { what, needed: components, found: fit.len() });
    }
    let scores = scores(gram, fit, rows, components)?;
    let mut reduced = LayerGram::from_features(scores.view())?;
    reduced.precision = gram.precision;
    reduced.noise = reduced.noise.max(gram.noise);
    Ok(reduced)
}

/// Rows x components.
fn scores(gram: &LayerGram, fit: &[usize], rows: &[usize], components: usize) -> Result<Array2<f64>, Error> {
    let within = gram.select(fit)?.products;
    let mut across = cross_products(gram, rows, fit)?;
    let means = column_means(within.view());
    let grand = means.sum() / means.len() as f64;
    let centre = |products: &mut Array2<f64>| {
        for mut row in products.outer_iter_mut() {
            let own = row.sum() / row.len() as f64;
            row.zip_mut_with(&means, |product, mean| *product = (*product - own) - (mean - grand));
        }
    };
    let mut fitted = within;
    centre(&mut fitted);
    centre(&mut across);
    let Eigen { values, vectors, .. } = Eigen::of_gram(fitted.view(), gram.noise)?;
    let first = values.len() - components;
    let kept: Vec<usize> = (first..values.len()).rev().filter(|&i| values[i] > 0.0).collect();
    if kept.is_empty() {
        let what = "directions in which the images of a principal component analysis differ";
        return Err(Error::TooFew { what, needed: 1, found: 0 });
    }
    let roots = kept.iter().map(|&i| values[i].sqrt()).collect::<Array1<f64>>();
    let directions: Array2<f64> = vectors.select(Axis(1), &kept) / &roots;
    Ok(product(across.view(), directions.view()))
}

fn cross_products(gram: &LayerGram, rows: &[usize], columns: &[usize]) -> Result<Array2<f64>, Error> {
    let len = gram.stimuli();
    if rows.is_empty() {
        return Err(Error::TooFew { what: "rows of a selection", needed: 1, found: 0 });
    }
    if let Some(&index) = rows.iter().chain(columns).find(|&&row| row >= len) {
        return Err(Error::OutOfRange { what: "rows of a selection", index, len });
    }
    let all = gram.products.view();
    Ok(Array2::from_shape_fn((rows.len(), columns.len()), |(i, j)| all[(rows[i], columns[j])]))
}
