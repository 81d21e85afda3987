//! One mapping for all time bins (spec §1.1, `spantime_*`): pairs of bin and stimulus are the samples.

use ndarray::{Array2, ArrayView2, Axis, s};

use super::{Prediction, Regression, check_splits, check_targets, predict};
use crate::correlation::pearson_columns;
use crate::{Error, LayerGram, Split, SplitScores};

/// Fits all time bins together and correlates bin by bin: splits x (bins x neuroids), bins slowest, as the columns of `y`.
///
/// `y` has a row per stimulus and its columns are bins x neuroids. Rows of `gram` are bins x stimuli, bins slowest, or just the
/// stimuli for a model without time, whose features are the same in every bin. The latter needs no larger matrix: least squares, ridge
/// and PLS with T copies of each stimulus are those of the response averaged over the bins, ridge with a T-th of the penalty.
///
/// # Errors
/// As [`predict`]; [`Error::Mismatch`] for a Gram matrix of another size, [`Error::Parameter`] for RidgeCV, which the reference does
/// not have for time bins.
pub fn span_time_scores(
    regression: &Regression,
    gram: &LayerGram,
    y: ArrayView2<'_, f64>,
    bins: usize,
    splits: &[Split],
) -> Result<SplitScores, Error> {
    super::at_least("time bins", 1, bins)?;
    check_targets(y.nrows(), y)?;
    check_splits(y.nrows(), splits)?;
    let (stimuli, neuroids) = (y.nrows(), y.ncols() / bins);
    if neuroids * bins != y.ncols() {
        let what = "columns of the responses (a whole number per time bin)";
        return Err(Error::Mismatch { what, expected: neuroids * bins, found: y.ncols() });
    }
    if matches!(regression, Regression::RidgeCv { .. }) {
        return Err(Error::Parameter {
            name: "regression",
            value: "ridge_cv".to_owned(),
            allowed: "pls, ridge and linear can span time bins",
        });
    }
    let copied = gram.stimuli() == stimuli;
    if !copied && gram.stimuli() != stimuli * bins {
        let what = "rows of a Gram matrix over time (bins x stimuli)";
        return Err(Error::Mismatch { what, expected: stimuli * bins, found: gram.stimuli() });
    }
    let predictions = match copied {
        true => predict(&shared(regression, bins), gram, mean_over_bins(y, bins).view(), splits)?,
        false => predict(regression, gram, stacked(y, bins).view(), &stacked_splits(splits, stimuli, bins))?,
    };
    let mut values = Array2::zeros((splits.len(), y.ncols()));
    for ((split, Prediction { values: predicted, .. }), mut row) in
        splits.iter().zip(&predictions).zip(values.outer_iter_mut())
    {
        let test = split.test.len();
        for bin in 0..bins {
            let columns = s![.., bin * neuroids..(bin + 1) * neuroids];
            let recorded = y.select(Axis(0), &split.test);
            let of_bin = if copied { s![.., ..] } else { s![bin * test..(bin + 1) * test, ..] };
            let r = pearson_columns(predicted.slice(of_bin), recorded.slice(columns))?;
            row.slice_mut(s![bin * neuroids..(bin + 1) * neuroids]).assign(&r);
        }
    }
    Ok(SplitScores { values, alphas: Vec::new() })
}

fn shared(regression: &Regression, bins: usize) -> Regression {
    match regression {
        Regression::Ridge { alpha } => Regression::Ridge { alpha: alpha / bins as f64 },
        other => other.clone(),
    }
}

fn mean_over_bins(y: ArrayView2<'_, f64>, bins: usize) -> Array2<f64> {
    let neuroids = y.ncols() / bins;
    let mut sum = Array2::zeros((y.nrows(), neuroids));
    for bin in 0..bins {
        sum += &y.slice(s![.., bin * neuroids..(bin + 1) * neuroids]);
    }
    sum / bins as f64
}

/// Bins x stimuli by neuroids.
fn stacked(y: ArrayView2<'_, f64>, bins: usize) -> Array2<f64> {
    let (stimuli, neuroids) = (y.nrows(), y.ncols() / bins);
    Array2::from_shape_fn((bins * stimuli, neuroids), |(row, neuroid)| {
        y[(row % stimuli, row / stimuli * neuroids + neuroid)]
    })
}

fn stacked_splits(splits: &[Split], stimuli: usize, bins: usize) -> Vec<Split> {
    let of_bins =
        |rows: &[usize]| (0..bins).flat_map(|bin| rows.iter().map(move |row| bin * stimuli + row)).collect();
    splits.iter().map(|split| Split { train: of_bins(&split.train), test: of_bins(&split.test) }).collect()
}
