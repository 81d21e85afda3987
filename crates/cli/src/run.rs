//! `ventral run` and `ventral resume`.

use std::path::{Path, PathBuf};

use serde::Serialize;
use ventral_aggregator::{LayerScore, Leaderboard, assemble};
use ventral_store::{Failure, JobRecord, Store, Usage};
use ventral_worker::run as compute;

use crate::args::LockArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::progress::{Progress, stop_on_signal};
use crate::{lock, maps, results, store, synthesis, units};

#[derive(Serialize)]
struct Summary<'a> {
    job: &'a str,
    leaderboard: &'a Leaderboard,
    failures: &'a [Failure],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unceiled: Vec<String>,
    usage: Usage,
    report: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maps: Option<&'a ventral_aggregator::Maps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synthesis: Option<&'a ventral_aggregator::Syntheses>,
}

/// Scores what a spec names, prints the leaderboard, writes the report.
pub fn run(context: &Context, spec: &Path, report: bool, lock: LockArgs) -> Outcome {
    stop_on_signal();
    if context.remote.is_some() {
        tell!("computing here; `ventral submit` uses the cluster");
    }
    let store = context.store()?;
    let job = context.job(spec)?;
    let id = job.plan.job_id();
    let _lock = lock::take(&store, &id, lock)?;
    store::discard_damaged(&store, &id)?;
    let mut record = JobRecord {
        plan: job.plan.clone(),
        spec_file: absolute(spec)?,
        data_dir: context.data.as_deref().map(absolute).transpose()?,
        unscored: 0,
        failures: Vec::new(),
        usage: None,
    };
    store.save_job(&id, &record)?;
    let outcome = compute(&job, &store, &Progress::new(&job.plan))?;
    record.failures = outcome.failures;
    record.usage = Some(outcome.usage);
    finish(context, &store, &id, record, outcome.usage, report)
}

/// Continues a job from its record.
pub fn resume(context: &Context, job: Option<&str>, lock: LockArgs) -> Outcome {
    let store = context.store()?;
    let (id, record) = context.record(&store, job)?;
    tell!("continuing {id} ({})", record.spec_file.display());
    let data = context.data.clone().or(record.data_dir);
    let context = Context { data, store_dir: context.store_dir.clone(), remote: None, ..*context };
    run(&context, &record.spec_file, true, lock)
}

fn finish(
    context: &Context,
    store: &Store,
    id: &str,
    mut record: JobRecord,
    usage: Usage,
    report: bool,
) -> Outcome {
    store.save_job(id, &record)?;
    let results = assemble(&record.plan, store, &record.failures)?;
    record.unscored = results.failed();
    store.save_job(id, &record)?;
    let written = maps::after_run(store, id, &record)?;
    let images = synthesis::after_run(store, id, &record)?;
    // A job of maps or images alone has no scores to report.
    let scored = !record.plan.benchmarks.is_empty() || (written.is_none() && images.is_none());
    let report = if report && scored {
        Some(results::write_report(store, id, &record, &results, None)?)
    } else {
        None
    };
    let summary = Summary {
        job: id,
        leaderboard: &results.leaderboard,
        failures: &record.failures,
        unceiled: results
            .unceiled()
            .map(|(layer, reason)| format!("{}: {reason}", unceiled_title(layer)))
            .collect(),
        usage,
        report,
        maps: written.as_ref().map(|written| &written.maps),
        synthesis: images.as_ref().map(|written| &written.syntheses),
    };
    context.print(&summary, || {
        let mut text = if scored { results::leaderboard_text(&results) } else { String::new() };
        if let Some(written) = &written {
            text.push_str(&maps::text(written));
        }
        if let Some(images) = &images {
            text.push_str(&synthesis::text(images));
        }
        text.push_str(&format!("\njob {id}: {}\n", usage_text(&usage, record.failed())));
        let failed = record.failed_units().map(|failure| (failure.unit.clone(), failure.reason.as_str()));
        let unceiled = results.unceiled().map(|(layer, reason)| (unceiled_title(layer), reason));
        text.push_str(&results::failures_text(failed.chain(unceiled)));
        if let Some(path) = &summary.report {
            text.push_str(&format!("report: {}\n", path.display()));
        }
        text
    })?;
    let partial = results.is_partial()
        || written.is_some_and(|written| written.maps.is_partial())
        || images.is_some_and(|written| written.syntheses.is_partial());
    if record.failures.is_empty() && !partial { Ok(()) } else { Err(Exit::Partial) }
}

fn unceiled_title(layer: &LayerScore) -> String {
    format!("{}, layer {}, on {}", layer.model, layer.layer, layer.benchmark)
}

fn usage_text(usage: &Usage, failed: usize) -> String {
    let peak = usage.peak_bytes.map_or("unknown".to_owned(), units::bytes);
    let failed = match failed {
        0 => String::new(),
        failed => format!(", {} failed", units::count(failed as u64)),
    };
    if usage.computed == 0 {
        let all = if failed.is_empty() { ", all" } else { "" };
        return format!("{} results{all} found in the store{failed}", units::count(usage.cached as u64));
    }
    format!(
        "{} results computed and {} found in the store{failed} in {} (predicted {}), peak memory {peak} (predicted at most {})",
        units::count(usage.computed as u64),
        units::count(usage.cached as u64),
        units::duration(usage.seconds),
        units::duration(usage.predicted_seconds),
        units::bytes(usage.predicted_bytes),
    )
}

fn absolute(path: &Path) -> Outcome<PathBuf> {
    std::path::absolute(path).map_err(|error| Exit::input(format!("{}: {error}", path.display())))
}
