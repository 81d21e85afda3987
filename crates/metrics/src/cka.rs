//! Linear centred kernel alignment (spec §3, metrics `cka` and `cka_biased`).

use ndarray::{Array2, Axis};

use crate::{Error, LayerGram};

/// Keeps the quotient of the unbiased estimator defined, as in the reference.
const UNBIASED_EPSILON: f64 = 1e-12;

/// How the Hilbert-Schmidt independence criterion is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CkaEstimator {
    /// Inner product of the centred Gram matrices (Kornblith et al. 2019); large for few stimuli whatever they are.
    Biased,
    /// U-statistic on Gram matrices without diagonal (Song et al. 2012); at least 4 stimuli.
    Unbiased,
}

/// Centred kernel alignment of two representations of the same stimuli in the same order.
///
/// Both estimators are unchanged by adding a constant to a feature, so the shifted products serve as they are.
///
/// # Errors
/// [`Error::Mismatch`] for different numbers of stimuli, [`Error::TooFew`] for fewer than 4 (unbiased) or 2 (biased).
pub fn cka(a: &LayerGram, b: &LayerGram, estimator: CkaEstimator) -> Result<f64, Error> {
    let n = a.stimuli();
    if b.stimuli() != n {
        return Err(Error::Mismatch {
            what: "stimuli of the two representations",
            expected: n,
            found: b.stimuli(),
        });
    }
    let needed = if estimator == CkaEstimator::Unbiased { 4 } else { 2 };
    if n < needed {
        return Err(Error::TooFew { what: "stimuli for centred kernel alignment", needed, found: n });
    }
    // Neither estimator changes with the centring of the features; it keeps the sums small.
    let (k, l) = (double_centred(&a.products), double_centred(&b.products));
    Ok(match estimator {
        CkaEstimator::Biased => inner(&k, &l) / (inner(&k, &k) * inner(&l, &l)).sqrt(),
        CkaEstimator::Unbiased => unbiased(k, l),
    })
}

fn inner(k: &Array2<f64>, l: &Array2<f64>) -> f64 {
    k.iter().zip(l).map(|(a, b)| a * b).sum()
}

fn double_centred(k: &Array2<f64>) -> Array2<f64> {
    let n = k.nrows() as f64;
    let means = k.sum_axis(Axis(1)) / n;
    let grand = means.sum() / n;
    Array2::from_shape_fn(k.dim(), |(i, j)| k[[i, j]] - means[i] - means[j] + grand)
}

fn unbiased(mut k: Array2<f64>, mut l: Array2<f64>) -> f64 {
    k.diag_mut().fill(0.0);
    l.diag_mut().fill(0.0);
    let (own_k, own_l) = (hsic(&k, &k), hsic(&l, &l));
    if own_k * own_l <= 0.0 {
        return 0.0;
    }
    hsic(&k, &l) / ((own_k * own_l).sqrt() + UNBIASED_EPSILON)
}

/// Unbiased estimate from symmetric matrices with a zero diagonal.
fn hsic(k: &Array2<f64>, l: &Array2<f64>) -> f64 {
    let n = k.nrows() as f64;
    let (rows_k, rows_l) = (k.sum_axis(Axis(1)), l.sum_axis(Axis(1)));
    let total = rows_k.sum() * rows_l.sum() / ((n - 1.0) * (n - 2.0));
    let cross = 2.0 * rows_k.dot(&rows_l) / (n - 2.0);
    (inner(k, l) + total - cross) / (n * (n - 3.0))
}
