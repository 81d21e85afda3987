//! `ventral plan` against a cluster: what a job would do there.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use ventral_client::request_id;
use ventral_plan::PlannedJob;
use ventral_proto::v1::{Job, JobState, PendingReason, SubmitRequest, UnitState};

use super::fetch::parse;
use super::jobs::{JobLine, UnitLine, unit_table};
use super::{Remote, follow, submit};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::{plan as local, results, units};

/// Most units that are looked at.
const MAX_UNITS: usize = 1_000_000;

#[derive(Serialize)]
struct Summary {
    job: JobLine,
    models: usize,
    benchmarks: usize,
    scans: usize,
    restarts: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    natural_images: Option<String>,
    by_kind: BTreeMap<String, u64>,
    cached: u64,
    core_hours: f64,
    predicted_peak_bytes: u64,
    refused: Vec<ventral_plan::Refused>,
    cannot_run: Vec<UnitLine>,
}

/// Plans a spec on the cluster and prints what it would do.
pub fn plan(context: &Context, remote: &Remote, spec: &Path) -> Outcome {
    let (name, bundle) = submit::upload(context, remote, spec)?;
    let request =
        SubmitRequest { request_id: request_id(), name, bundle: bundle.to_string(), ..Default::default() };
    let job = remote.wait(remote.client.plan(&request))?;
    let job = follow::to_end(remote, &job.id)?;
    if job.state() != JobState::Planned {
        return Err(Exit::input(format!("job {} cannot be planned: {}", job.id, job.reason)));
    }
    let summary = summary(remote, &job)?;
    context.print(&summary, || text(&summary))?;
    if summary.cannot_run.is_empty() { Ok(()) } else { Err(Exit::Partial) }
}

fn summary(remote: &Remote, job: &Job) -> Outcome<Summary> {
    let planned: PlannedJob = parse("plan", &remote.wait(remote.client.plan_document(&job.id))?)?;
    let listed = remote.wait(remote.client.units(&job.id, UnitState::Unspecified, MAX_UNITS))?;
    let mut by_kind = BTreeMap::new();
    for unit in &listed {
        *by_kind.entry(unit.kind.clone()).or_insert(0) += 1;
    }
    let nobody =
        |reason| matches!(reason, PendingReason::NoWorkerOfProfile | PendingReason::NoWorkerLargeEnough);
    let stuck = listed.iter().filter(|unit| nobody(unit.reason()) || unit.state() == UnitState::Failed);
    let to_do = listed.iter().filter(|unit| unit.state() != UnitState::Done);
    let seconds: f64 = to_do.filter_map(|unit| Some(unit.estimate?.seconds)).sum();
    Ok(Summary {
        job: JobLine::of(job),
        models: planned.plan.models.len(),
        benchmarks: planned.plan.benchmarks.len(),
        scans: planned.plan.scans.len(),
        restarts: planned.plan.syntheses.len(),
        natural_images: planned.plan.pools.first().map(local::natural_images),
        by_kind,
        cached: job.counts.unwrap_or_default().cached,
        core_hours: seconds * planned.plan.machine.threads as f64 / 3600.0,
        predicted_peak_bytes: job.peak_bytes,
        refused: planned.plan.refused,
        cannot_run: stuck.map(UnitLine::of).collect(),
    })
}

/// What there is to do: "2 models x 3 benchmarks, 4 restarts of synthesis".
fn size(summary: &Summary) -> String {
    let mut parts = vec![match summary.benchmarks {
        0 => format!("{} models", summary.models),
        count => format!("{} models x {count} benchmarks", summary.models),
    }];
    if summary.scans > 0 {
        parts.push(format!("{} scans", summary.scans));
    }
    if summary.restarts > 0 {
        let natural = summary.natural_images.as_deref().unwrap_or("no natural images");
        parts.push(format!("{} restarts of synthesis compared with {natural}", summary.restarts));
    }
    parts.join(", ")
}

fn text(summary: &Summary) -> String {
    let kinds = summary.by_kind.iter().map(|(kind, count)| format!("{} {kind}", units::count(*count)));
    let mut text = format!(
        "{}\nunits: {}; {} found in the store\nabout {} of one core; the largest unit takes {} of memory\n",
        size(summary),
        kinds.collect::<Vec<_>>().join(", "),
        units::count(summary.cached),
        units::duration(summary.core_hours * 3600.0),
        units::bytes(summary.predicted_peak_bytes),
    );
    for refused in &summary.refused {
        text.push_str(&results::left_out(refused));
    }
    if !summary.cannot_run.is_empty() {
        let count = units::count(summary.cannot_run.len() as u64);
        text.push_str(&format!(
            "\n{count} units that no worker could run now:\n{}\n",
            unit_table(&summary.cannot_run)
        ));
    }
    text
}
