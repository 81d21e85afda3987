//! Benchmarks in parts, each with its own score and ceiling: subjects, time bins (spec §5.3).

use ndarray::{Array2, Axis};
use ventral_metrics::statistics::mean;
use ventral_metrics::{CeilingRule, Error, Score, SplitScores};
use ventral_plan::PartFacts;

/// Raw and ceiled score: plain means over parts, so that a part without a score is not passed over. Their error bars are those over
/// splits of the mean over parts; none for a single split.
///
/// # Errors
/// Those of the rule, for a part whose ceiling cannot be used.
pub(crate) fn scores(
    parts: &[PartFacts],
    rule: &CeilingRule,
    values: &Array2<f64>,
) -> (Score, Result<Score, Error>) {
    let raw: Vec<Score> = parts.iter().map(|part| of_part(values, part)).collect();
    let ceiled = raw.iter().zip(parts).map(|(raw, part)| rule.apply(raw, part.ceiling)).collect();
    let ceiled: Result<Vec<Score>, Error> = ceiled;
    let raw_mean = averaged(&raw);
    let error = raw_mean.error;
    // As elsewhere, the error bar of the raw score stands beside the ceiled one.
    let ceiled = ceiled.map(|parts| Score { error, ..averaged(&parts) });
    (raw_mean, ceiled)
}

fn of_part(values: &Array2<f64>, part: &PartFacts) -> Score {
    let kept: Vec<usize> = part.columns.iter().copied().filter(|&column| column < values.ncols()).collect();
    SplitScores { values: values.select(Axis(1), &kept), alphas: Vec::new() }.score()
}

fn averaged(parts: &[Score]) -> Score {
    let splits = parts.iter().map(|part| part.per_split.len()).min().unwrap_or(0);
    let of_split = |split: usize| mean(&parts.iter().map(|part| part.per_split[split]).collect::<Vec<_>>());
    let over_splits = Score::from_splits((0..splits).map(of_split).collect());
    let value = mean(&parts.iter().map(|part| part.value).collect::<Vec<_>>());
    Score {
        value,
        error: over_splits.error,
        per_split: if splits > 1 { over_splits.per_split } else { Vec::new() },
    }
}
