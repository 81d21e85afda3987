//! From the values of a metric to a score, and what its error bar is.

use ndarray::Array2;
use ventral_metrics::{Score, Summary};
use ventral_plan::BenchmarkFacts;

/// How the values of a benchmark become a score.
fn rule(benchmark: &BenchmarkFacts) -> Summary {
    let variant = &benchmark.variant;
    match &variant.behavior {
        Some(behavior) => behavior.summary,
        None if variant.subjects => Summary::Sample,
        None if variant.units => Summary::Mean,
        None => Summary::Median,
    }
}

/// The score of a metric's values, splits x neuroids; a single value has no error bar.
pub(crate) fn score(benchmark: &BenchmarkFacts, values: Array2<f64>) -> Score {
    if values.len() == 1 {
        let value = values[[0, 0]];
        let absolute = rule(benchmark) == Summary::AbsoluteMean;
        return Score::single(if absolute { value.abs() } else { value });
    }
    ventral_metrics::SplitScores { values, alphas: Vec::new() }.summary(rule(benchmark))
}

/// What stands behind the ± of a benchmark's scores; nothing if they have none.
#[must_use]
pub fn error_bar(benchmark: &BenchmarkFacts) -> Option<&'static str> {
    let variant = &benchmark.variant;
    Some(match (rule(benchmark), benchmark.metric.as_str()) {
        (Summary::Median, _) if benchmark.splits <= 1 => return None,
        (Summary::Sample, _) if variant.subjects => "standard error over subjects",
        (Summary::Sample, _) => "standard error over images",
        (Summary::Median, _) => "standard error over splits",
        (_, "ks_similarity") => "standard deviation over resamplings",
        (_, "error_consistency") => "standard deviation over people and conditions",
        (_, "i1" | "i1n" | "i2" | "i2n" | "o1" | "o2") => "standard deviation over halves of the trials",
        _ => "standard deviation over people",
    })
}
