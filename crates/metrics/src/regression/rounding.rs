//! Whether a Gram matrix is exact enough for the predictions made from it.
//!
//! An element of K carries an error of about [`LayerGram::noise`]; a prediction K_test c then carries noise · |c| on every test
//! stimulus, and Pearson's r about as large a share of itself as this is of the predictions' spread.

use ndarray::{Array2, ArrayView1, Axis};

use crate::{Error, LayerGram, Precision, Prediction};

/// Largest share of the spread of predictions over the test stimuli that rounding of 64-bit products may be.
pub const MAX_ROUNDING: f64 = 1e-6;

/// The same for 32-bit products: of these, [`LayerGram::noise_share`] has let through what is off by a tenth of it.
const MAX_SINGLE_ROUNDING: f64 = 1e-5;

/// A prediction K_test `dual` plus the neuroids' means.
///
/// # Errors
/// [`Error::Rounding`] if rounding of K is more than [`MAX_ROUNDING`] of a neuroid's predictions.
pub(super) fn checked(
    gram: &LayerGram,
    dual: &Array2<f64>,
    values: Array2<f64>,
) -> Result<Prediction, Error> {
    let errors = dual.axis_iter(Axis(1)).map(|dual| gram.noise * dual.dot(&dual).sqrt());
    check(gram, errors.zip(values.axis_iter(Axis(1))))?;
    Ok(Prediction { values, alpha: None, iterations: Vec::new() })
}

/// Pairs of the error of a neuroid's predictions and these predictions, to which their own rounding comes.
pub(super) fn check<'a>(
    gram: &LayerGram,
    neuroids: impl Iterator<Item = (f64, ArrayView1<'a, f64>)>,
) -> Result<(), Error> {
    // A neuroid without any spread has no r.
    let share = |(error, predicted): (f64, ArrayView1<'_, f64>)| {
        let own = predicted.fold(0.0_f64, |max, x| max.max(x.abs())) * f64::EPSILON;
        let spread = predicted.std(0.0);
        // Constant up to rounding: r is not defined, or means nothing.
        if spread > own { error.hypot(own) / spread } else { 0.0 }
    };
    let share = neuroids.map(share).fold(0.0, f64::max);
    let limit = match gram.precision {
        Precision::F64 => MAX_ROUNDING,
        Precision::F32 => MAX_SINGLE_ROUNDING,
    };
    if share <= limit {
        return Ok(());
    }
    Err(Error::Rounding { what: "of the spread of the predictions", precision: gram.precision, share })
}

/// Refuses predictions from directions of which `found` of `possible` were told from rounding, where there are features that vary too
/// little to be: `cutoff` is the least sum of squares over the stimuli that can be told.
pub(super) fn check_rank(gram: &LayerGram, found: usize, possible: usize, cutoff: f64) -> Result<(), Error> {
    let possible = possible.min(usize::try_from(gram.features).unwrap_or(usize::MAX));
    if found >= possible || gram.faintest > cutoff {
        return Ok(());
    }
    let share = cutoff / gram.faintest;
    Err(Error::Rounding { what: "of the variance of a feature", precision: gram.precision, share })
}
