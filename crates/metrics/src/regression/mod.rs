//! Linear maps from a layer to neural responses, computed from the layer's Gram matrix (spec §1.2 to §1.4).

mod eigen;
mod groups;
mod kernel;
mod linear;
mod pls;
mod products;
mod ridge;
mod ridge_cv;
mod rounding;
mod solver;
mod time;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::correlation::pearson_columns;
use crate::{Error, LayerGram, Split, SplitScores};

pub(crate) use eigen::Eigen;
pub use groups::grouped_regression_scores;
pub(crate) use kernel::column_means;
pub(crate) use products::{matrix_vector, product};
pub use ridge_cv::ridge_alphas;
pub use rounding::MAX_ROUNDING;
pub use time::span_time_scores;

/// How responses are predicted from features. Features and responses are centred on each training set, never scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Regression {
    /// Partial least squares, NIPALS with the reference's stopping rule (spec §1.3). The reference uses 25 components.
    Pls {
        /// Number of latent components.
        components: usize,
    },
    /// Ridge regression with a fixed penalty.
    Ridge {
        /// The penalty, above zero. The reference uses 1.
        alpha: f64,
    },
    /// Ridge regression; one penalty for all neuroids, chosen on each training set by leave-one-out error (spec §1.4).
    RidgeCv {
        /// Penalties to choose from, above zero; of equals the first one wins. See [`ridge_alphas`].
        alphas: Vec<f64>,
    },
    /// Ordinary least squares; of all solutions the one of least norm.
    Linear,
}

impl Regression {
    /// Whether it solves with the Gram matrix, so that the smallest eigenvalues decide ([`Precision::needed`](crate::Precision::needed)).
    #[must_use]
    pub fn solves(&self) -> bool {
        !matches!(self, Self::Pls { .. })
    }
}

/// Responses predicted for the test stimuli of one split.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Test stimuli (in the order of [`Split::test`]) x neuroids.
    pub values: Array2<f64>,
    /// The chosen penalty, for [`Regression::RidgeCv`].
    pub alpha: Option<f64>,
    /// Power iterations of each component, for [`Regression::Pls`]; fewer than asked for if the residual ran out.
    pub iterations: Vec<usize>,
}

/// Fits `y` (stimuli x neuroids) on the training set of every split and predicts its test set.
///
/// The order of the neuroids matters to PLS in the sixth digit, as it does in the reference (spec §1.3).
///
/// # Errors
/// [`Error::Mismatch`] if `y` has not one row per stimulus; [`Error::NonFiniteTarget`]; [`Error::OutOfRange`],
/// [`Error::Repeated`] or [`Error::TooFew`] for a split that cannot be used; [`Error::TooFew`] for PLS with fewer features
/// or training stimuli than components; [`Error::Parameter`] for a penalty that is not above zero; [`Error::Rounding`] where the
/// Gram matrix is too coarse for r to be right to about [`MAX_ROUNDING`].
pub fn predict(
    regression: &Regression,
    gram: &LayerGram,
    y: ArrayView2<'_, f64>,
    splits: &[Split],
) -> Result<Vec<Prediction>, Error> {
    check_targets(gram.stimuli(), y)?;
    check(regression, gram, splits)?;
    let mut all = solver::predict_all(regression, gram, &[y], splits, |_, _, prediction| Ok(prediction));
    all.pop().unwrap_or(Ok(Vec::new()))
}

/// Pearson correlation between predicted and recorded responses over the test stimuli, per split and neuroid.
///
/// NaN marks a neuroid whose recorded or predicted responses are constant over the test stimuli.
///
/// # Errors
/// As [`predict`].
pub fn regression_scores(
    regression: &Regression,
    gram: &LayerGram,
    y: ArrayView2<'_, f64>,
    splits: &[Split],
) -> Result<SplitScores, Error> {
    let mut all = regression_scores_each(regression, gram, &[y], splits);
    all.pop().unwrap_or(Err(Error::TooFew { what: "targets", needed: 1, found: 0 }))
}

/// As [`regression_scores`] for several responses to the same stimuli, each with the very bits it has alone. All share one factorisation
/// per split; PLS, which has none, goes through them one by one.
pub fn regression_scores_each(
    regression: &Regression,
    gram: &LayerGram,
    targets: &[ArrayView2<'_, f64>],
    splits: &[Split],
) -> Vec<Result<SplitScores, Error>> {
    let checked: Vec<Result<(), Error>> = targets
        .iter()
        .map(|y| check_targets(gram.stimuli(), *y).and_then(|()| check(regression, gram, splits)))
        .collect();
    let usable: Vec<ArrayView2<'_, f64>> =
        targets.iter().zip(&checked).filter(|(_, checked)| checked.is_ok()).map(|(y, _)| *y).collect();
    let correlate = |target: usize, split: &Split, prediction: Prediction| {
        let recorded = usable[target].select(Axis(0), &split.test);
        Ok((pearson_columns(prediction.values.view(), recorded.view())?, prediction.alpha))
    };
    let mut found = solver::predict_all(regression, gram, &usable, splits, correlate).into_iter();
    let of_target = |(checked, y): (Result<(), Error>, &ArrayView2<'_, f64>)| {
        checked?;
        let rows = found.next().unwrap_or(Ok(Vec::new()))?;
        let mut values = Array2::zeros((splits.len(), y.ncols()));
        for ((r, _), mut row) in rows.iter().zip(values.outer_iter_mut()) {
            row.assign(r);
        }
        Ok(SplitScores { values, alphas: rows.iter().filter_map(|(_, alpha)| *alpha).collect() })
    };
    checked.into_iter().zip(targets).map(of_target).collect()
}

/// Whether these splits and penalties can be used.
fn check(regression: &Regression, gram: &LayerGram, splits: &[Split]) -> Result<(), Error> {
    check_splits(gram.stimuli(), splits)?;
    match regression {
        Regression::Ridge { alpha } => check_alpha(*alpha),
        Regression::RidgeCv { alphas } => ridge_cv::check(alphas),
        Regression::Pls { .. } | Regression::Linear => Ok(()),
    }
}

/// Responses: one row per stimulus, at least one neuroid, all finite.
pub(crate) fn check_targets(stimuli: usize, y: ArrayView2<'_, f64>) -> Result<(), Error> {
    if y.nrows() != stimuli {
        return Err(Error::Mismatch {
            what: "stimuli of the responses",
            expected: stimuli,
            found: y.nrows(),
        });
    }
    at_least("neuroids", 1, y.ncols())?;
    match y.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((stimulus, neuroid), _)) => Err(Error::NonFiniteTarget { stimulus, neuroid }),
        None => Ok(()),
    }
}

/// Splits: at least two training and two test stimuli each, all within range, none used twice.
pub(crate) fn check_splits(stimuli: usize, splits: &[Split]) -> Result<(), Error> {
    at_least("splits", 1, splits.len())?;
    for split in splits {
        at_least("training stimuli", 2, split.train.len())?;
        at_least("test stimuli", 2, split.test.len())?;
        let mut used = vec![false; stimuli];
        for &row in split.train.iter().chain(&split.test) {
            match used.get_mut(row) {
                None => {
                    return Err(Error::OutOfRange { what: "stimuli of a split", index: row, len: stimuli });
                }
                Some(true) => {
                    return Err(Error::Repeated {
                        what: "the training and test sets of a split",
                        stimulus: row,
                    });
                }
                Some(used) => *used = true,
            }
        }
    }
    Ok(())
}

/// Fits every split, several at a time; of those that fail the first says why, whatever the threads.
pub(crate) fn each_split<T: Send>(
    splits: &[Split],
    fit: impl Fn(&Split) -> Result<T, Error> + Send + Sync,
) -> Result<Vec<T>, Error> {
    let fitted: Vec<Result<T, Error>> = splits.par_iter().with_max_len(1).map(fit).collect();
    fitted.into_iter().collect()
}

pub(crate) fn at_least(what: &'static str, needed: usize, found: usize) -> Result<(), Error> {
    if found < needed {
        return Err(Error::TooFew { what, needed, found });
    }
    Ok(())
}

pub(crate) fn check_alpha(alpha: f64) -> Result<(), Error> {
    if alpha.is_finite() && alpha > 0.0 {
        return Ok(());
    }
    Err(Error::Parameter {
        name: "alpha",
        value: alpha.to_string(),
        allowed: "a finite number above zero (use linear regression for no penalty)",
    })
}
