//! Similarity of representations on the test stimuli of splits (spec §3, `rdm_cv` and `cka_cv`): nothing is fitted, so the training
//! stimuli are only left out.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::regression::at_least;
use crate::splits::MIN_TEST_STIMULI;
use crate::{CkaEstimator, Error, LayerGram, Split, SplitScores, cka, rdm, rdm_similarity};

/// Centred kernel alignment over the test stimuli of each split, one value per split.
///
/// # Errors
/// Those of [`cka`] for the test stimuli; [`Error::TooFew`] without splits.
pub fn cka_scores(
    a: &LayerGram,
    b: &LayerGram,
    estimator: CkaEstimator,
    splits: &[Split],
) -> Result<SplitScores, Error> {
    if a.stimuli() != b.stimuli() {
        let what = "stimuli of the two representations";
        return Err(Error::Mismatch { what, expected: a.stimuli(), found: b.stimuli() });
    }
    per_split(splits, |test| cka(&a.select(test)?, &b.select(test)?, estimator))
}

/// Similarity of a layer's dissimilarities with each of `targets` (target x pair: the strict upper triangle of all stimuli, row by
/// row), splits x targets: over the test stimuli of each split, over all stimuli where there are no splits. NaN where one of the two is
/// constant or undefined.
///
/// # Errors
/// [`Error::Mismatch`] for another number of pairs; [`Error::OutOfRange`] for unusable splits; [`Error::TooFew`] without targets or for
/// fewer than [`MIN_TEST_STIMULI`] stimuli.
pub fn rdm_scores(
    gram: &LayerGram,
    targets: ArrayView2<'_, f64>,
    splits: &[Split],
) -> Result<SplitScores, Error> {
    let n = gram.stimuli();
    let expected = n * n.saturating_sub(1) / 2;
    if targets.ncols() != expected {
        let what = "pairs of stimuli of the dissimilarities";
        return Err(Error::Mismatch { what, expected, found: targets.ncols() });
    }
    at_least("dissimilarities to compare with", 1, targets.nrows())?;
    let own = rdm(gram)?;
    let all: Vec<usize> = (0..n).collect();
    let tested: Vec<&[usize]> = match splits {
        [] => vec![&all],
        splits => splits.iter().map(|split| split.test.as_slice()).collect(),
    };
    let mut values = Array2::zeros((tested.len(), targets.nrows()));
    for (test, mut row) in tested.into_iter().zip(values.rows_mut()) {
        if let Some(&index) = test.iter().find(|&&row| row >= n) {
            return Err(Error::OutOfRange { what: "stimuli of a split", index, len: n });
        }
        at_least("test stimuli of a correlation", MIN_TEST_STIMULI, test.len())?;
        let own = pairs(own.view(), n, test);
        for (target, value) in targets.rows().into_iter().zip(&mut row) {
            *value = rdm_similarity(own.view(), pairs(target, n, test).view())?;
        }
    }
    Ok(SplitScores { values, alphas: Vec::new() })
}

fn per_split(splits: &[Split], score: impl Fn(&[usize]) -> Result<f64, Error>) -> Result<SplitScores, Error> {
    at_least("splits", 1, splits.len())?;
    let values: Vec<f64> = splits.iter().map(|split| score(&split.test)).collect::<Result<_, _>>()?;
    let values = Array2::from_shape_fn((values.len(), 1), |(split, _)| values[split]);
    Ok(SplitScores { values, alphas: Vec::new() })
}

/// The triangle of some of `n` stimuli.
fn pairs(triangle: ArrayView1<'_, f64>, n: usize, rows: &[usize]) -> Array1<f64> {
    let place = |i: usize, j: usize| {
        let (low, high) = (i.min(j), i.max(j));
        low * (2 * n - low - 1) / 2 + (high - low - 1)
    };
    let of_row =
        |(index, &i): (usize, &usize)| rows[index + 1..].iter().map(move |&j| (i, j)).collect::<Vec<_>>();
    rows.iter()
        .enumerate()
        .flat_map(of_row)
        .map(|(i, j)| if i == j { 0.0 } else { triangle[place(i, j)] })
        .collect()
}
