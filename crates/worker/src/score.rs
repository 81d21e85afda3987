//! Scores from Gram matrices: of one that is in memory, or of one in the store.

use std::sync::Arc;

use rayon::prelude::*;
use ventral_data::Benchmark;
use ventral_metrics::{Error as MetricError, LayerGram, SplitScores};
use ventral_plan::{BenchmarkFacts, Digest, FeaturesUnit, ScoreUnit, cost};
use ventral_store::{LayerGramRecord, ScoreRecord};

use crate::execution::{MAX_BENCHMARK_BYTES, count_within};
use crate::rows::prepared;
use crate::{Error, Event, Execution, neural};

/// Computes and stores a score from its stored Gram, with as many threads as memory allows.
///
/// # Errors
/// [`Error::NoGram`] for a Gram that is missing or damaged (a damaged one is discarded, so that another run recomputes it),
/// [`Error::Metric`] if the metric is not defined for it.
pub fn execute(execution: &Execution<'_>, score: usize) -> Result<(), Error> {
    let unit = &execution.plan.scores[score];
    let gram = load_gram(execution, &unit.gram)?;
    let alone = [(score, execution.benchmarks.benchmark(unit.benchmark)?)];
    let memory = execution.memory_bytes;
    let computed = on_threads(execution, score, memory, || compute_group(execution, &alone, &gram))?;
    computed.into_iter().try_for_each(|scores| store_score(execution, unit, scores?, &gram))
}

/// A score and its benchmark.
type Loaded = (usize, Arc<Benchmark>);

/// Computes and stores scores of a Gram that is in memory, as many at a time as fit beside what is being read; those that failed, by
/// their index in the plan. Benchmarks with the same splits share what their regressions have in common.
///
/// # Errors
/// A store that fails, and interruption.
pub fn execute_all(
    execution: &Execution<'_>,
    features: &FeaturesUnit,
    scores: &[usize],
    gram: &LayerGram,
) -> Result<Vec<(usize, Error)>, Error> {
    let free = execution.memory_bytes.saturating_sub(features.reading_bytes).max(features.scoring_bytes);
    let mut failed = Vec::new();
    let mut scores = scores;
    while !scores.is_empty() {
        let sizes = scores.iter().map(|&score| benchmark_of(execution, score).bytes());
        let (together, rest) = scores.split_at(count_within(sizes, MAX_BENCHMARK_BYTES, 1));
        let mut loaded = Vec::with_capacity(together.len());
        for &score in together {
            match execution.benchmarks.benchmark(execution.plan.scores[score].benchmark) {
                Ok(benchmark) => loaded.push((score, benchmark)),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => failed.push((score, error)),
            }
        }
        failed.extend(execute_groups(execution, &groups(execution, loaded), free, gram)?);
        scores = rest;
    }
    Ok(failed)
}

/// Scores by what they share; most are alone.
fn groups(execution: &Execution<'_>, loaded: Vec<Loaded>) -> Vec<Vec<Loaded>> {
    let mut groups: Vec<Vec<Loaded>> = Vec::new();
    for (score, benchmark) in loaded {
        let timed = !execution.plan.models[execution.plan.scores[score].model].time_bins.is_empty();
        let alike = |group: &&mut Vec<Loaded>| {
            !timed
                && neural::shared(&group[0].1).is_some_and(|one| {
                    neural::shared(&benchmark).is_some_and(|other| (one.0, one.2) == (other.0, other.2))
                })
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push((score, benchmark)),
            None => groups.push(vec![(score, benchmark)]),
        }
    }
    groups
}

fn execute_groups(
    execution: &Execution<'_>,
    groups: &[Vec<Loaded>],
    free: u64,
    gram: &LayerGram,
) -> Result<Vec<(usize, Error)>, Error> {
    let fitting = |(score, _): &Loaded| {
        cost::scores_at_once(
            benchmark_of(execution, *score),
            rows(execution, *score),
            free,
            execution.threads,
        )
    };
    let at_once = groups.iter().flatten().map(fitting).min().unwrap_or(0);
    let mut failed = Vec::new();
    // On the threads that are there: each thread that is started for a Gram would keep memory of its own.
    for groups in groups.chunks(at_once.max(1)) {
        if execution.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let work = |group: &Vec<Loaded>| execute_group(execution, group, free, gram);
        let done: Vec<_> = groups.par_iter().with_max_len(1).map(work).collect();
        for of_group in done {
            failed.extend(of_group?);
        }
    }
    Ok(failed)
}

/// Computes and stores a group; those of it that failed.
fn execute_group(
    execution: &Execution<'_>,
    group: &[Loaded],
    free: u64,
    gram: &LayerGram,
) -> Result<Vec<(usize, Error)>, Error> {
    let memory = cost::BASE_BYTES.saturating_add(free);
    let computed = on_threads(execution, group[0].0, memory, || compute_group(execution, group, gram))?;
    let mut failed = Vec::new();
    for (&(score, _), outcome) in group.iter().zip(computed) {
        let unit = &execution.plan.scores[score];
        match outcome.and_then(|scores| store_score(execution, unit, scores, gram)) {
            Ok(()) => execution.observer.on(&Event::ScoreStored { unit }),
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => failed.push((score, error)),
        }
    }
    Ok(failed)
}

/// Scores of a group, in order; what they share is computed once, and changes no byte.
fn compute_group(
    execution: &Execution<'_>,
    group: &[Loaded],
    gram: &LayerGram,
) -> Vec<Result<SplitScores, Error>> {
    let plan = execution.plan;
    let named = |score: usize, found: Result<SplitScores, MetricError>| {
        let context = || plan.score_title(&plan.scores[score]);
        found.map_err(|source| Error::Metric { context: context(), source })
    };
    if let [(score, benchmark)] = group {
        let bins = &plan.models[plan.scores[*score].model].time_bins;
        let found = prepared(benchmark, bins, gram).and_then(|gram| neural::compute(benchmark, &gram));
        return vec![named(*score, found)];
    }
    let found = neural::compute_shared(group.iter().map(|(_, benchmark)| benchmark.as_ref()), gram);
    group.iter().zip(found).map(|((score, _), found)| named(*score, found)).collect()
}

fn benchmark_of<'a>(execution: &Execution<'a>, score: usize) -> &'a BenchmarkFacts {
    &execution.plan.benchmarks[execution.plan.scores[score].benchmark]
}

/// Rows of the Gram of a score.
fn rows(execution: &Execution<'_>, score: usize) -> usize {
    let model = &execution.plan.models[execution.plan.scores[score].model];
    model.rows(benchmark_of(execution, score).stimulus_count)
}

/// Does `work` on as many threads as a score may use in so much memory.
fn on_threads<T: Send>(
    execution: &Execution<'_>,
    score: usize,
    memory: u64,
    work: impl FnOnce() -> T + Send,
) -> Result<T, Error> {
    let (benchmark, rows) = (benchmark_of(execution, score), rows(execution, score));
    let threads = cost::score_threads(benchmark, rows, memory, execution.threads);
    if threads >= execution.threads {
        return Ok(work());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Mismatch(format!("cannot start {threads} threads: {error}")))?;
    Ok(pool.install(work))
}

fn store_score(
    execution: &Execution<'_>,
    unit: &ScoreUnit,
    scores: SplitScores,
    gram: &LayerGram,
) -> Result<(), Error> {
    let record = ScoreRecord { scores, precision: Some(gram.precision), undefined: None };
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
