//! Scores from Gram matrices: of one that is in memory, or of one in the store.

use ventral_metrics::LayerGram;
use ventral_plan::{Digest, FeaturesUnit, ScoreUnit, cost};
use ventral_store::{LayerGramRecord, ScoreRecord};

use crate::neural::compute;
use crate::rows::prepared;
use crate::{Error, Event, Execution, parallel};

/// Computes and stores a score from its stored Gram, with as many threads as memory allows.
///
/// # Errors
/// [`Error::NoGram`] for a Gram that is missing or damaged (a damaged one is discarded, so that another run recomputes it),
/// [`Error::Metric`] if the metric is not defined for it.
pub fn execute(execution: &Execution<'_>, unit: &ScoreUnit) -> Result<(), Error> {
    let gram = load_gram(execution, &unit.gram)?;
    on_threads(execution, unit, execution.memory_bytes, &gram)
}

/// Computes and stores scores of a Gram that is in memory, as many at a time as fit beside what is being read; those that failed, by
/// their index in the plan.
///
/// # Errors
/// A store that fails, and interruption.
pub fn execute_all(
    execution: &Execution<'_>,
    features: &FeaturesUnit,
    scores: &[usize],
    gram: &LayerGram,
) -> Result<Vec<(usize, Error)>, Error> {
    let left = execution.memory_bytes.saturating_sub(features.estimate.memory_bytes);
    let free = left.saturating_add(features.scoring_bytes);
    let plan = execution.plan;
    let fitting = |&score: &usize| {
        let unit = &plan.scores[score];
        cost::scores_at_once(&facts(execution, unit), free, execution.threads)
    };
    let at_once = scores.iter().map(fitting).min().unwrap_or(0);
    let beside = at_once >= execution.threads.min(scores.len());
    let failed = parallel::each(scores, if beside { at_once } else { 1 }, execution.observer, |&score| {
        let unit = &plan.scores[score];
        match beside {
            true => compute_and_store(execution, unit, gram),
            false => on_threads(execution, unit, cost::BASE_BYTES.saturating_add(free), gram),
        }?;
        execution.observer.on(&Event::ScoreStored { unit });
        Ok(())
    })?;
    Ok(failed.into_iter().map(|(place, error)| (scores[place], error)).collect())
}

/// The benchmark of a score, with the rows that this model has.
fn facts(execution: &Execution<'_>, unit: &ScoreUnit) -> ventral_plan::BenchmarkFacts {
    let mut facts = execution.plan.benchmarks[unit.benchmark].clone();
    facts.stimulus_count = execution.plan.models[unit.model].rows(facts.stimulus_count);
    facts
}

fn on_threads(
    execution: &Execution<'_>,
    unit: &ScoreUnit,
    memory: u64,
    gram: &LayerGram,
) -> Result<(), Error> {
    let threads = cost::score_threads(&facts(execution, unit), memory, execution.threads);
    if threads >= execution.threads {
        return compute_and_store(execution, unit, gram);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Mismatch(format!("cannot start {threads} threads: {error}")))?;
    pool.install(|| compute_and_store(execution, unit, gram))
}

fn compute_and_store(execution: &Execution<'_>, unit: &ScoreUnit, gram: &LayerGram) -> Result<(), Error> {
    let benchmark = execution.benchmarks.benchmark(unit.benchmark)?;
    let context = |source| Error::Metric { context: execution.plan.score_title(unit), source };
    let bins = &execution.plan.models[unit.model].time_bins;
    let scores = prepared(&benchmark, bins, gram).and_then(|gram| compute(&benchmark, &gram));
    let record =
        ScoreRecord { scores: scores.map_err(context)?, precision: Some(gram.precision), undefined: None };
    execution.put(&unit.digest, &record.encode())
}

pub(crate) fn load_gram(execution: &Execution<'_>, digest: &Digest) -> Result<LayerGram, Error> {
    let no_gram = |problem: String| Error::NoGram { digest: digest.clone(), problem };
    let payload = match execution.get(digest) {
        Ok(Some(payload)) => payload,
        Ok(None) => return Err(no_gram("is not in the store".to_owned())),
        Err(Error::Store(error @ ventral_store::Error::Damaged { .. })) => {
            execution.store.discard(digest)?;
            return Err(no_gram(format!("was damaged and is discarded: {error}")));
        }
        Err(error) => return Err(error),
    };
    match LayerGramRecord::decode(&payload) {
        Ok(record) => Ok(record.0),
        Err(error) => {
            execution.store.discard(digest)?;
            Err(no_gram(format!("is discarded: {error}")))
        }
    }
}
