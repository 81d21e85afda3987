//! `ventral plan`: what a run would do.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use ventral_plan::{MapSource, MapUnit, PoolFacts, SCORING_SECONDS, Scoring};
use ventral_worker::{Job, Work, work};

use crate::context::Context;
use crate::exit::Outcome;
use crate::{results, table, units};

/// Prints the plan of a spec.
pub fn plan(context: &Context, spec: &Path) -> Outcome {
    let job = context.job(spec)?;
    let work = work(&job, &context.store()?);
    context.print(&Summary::new(&job, &work), || text(&job, &work))
}

#[derive(Serialize)]
struct Summary<'a> {
    job: String,
    units: usize,
    cached: usize,
    features_units: usize,
    /// Scores to compute, wherever.
    scores: usize,
    /// Those of them that are units of their own.
    score_units: usize,
    map_units: usize,
    synthesis_units: usize,
    predicted_seconds: f64,
    predicted_core_hours: f64,
    predicted_peak_bytes: u64,
    /// Units that do not fit into the memory there is, each with the reason.
    cannot_run: Vec<CannotRun<'a>>,
    /// Cards that cannot be used, each with the reason.
    refused: &'a [ventral_plan::Refused],
    plan: &'a ventral_plan::Plan,
}

#[derive(Serialize)]
struct CannotRun<'a> {
    #[serde(flatten)]
    unit: &'a ventral_plan::Unfit,
    reason: String,
}

impl<'a> Summary<'a> {
    fn new(job: &'a Job, work: &'a Work) -> Self {
        Self {
            job: job.plan.job_id(),
            units: job.plan.unit_count(),
            cached: work.cached,
            features_units: work.features.len(),
            scores: work.scores.len(),
            score_units: apart(job, work).count(),
            map_units: work.maps.len(),
            synthesis_units: work.syntheses.len(),
            predicted_seconds: work.seconds,
            predicted_core_hours: core_hours(job, work),
            predicted_peak_bytes: work.peak_bytes,
            cannot_run: work.unfit.iter().map(|unit| CannotRun { unit, reason: unit.reason() }).collect(),
            refused: &job.plan.refused,
            plan: &job.plan,
        }
    }
}

fn text(job: &Job, work: &Work) -> String {
    let plan = &job.plan;
    let mut models =
        table::new(&["model", "layers", "features per stimulus", "largest layer", "to read", "memory"]);
    for (index, facts) in plan.models.iter().enumerate() {
        let total: u64 = facts.layers.iter().map(|layer| layer.features).sum();
        let largest = facts.layers.iter().max_by_key(|layer| layer.features);
        let reading = work.features.iter().filter(|(unit, _)| plan.features[*unit].model == index);
        let (mut missing, mut memory) = (0, 0);
        for (unit, lacks) in reading {
            missing += lacks.layers(plan, &plan.features[*unit]).len();
            memory = memory.max(plan.features[*unit].estimate.memory_bytes);
        }
        models.add_row([
            facts.identifier.clone(),
            units::count(facts.layers.len() as u64),
            units::count(total),
            largest.map_or(String::new(), |l| format!("{} ({})", l.name, units::count(l.features))),
            match missing {
                0 if plan.features.iter().all(|unit| unit.model != index) => "nothing".to_owned(),
                0 => "cached".to_owned(),
                _ => format!("{missing} layers"),
            },
            if memory == 0 { String::new() } else { units::bytes(memory) },
        ]);
    }
    let mut benchmarks =
        table::new(&["benchmark", "region", "metric", "stimuli", "targets", "splits", "ceiling", "to score"]);
    for (index, facts) in plan.benchmarks.iter().enumerate() {
        let missing = work.scores.iter().filter(|&&score| plan.scores[score].benchmark == index).count();
        benchmarks.add_row([
            format!("{} v{}", facts.identifier, facts.version),
            facts.region.clone(),
            facts.metric.clone(),
            units::count(facts.stimulus_count as u64),
            units::count(facts.targets as u64),
            facts.splits.to_string(),
            facts.ceiling.map_or("none".to_owned(), |ceiling| table::score(ceiling.value)),
            if missing == 0 { "cached".to_owned() } else { format!("{missing} layers") },
        ]);
    }
    let tables = [
        (!plan.models.is_empty()).then(|| models.to_string()),
        (!plan.benchmarks.is_empty()).then(|| benchmarks.to_string()),
        (!plan.maps.is_empty()).then(|| maps(job, work)),
        (!plan.syntheses.is_empty()).then(|| syntheses(job, work)),
    ];
    let tables: String = tables.into_iter().flatten().map(|table| format!("{table}\n\n")).collect();
    format!(
        "job {}\n\n{tables}{}{}{}",
        plan.job_id(),
        totals(job, work),
        shapes(job, work),
        left_out(job, work)
    )
}

/// A row per subject and what is mapped: its units, their memory and hours.
fn maps(job: &Job, work: &Work) -> String {
    let plan = &job.plan;
    let mut table = table::new(&[
        "scan",
        "subject",
        "map",
        "centres",
        "layers",
        "units",
        "to compute",
        "memory",
        "core-hours",
    ]);
    let same = |a: &MapUnit, b: &MapUnit| (a.scan, a.subject, a.source) == (b.scan, b.subject, b.source);
    let mut first = 0;
    for units_of_map in plan.maps.chunk_by(same) {
        let range = first..first + units_of_map.len();
        first = range.end;
        let Some(unit) = units_of_map.first() else { continue };
        let scan = &plan.scans[unit.scan];
        let missing = range.filter(|index| work.maps.binary_search(index).is_ok()).count();
        let centres = units_of_map.iter().map(|unit| unit.centres[1] - unit.centres[0]).sum::<usize>();
        let seconds: f64 = units_of_map.iter().map(|unit| unit.estimate.seconds).sum();
        let memory = units_of_map.iter().map(|unit| unit.estimate.memory_bytes).max().unwrap_or(0);
        let layers = match unit.source {
            MapSource::Model(model) => plan.models[model].layers.len().to_string(),
            MapSource::Rdms => scan.rdms.len().to_string(),
            MapSource::Reliability | MapSource::Ceiling => String::new(),
        };
        table.add_row([
            format!("{} v{}", scan.identifier, scan.version),
            unit.subject.map_or("all".to_owned(), |subject| scan.subjects[subject].id.clone()),
            plan.map_source(unit),
            units::count(centres as u64),
            layers,
            units_of_map.len().to_string(),
            if missing == 0 { "cached".to_owned() } else { missing.to_string() },
            units::bytes(memory),
            format!("{:.4}", seconds * plan.machine.threads as f64 / 3600.0),
        ]);
    }
    table.to_string()
}

/// A row per model: its restarts, the steps they take at most, their memory and hours, and the natural images.
fn syntheses(job: &Job, work: &Work) -> String {
    let plan = &job.plan;
    let mut table = table::new(&[
        "synthesis for",
        "layers",
        "images",
        "seeds",
        "steps",
        "to make",
        "memory",
        "core-hours",
        "natural images",
    ]);
    let Some(spec) = &plan.spec.synthesis else { return table.to_string() };
    let natural = plan.pools.first().map_or("none".to_owned(), natural_images);
    let mut first = 0;
    for restarts in plan.syntheses.chunk_by(|a, b| a.model == b.model) {
        let range = first..first + restarts.len();
        first = range.end;
        let (Some(unit), Some(last)) = (restarts.first(), restarts.last()) else { continue };
        let facts = &plan.models[unit.model];
        let side = facts.gradient.as_ref().map_or([0, 0], |gradient| gradient.size);
        let missing = range.filter(|index| work.syntheses.binary_search(index).is_ok()).count();
        let seconds: f64 = restarts.iter().map(|unit| unit.estimate.seconds).sum();
        table.add_row([
            facts.identifier.clone(),
            unit.layers.len().to_string(),
            format!("{} of {} x {}", spec.images, side[1], side[0]),
            if unit.seed == last.seed {
                unit.seed.to_string()
            } else {
                format!("{}-{}", unit.seed, last.seed)
            },
            units::count(spec.steps),
            if missing == 0 { "cached".to_owned() } else { missing.to_string() },
            units::bytes(unit.estimate.memory_bytes),
            format!("{:.4}", seconds * plan.machine.threads as f64 / 3600.0),
            natural.clone(),
        ]);
    }
    table.to_string()
}

/// Natural images that synthesised ones are compared with.
pub fn natural_images(pool: &PoolFacts) -> String {
    format!("{} of {} v{}", units::count(pool.count as u64), pool.identifier, pool.version)
}

fn totals(job: &Job, work: &Work) -> String {
    let plan = &job.plan;
    let layers =
        work.features.iter().map(|(unit, missing)| missing.layers(plan, &plan.features[*unit]).len());
    let apart = apart(job, work).count();
    let maps = if plan.maps.is_empty() {
        String::new()
    } else {
        format!(", {} map units", units::count(work.maps.len() as u64))
    };
    let syntheses = if plan.syntheses.is_empty() {
        String::new()
    } else {
        format!(", {} synthesis units", units::count(work.syntheses.len() as u64))
    };
    format!(
        "{} results, {} cached; to do: {} features units ({} layers, {} scores), {} score units{maps}{syntheses}\n\
         about {} on this machine, {:.2} core-hours; at most {} of memory (limit {})\n",
        units::count(plan.unit_count() as u64),
        units::count(work.cached as u64),
        units::count(work.features.len() as u64),
        units::count(layers.sum::<usize>() as u64),
        units::count((work.scores.len() - apart) as u64),
        units::count(apart as u64),
        units::duration(work.seconds),
        core_hours(job, work),
        units::bytes(work.peak_bytes),
        units::bytes(plan.machine.memory_bytes),
    )
}

/// Missing scores that are units of their own.
fn apart<'a>(job: &'a Job, work: &'a Work) -> impl Iterator<Item = usize> + 'a {
    work.scores.iter().copied().filter(|&score| job.plan.scores[score].apart)
}

/// Why scores are units of their own, by benchmark.
fn shapes(job: &Job, work: &Work) -> String {
    let plan = &job.plan;
    let mut by_benchmark: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
    for score in apart(job, work) {
        let (count, seconds) = by_benchmark.entry(plan.scores[score].benchmark).or_default();
        *count += 1;
        *seconds += plan.scores[score].estimate.seconds;
    }
    let why = match plan.spec.features.scoring {
        Scoring::Auto => format!(
            "while a layer is read, {SCORING_SECONDS:.0} s of scoring are taken on, or as much as reading takes, as far as memory allows"
        ),
        _ => "the spec says so".to_owned(),
    };
    let line = |(benchmark, (count, seconds)): (usize, (usize, f64))| {
        let name = &plan.benchmarks[benchmark].identifier;
        let time = units::duration(seconds);
        format!("{name}: {} score units of about {time} together ({why})\n", units::count(count as u64))
    };
    by_benchmark.into_iter().map(line).collect()
}

fn core_hours(job: &Job, work: &Work) -> f64 {
    work.seconds * job.plan.machine.threads as f64 / 3600.0
}

/// What will fail, and why.
fn left_out(job: &Job, work: &Work) -> String {
    let unfit = work.unfit.iter().map(|unfit| format!("cannot run: {}\n", unfit.reason()));
    let refused = job.plan.refused.iter().map(results::left_out);
    unfit.chain(refused).collect()
}
