//! Score units: a stored Gram and a benchmark give r per split and neuroid.

use ndarray::Array2;
use ventral_data::{Benchmark, Metric, Target};
use ventral_metrics::{
    Error as MetricError, LayerGram, SplitScores, cka, rdm, rdm_similarity, regression_scores,
};
use ventral_plan::ScoreUnit;
use ventral_store::{LayerGramRecord, ScoreRecord, Store};

use crate::{Error, Job};

/// Computes and stores a score from its Gram.
///
/// # Errors
/// [`Error::Store`] for a Gram that is missing or damaged (a damaged one is discarded, so that another run recomputes it),
/// [`Error::Metric`] if the metric is not defined for it.
pub fn execute(job: &Job, unit: &ScoreUnit, store: &Store) -> Result<(), Error> {
    let benchmark = &job.benchmarks[unit.benchmark];
    let gram = load_gram(unit, store)?;
    let context = |source| Error::Metric { context: describe(job, unit), source };
    let scores = match &benchmark.pools {
        Some(pools) => gram.pooled(pools).and_then(|pooled| compute(benchmark, &pooled)),
        None => compute(benchmark, &gram),
    };
    let record = ScoreRecord { scores: scores.map_err(context)? };
    store.put(&unit.digest, &record.encode())?;
    Ok(())
}

/// Model, layer and benchmark of a unit, in words.
pub fn describe(job: &Job, unit: &ScoreUnit) -> String {
    let model = &job.plan.models[unit.model];
    let benchmark = &job.plan.benchmarks[unit.benchmark];
    format!("{}, layer {}, on {}", model.identifier, model.layers[unit.layer].name, benchmark.identifier)
}

fn load_gram(unit: &ScoreUnit, store: &Store) -> Result<LayerGram, Error> {
    let object = store.path(&unit.gram);
    let payload = match store.get(&unit.gram) {
        Ok(Some(payload)) => payload,
        Ok(None) => {
            return Err(Error::Mismatch(format!("its Gram {} is not in the store", unit.gram.short())));
        }
        Err(error) => {
            if matches!(error, ventral_store::Error::Damaged { .. }) {
                store.discard(&unit.gram)?;
            }
            return Err(error.into());
        }
    };
    let decoded = LayerGramRecord::decode(&payload);
    Ok(decoded.map_err(|source| Error::Codec { object, source })?.0)
}

fn compute(benchmark: &Benchmark, gram: &LayerGram) -> Result<SplitScores, MetricError> {
    match (&benchmark.metric, &benchmark.target) {
        (Metric::Regression(regression), Target::Responses { averaged, .. }) => {
            regression_scores(regression, gram, averaged.view(), &benchmark.splits)
        }
        (Metric::Rdm, Target::Rdm { mean, .. }) => {
            Ok(single(rdm_similarity(rdm(gram)?.view(), mean.view())?))
        }
        (Metric::Rdm, Target::Responses { averaged, .. }) => {
            let target = rdm(&LayerGram::from_features(averaged.view())?)?;
            Ok(single(rdm_similarity(rdm(gram)?.view(), target.view())?))
        }
        (Metric::Cka(estimator), Target::Responses { averaged, .. }) => {
            let target = LayerGram::from_features(averaged.view())?;
            Ok(single(cka(gram, &target, *estimator)?))
        }
        (metric, _) => Err(MetricError::Parameter {
            name: "metric",
            value: format!("{metric:?}"),
            allowed: "regressions and CKA need responses; neuron_to_neuron is scored while features are read",
        }),
    }
}

fn single(value: f64) -> SplitScores {
    SplitScores { values: Array2::from_elem((1, 1), value), alphas: Vec::new() }
}
