//! Neuroids that are fitted group by group, such as those of each subject with a penalty of its own (spec §5.3, `alpha_coord`).

use ndarray::{Array2, ArrayView2, Axis};

use super::{Regression, regression_scores};
use crate::{Error, LayerGram, Split, SplitScores};

/// As [`regression_scores`], each group of neuroids fitted by itself; `groups` are columns of `y`.
///
/// The columns of the result are those of `y`, NaN where a neuroid is in no group. Penalties are in the order of the splits, in each
/// that of the groups.
///
/// # Errors
/// As [`regression_scores`]; [`Error::OutOfRange`] for a column that does not exist, [`Error::TooFew`] without groups.
pub fn grouped_regression_scores(
    regression: &Regression,
    gram: &LayerGram,
    y: ArrayView2<'_, f64>,
    splits: &[Split],
    groups: &[Vec<usize>],
) -> Result<SplitScores, Error> {
    super::at_least("groups of neuroids", 1, groups.len())?;
    let len = y.ncols();
    if let Some(&index) = groups.iter().flatten().find(|&&column| column >= len) {
        return Err(Error::OutOfRange { what: "neuroids of a group", index, len });
    }
    let mut values = Array2::from_elem((splits.len(), len), f64::NAN);
    let mut alphas = Vec::new();
    for group in groups {
        let scores = regression_scores(regression, gram, y.select(Axis(1), group).view(), splits)?;
        for (of_group, &column) in scores.values.columns().into_iter().zip(group) {
            values.column_mut(column).assign(&of_group);
        }
        alphas.push(scores.alphas);
    }
    let per_split = |split: usize| alphas.iter().filter_map(move |a| a.get(split).copied());
    Ok(SplitScores { values, alphas: (0..splits.len()).flat_map(per_split).collect() })
}
