//! `ventral plan`: what a run would do.

use std::path::Path;

use serde::Serialize;
use ventral_worker::{Job, Work, work};

use crate::context::Context;
use crate::exit::Outcome;
use crate::{table, units};

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
    score_units: usize,
    predicted_seconds: f64,
    predicted_peak_bytes: u64,
    plan: &'a ventral_plan::Plan,
}

impl<'a> Summary<'a> {
    fn new(job: &'a Job, work: &Work) -> Self {
        Self {
            job: job.plan.job_id(),
            units: job.plan.unit_count(),
            cached: work.cached,
            features_units: work.features.len(),
            score_units: work.scores.len(),
            predicted_seconds: work.seconds,
            predicted_peak_bytes: work.peak_bytes,
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
            missing += lacks.grams.len();
            memory = memory.max(plan.features[*unit].estimate.memory_bytes);
        }
        models.add_row([
            facts.identifier.clone(),
            units::count(facts.layers.len() as u64),
            units::count(total),
            largest.map_or(String::new(), |l| format!("{} ({})", l.name, units::count(l.features))),
            if missing == 0 { "cached".to_owned() } else { format!("{missing} layers") },
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
    format!(
        "job {}\n\n{models}\n\n{benchmarks}\n\n{} units, {} cached; about {} and at most {} of memory (limit {}) on this machine",
        plan.job_id(),
        units::count(plan.unit_count() as u64),
        units::count(work.cached as u64),
        units::duration(work.seconds),
        units::bytes(work.peak_bytes),
        units::bytes(plan.machine.memory_bytes),
    )
}
