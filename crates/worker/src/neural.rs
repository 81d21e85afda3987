//! Neural metrics from a Gram matrix whose rows are a benchmark's.

use ndarray::{Array2, ArrayView2, Axis};
use ventral_data::{Benchmark, Metric, Target, TimeMode};
use ventral_metrics::{
    Error, LayerGram, Regression, Split, SplitScores, cka, cka_scores, grouped_regression_scores, rdm,
    rdm_scores, regression_scores, regression_scores_each, span_time_scores,
};

/// The scores of a layer on a benchmark. Columns are those of the responses, or for similarities one per part or subject.
///
/// # Errors
/// Those of the metric, and a metric that does not go with the target.
pub fn compute(benchmark: &Benchmark, gram: &LayerGram) -> Result<SplitScores, Error> {
    let splits = &benchmark.splits;
    match (&benchmark.metric, &benchmark.target) {
        (metric, Target::Responses { averaged, .. }) => match &benchmark.time {
            Some(time) if time.mode == TimeMode::Each => each_bin(benchmark, gram, averaged.view()),
            Some(time) if time.mode == TimeMode::Span => match metric {
                Metric::Regression(regression) => {
                    span_time_scores(regression, gram, averaged.view(), time.bins.len(), splits)
                }
                _ => Err(unsuited(metric)),
            },
            _ => on_responses(benchmark, gram, averaged.view()),
        },
        (Metric::Rdm, Target::Rdm { rdms, .. }) => rdm_scores(gram, rdms.view(), splits),
        (metric, _) => Err(unsuited(metric)),
    }
}

/// What a benchmark may share with others on the same stimuli: the factorisations of its regression in its splits.
pub fn shared(benchmark: &Benchmark) -> Option<(&Regression, ArrayView2<'_, f64>, &[Split])> {
    let timed = |time: &ventral_data::Time| matches!(time.mode, TimeMode::Each | TimeMode::Span);
    let own_rows = benchmark.pools.is_some() || benchmark.components.is_some();
    if own_rows || !benchmark.groups.is_empty() || benchmark.time.as_ref().is_some_and(timed) {
        return None;
    }
    match (&benchmark.metric, &benchmark.target) {
        (Metric::Regression(regression), Target::Responses { averaged, .. }) if regression.solves() => {
            Some((regression, averaged.view(), &benchmark.splits))
        }
        _ => None,
    }
}

/// As [`compute`] for benchmarks with the same [`shared`] regression and splits, in order.
pub fn compute_shared<'a>(
    benchmarks: impl Iterator<Item = &'a Benchmark>,
    gram: &LayerGram,
) -> Vec<Result<SplitScores, Error>> {
    let shared: Vec<_> = benchmarks.filter_map(shared).collect();
    let targets: Vec<ArrayView2<'_, f64>> = shared.iter().map(|(_, targets, _)| *targets).collect();
    match shared.first() {
        Some((regression, _, splits)) => regression_scores_each(regression, gram, &targets, splits),
        None => Vec::new(),
    }
}

fn on_responses(
    benchmark: &Benchmark,
    gram: &LayerGram,
    responses: ArrayView2<'_, f64>,
) -> Result<SplitScores, Error> {
    let splits = &benchmark.splits;
    match &benchmark.metric {
        Metric::Regression(regression) => fitted(benchmark, regression, gram, responses),
        Metric::Rdm => {
            let target = rdm(&LayerGram::from_features(responses)?)?;
            rdm_scores(gram, target.insert_axis(Axis(0)).view(), splits)
        }
        Metric::Cka(estimator) => {
            let target = LayerGram::from_features(responses)?;
            match splits.is_empty() {
                true => Ok(single(cka(gram, &target, *estimator)?)),
                false => cka_scores(gram, &target, *estimator, splits),
            }
        }
        metric => Err(unsuited(metric)),
    }
}

fn fitted(
    benchmark: &Benchmark,
    regression: &Regression,
    gram: &LayerGram,
    responses: ArrayView2<'_, f64>,
) -> Result<SplitScores, Error> {
    match benchmark.groups.is_empty() {
        true => regression_scores(regression, gram, responses, &benchmark.splits),
        false => grouped_regression_scores(regression, gram, responses, &benchmark.splits, &benchmark.groups),
    }
}

/// The metric in every time bin by itself; a model without time has the same features in each.
fn each_bin(
    benchmark: &Benchmark,
    gram: &LayerGram,
    responses: ArrayView2<'_, f64>,
) -> Result<SplitScores, Error> {
    let rows = benchmark.rows();
    let mut values: Vec<Array2<f64>> = Vec::new();
    let mut alphas = Vec::new();
    for (bin, part) in benchmark.parts.iter().enumerate() {
        let own = responses.select(Axis(1), &part.columns);
        let scores = match gram.stimuli() == rows {
            true => on_responses(benchmark, gram, own.view())?,
            false => {
                let block: Vec<usize> = (bin * rows..(bin + 1) * rows).collect();
                on_responses(benchmark, &gram.select(&block)?, own.view())?
            }
        };
        alphas.extend(scores.alphas);
        values.push(scores.values);
    }
    let views: Vec<_> = values.iter().map(|part| part.view()).collect();
    let values = ndarray::concatenate(Axis(1), &views).map_err(|_| Error::TooFew {
        what: "time bins",
        needed: 1,
        found: values.len(),
    })?;
    Ok(SplitScores { values, alphas })
}

fn single(value: f64) -> SplitScores {
    SplitScores { values: Array2::from_elem((1, 1), value), alphas: Vec::new() }
}

fn unsuited(metric: &Metric) -> Error {
    Error::Parameter {
        name: "metric",
        value: format!("{metric:?}"),
        allowed: "regressions and CKA need responses; others are scored while features are read",
    }
}
