//! Goes through the units of a job that are not in the store.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ventral_plan::{Digest, FeaturesUnit, Plan, ScoreUnit, Unfit, UnitRef};
use ventral_store::{Failure, Store, Usage};

use crate::features::{self, Failures, Missing};
use crate::maps::map_all;
use crate::model::LastModel;
use crate::synthesis::synthesise_all;
use crate::{Error, Event, Execution, Job, LoadedModel, Observer, heal, machine, parallel, score};

/// Rounds over a job: the second recomputes what was found damaged in the first.
const MAX_ROUNDS: usize = 2;

/// What a run would compute and what it would find in the store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Work {
    /// Indices into the plan's features units with something missing, and what.
    pub features: Vec<(usize, Missing)>,
    /// Indices into the plan's scores that are missing.
    pub scores: Vec<usize>,
    /// Indices into the plan's maps that are missing.
    pub maps: Vec<usize>,
    /// Indices into the plan's syntheses that are missing.
    pub syntheses: Vec<usize>,
    /// Units of these that do not fit into the machine's memory: they will fail, the others go on.
    pub unfit: Vec<Unfit>,
    /// Units found in the store.
    pub cached: usize,
    /// Predicted seconds of those that fit.
    pub seconds: f64,
    /// Predicted peak memory of those that fit, in bytes.
    pub peak_bytes: u64,
}

/// How a run went.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Units that failed.
    pub failures: Vec<Failure>,
    /// Cost, predicted and measured.
    pub usage: Usage,
}

/// What is left to do of a job.
pub fn work(job: &Job, store: &Store) -> Work {
    work_with(job, store, &BTreeSet::new())
}

/// What is left to do, the Gram matrices among `wanted` with it that nothing else asks for.
fn work_with(job: &Job, store: &Store, wanted: &BTreeSet<Digest>) -> Work {
    let plan = &job.plan;
    let scores: Vec<usize> =
        (0..plan.scores.len()).filter(|&i| !store.contains(&plan.scores[i].digest)).collect();
    let maps = (0..plan.maps.len()).filter(|&i| !store.contains(&plan.maps[i].digest)).collect();
    let lacking = |&i: &usize| !store.contains(&plan.syntheses[i].digest);
    let syntheses = (0..plan.syntheses.len()).filter(lacking).collect();
    let mut work = Work { scores, maps, syntheses, ..Work::default() };
    let readers = work.scores.iter().filter(|&&score| reads_stored_gram(job, score));
    let needed: BTreeSet<&Digest> = readers.map(|&score| &plan.scores[score].gram).collect();
    let mapped: BTreeSet<usize> = work.maps.iter().filter_map(|&i| plan.maps[i].features).collect();
    let unfit = plan.unfit(plan.machine.memory_bytes);
    let fits = |unit: UnitRef| unfit.iter().all(|unfit| unfit.unit != unit);
    let mut missing_grams = 0;
    for (index, unit) in plan.features.iter().enumerate() {
        let mut missing = Missing::of(plan, unit, store);
        // A Gram whose scores and maps are all there is not needed again, unless it is a result: of natural images, or asked for.
        let natural = plan.natural_layers(index);
        missing.grams.retain(|&layer| {
            let gram = &unit.layers[layer].gram;
            plan.spec.features.keep_grams
                || mapped.contains(&index)
                || natural.contains(&layer)
                || wanted.contains(gram)
                || needed.contains(gram)
        });
        missing_grams += missing.grams.len();
        if !missing.is_empty() {
            if fits(UnitRef::Features(index)) {
                work.seconds += plan.reading_seconds(index) * share_read(plan, unit, &missing);
                work.seconds += missing.scores.iter().map(|&i| plan.scores[i].estimate.seconds).sum::<f64>();
                work.peak_bytes = work.peak_bytes.max(unit.estimate.memory_bytes);
            }
            work.features.push((index, missing));
        }
    }
    let apart = work.scores.iter().copied().filter(|&i| plan.scores[i].apart);
    let fitting: Vec<usize> = apart.filter(|&i| fits(UnitRef::Score(i))).collect();
    work.seconds += fitting.iter().map(|&index| plan.scores[index].estimate.seconds).sum::<f64>();
    let (largest, at_once) = concurrency(job, &fitting);
    work.peak_bytes = work.peak_bytes.max(largest * at_once as u64);
    for &index in work.maps.iter().filter(|&&index| fits(UnitRef::Map(index))) {
        let estimate = &plan.maps[index].estimate;
        work.seconds += estimate.seconds;
        work.peak_bytes = work.peak_bytes.max(estimate.memory_bytes);
    }
    for &index in work.syntheses.iter().filter(|&&index| fits(UnitRef::Synthesis(index))) {
        let estimate = &plan.syntheses[index].estimate;
        work.seconds += estimate.seconds;
        work.peak_bytes = work.peak_bytes.max(estimate.memory_bytes);
    }
    let missing = missing_grams + work.scores.len() + work.maps.len() + work.syntheses.len();
    work.cached = plan.unit_count() - missing;
    work.unfit = unfit;
    work.unfit.retain(|unfit| match unfit.unit {
        UnitRef::Features(index) => work.features.iter().any(|(features, _)| *features == index),
        UnitRef::Score(index) => work.scores.contains(&index),
        UnitRef::Map(index) => work.maps.binary_search(&index).is_ok(),
        UnitRef::Synthesis(index) => work.syntheses.binary_search(&index).is_ok(),
    });
    work
}

impl Work {
    /// Why a unit does not fit, if it does not.
    pub(crate) fn unfit_reason(&self, unit: UnitRef) -> Option<String> {
        self.unfit.iter().find(|unfit| unfit.unit == unit).map(Unfit::reason)
    }

    /// Whether there is something to do and none of it fits.
    fn is_hopeless(&self) -> bool {
        let count = |kind: fn(&UnitRef) -> bool| self.unfit.iter().filter(|unfit| kind(&unfit.unit)).count();
        let features = count(|unit| matches!(unit, UnitRef::Features(_)));
        let scores = count(|unit| matches!(unit, UnitRef::Score(_)));
        let maps = count(|unit| matches!(unit, UnitRef::Map(_)));
        let syntheses = count(|unit| matches!(unit, UnitRef::Synthesis(_)));
        let nothing_read = features == self.features.len();
        self.cached == 0
            && maps == self.maps.len()
            && syntheses == self.syntheses.len()
            && (nothing_read || scores == self.scores.len())
            && !self.unfit.is_empty()
    }
}

/// Memory of the largest of these scores in bytes, and how many are computed at a time: one per thread, as far as memory allows.
fn concurrency(job: &Job, scores: &[usize]) -> (u64, usize) {
    let largest = scores.iter().map(|&i| job.plan.scores[i].estimate.memory_bytes).max().unwrap_or(0);
    let fitting = usize::try_from(job.plan.machine.memory_bytes / largest.max(1)).unwrap_or(usize::MAX);
    (largest, fitting.clamp(1, job.plan.machine.threads.max(1)).min(scores.len()))
}

/// Whether a score reads its Gram matrix from the store, alone or before tiles.
fn reads_stored_gram(job: &Job, score: usize) -> bool {
    let unit = &job.plan.scores[score];
    unit.apart || job.plan.benchmarks[unit.benchmark].variant.needs_gram
}

/// The part of a unit's layers that is read.
fn share_read(plan: &Plan, unit: &FeaturesUnit, missing: &Missing) -> f64 {
    missing.layers(plan, unit).len() as f64 / unit.plain().count().max(1) as f64
}

/// Computes everything that is missing. A unit that fails, or does not fit into memory, is reported and the others go on.
///
/// # Errors
/// Only what makes going on pointless: a store that fails, no unit that fits, and interruption. Finished units are kept.
pub fn run(job: &Job, store: &Store, observer: &dyn Observer) -> Result<Report, Error> {
    let started = Instant::now();
    // Discarded Gram matrices are made again even if all their scores are there: the store is as it was, then.
    let discarded = heal::discard_damaged(&job.plan, store, observer)?;
    let before = work_with(job, store, &discarded);
    if let (true, Some(unfit)) = (before.is_hopeless(), before.unfit.first()) {
        return Err(Error::Plan(unfit.clone().into()));
    }
    let mut failures = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let mut damaged = false;
        failures = Vec::new();
        let now = work_with(job, store, &discarded);
        read_features(job, store, observer, &now, &mut failures, &mut damaged)?;
        score_all(job, store, observer, &mut failures, &mut damaged)?;
        map_all(job, store, observer, &now, &mut failures, &mut damaged)?;
        synthesise_all(job, store, observer, &now, &mut failures)?;
        if !damaged {
            break;
        }
    }
    failures.extend(job.plan.refused.iter().map(|refused| Failure {
        digest: refused.digest(),
        unit: refused.title(),
        reason: refused.reason.clone(),
    }));
    let left = work_with(job, store, &discarded);
    let usage = Usage {
        computed: left.cached.saturating_sub(before.cached),
        cached: before.cached,
        predicted_seconds: before.seconds,
        seconds: started.elapsed().as_secs_f64(),
        predicted_bytes: before.peak_bytes,
        peak_bytes: machine::peak_memory_bytes(),
    };
    Ok(Report { failures, usage })
}

pub(crate) fn execution<'a>(job: &'a Job, store: &'a Store, observer: &'a dyn Observer) -> Execution<'a> {
    let machine = &job.plan.machine;
    Execution {
        plan: &job.plan,
        benchmarks: job,
        scans: job,
        pools: job,
        store,
        memory_bytes: machine.memory_bytes,
        threads: machine.threads,
        patience: Duration::ZERO,
        observer,
    }
}

fn read_features(
    job: &Job,
    store: &Store,
    observer: &dyn Observer,
    work: &Work,
    failures: &mut Vec<Failure>,
    damaged: &mut bool,
) -> Result<(), Error> {
    let last = LastModel::default();
    for (index, missing) in &work.features {
        let unit = &job.plan.features[*index];
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        if let Some(reason) = work.unfit_reason(UnitRef::Features(*index)) {
            fail_layers(job, unit, missing, &reason, observer, failures);
            continue;
        }
        let left = |missing: &Missing| missing.left(&job.plan, unit, store, &Failures::default());
        let model = || last.get(unit.model, || LoadedModel::load(&job.cards[unit.model]));
        match features::execute(&execution(job, store, observer), unit, missing, &model) {
            Ok(failed) => {
                for (layer, error) in failed.layers {
                    let of_layer = left(missing).only(&job.plan, unit, layer);
                    fail_layers(job, unit, &of_layer, &error.to_string(), observer, failures);
                }
                for (score, error) in failed.scores {
                    *damaged |= matches!(error, Error::NoGram { .. });
                    fail_score(job, observer, failures, score, &error.to_string());
                }
            }
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => fail_layers(job, unit, &left(missing), &error.to_string(), observer, failures),
        }
    }
    Ok(())
}

/// Every score and map that needs one of the missing layers fails for the reason the layer failed.
fn fail_layers(
    job: &Job,
    unit: &FeaturesUnit,
    missing: &Missing,
    reason: &str,
    observer: &dyn Observer,
    failures: &mut Vec<Failure>,
) {
    let grams: Vec<_> = missing.grams.iter().map(|&layer| &unit.layers[layer].gram).collect();
    for (index, score_unit) in job.plan.scores.iter().enumerate() {
        let lost = if score_unit.apart {
            grams.contains(&&score_unit.gram)
        } else {
            missing.scores.contains(&index)
        };
        if lost {
            let layer = &job.plan.models[unit.model].layers[score_unit.layer].name;
            // The title says so.
            let own = reason.strip_prefix(&format!("layer {layer}: ")).unwrap_or(reason);
            failures.push(failure(job, score_unit, own.to_owned()));
        }
    }
    fail_maps(job, unit, missing, reason, failures);
    fail_natural(job, unit, missing, reason, failures);
    let model = &job.plan.models[unit.model].identifier;
    observer.on(&Event::Failed { unit: format!("reading {model}"), reason: reason.to_owned() });
}

fn fail_maps(job: &Job, unit: &FeaturesUnit, missing: &Missing, reason: &str, failures: &mut Vec<Failure>) {
    let Some(&layer) = missing.grams.first() else { return };
    let name = &job.plan.models[unit.model].layers[unit.layers[layer].layer].name;
    let index = job.plan.features.iter().position(|other| other == unit);
    // Several layers may fail: the first says why.
    let known: BTreeSet<Digest> = failures.iter().map(|failure| failure.digest.clone()).collect();
    for map in job.plan.maps.iter().filter(|map| map.features == index && !known.contains(&map.digest)) {
        let reason = format!("layer {name} cannot be read: {reason}");
        failures.push(Failure { digest: map.digest.clone(), unit: job.plan.map_title(map), reason });
    }
}

/// Layers that natural images were to be compared in.
fn fail_natural(
    job: &Job,
    unit: &FeaturesUnit,
    missing: &Missing,
    reason: &str,
    failures: &mut Vec<Failure>,
) {
    let Some(index) = job.plan.features.iter().position(|other| other == unit) else { return };
    let natural = job.plan.natural_layers(index);
    for &position in missing.grams.iter().filter(|position| natural.contains(position)) {
        failures.push(Failure {
            digest: unit.layers[position].gram.clone(),
            unit: job.plan.natural_title(index, position),
            reason: reason.to_owned(),
        });
    }
}

fn failure(job: &Job, unit: &ScoreUnit, reason: String) -> Failure {
    Failure::new(unit.digest.clone(), job.plan.score_title(unit), &reason)
}

fn score_all(
    job: &Job,
    store: &Store,
    observer: &dyn Observer,
    failures: &mut Vec<Failure>,
    damaged: &mut bool,
) -> Result<(), Error> {
    let has_gram =
        |&index: &usize| job.plan.scores[index].apart && store.contains(&job.plan.scores[index].gram);
    let work = work(job, store);
    let (unfit, pending): (Vec<usize>, Vec<usize>) = work
        .scores
        .iter()
        .copied()
        .filter(has_gram)
        .partition(|&index| work.unfit_reason(UnitRef::Score(index)).is_some());
    for index in unfit {
        fail_score(
            job,
            observer,
            failures,
            index,
            &work.unfit_reason(UnitRef::Score(index)).unwrap_or_default(),
        );
    }
    if pending.is_empty() {
        return Ok(());
    }
    observer.on(&Event::ScoresStarted { missing: pending.len() });
    let (_, workers) = concurrency(job, &pending);
    let failed = parallel::each(&pending, workers, observer, |&index| {
        score::execute(&execution(job, store, observer), index)?;
        observer.on(&Event::ScoreStored { unit: &job.plan.scores[index] });
        Ok(())
    })?;
    for (place, error) in failed {
        *damaged |= matches!(error, Error::NoGram { .. });
        fail_score(job, observer, failures, pending[place], &error.to_string());
    }
    Ok(())
}

fn fail_score(job: &Job, observer: &dyn Observer, failures: &mut Vec<Failure>, index: usize, reason: &str) {
    let unit = &job.plan.scores[index];
    observer.on(&Event::Failed { unit: job.plan.score_title(unit), reason: reason.to_owned() });
    failures.push(failure(job, unit, reason.to_owned()));
}
