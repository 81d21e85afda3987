//! Score units: a stored Gram and a benchmark give r per split and neuroid.

use ventral_metrics::LayerGram;
use ventral_plan::{Digest, ScoreUnit, cost};
use ventral_store::{LayerGramRecord, ScoreRecord};

use crate::neural::compute;
use crate::rows::prepared;
use crate::{Error, Execution};

/// Computes and stores a score from its Gram, with as many threads as memory allows.
///
/// # Errors
/// [`Error::NoGram`] for a Gram that is missing or damaged (a damaged one is discarded, so that another run recomputes it),
/// [`Error::Metric`] if the metric is not defined for it.
pub fn execute(execution: &Execution<'_>, unit: &ScoreUnit) -> Result<(), Error> {
    let mut facts = execution.plan.benchmarks[unit.benchmark].clone();
    facts.stimulus_count = execution.plan.models[unit.model].rows(facts.stimulus_count);
    let threads = cost::score_threads(&facts, execution.memory_bytes, execution.threads);
    if threads >= execution.threads {
        return compute_and_store(execution, unit);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Mismatch(format!("cannot start {threads} threads: {error}")))?;
    pool.install(|| compute_and_store(execution, unit))
}

fn compute_and_store(execution: &Execution<'_>, unit: &ScoreUnit) -> Result<(), Error> {
    let benchmark = execution.benchmarks.benchmark(unit.benchmark)?;
    let gram = load_gram(execution, &unit.gram)?;
    let context = |source| Error::Metric { context: execution.plan.score_title(unit), source };
    let bins = &execution.plan.models[unit.model].time_bins;
    let precision = Some(gram.precision);
    let scores = prepared(&benchmark, bins, gram).and_then(|gram| compute(&benchmark, &gram));
    let record = ScoreRecord { scores: scores.map_err(context)?, precision, undefined: None };
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
