//! Jobs and units: lists, steering, explanations.

use serde::Serialize;
use ventral_client::{Control, request_id};
use ventral_proto::text;
use ventral_proto::v1::{Job, JobState, Unit, UnitState};

use super::{Remote, follow};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::{table, units};

/// Characters of a digest in a table; enough for `explain`.
pub const SHOWN_CHARS: usize = 12;

/// Jobs that a list shows.
pub const SHOWN: usize = 100;

/// A job in JSON.
#[derive(Debug, Serialize)]
pub struct JobLine {
    id: String,
    tenant: String,
    name: String,
    state: String,
    reason: String,
    units: u64,
    cached: u64,
    done: u64,
    admitted: u64,
    waiting: u64,
    failed: u64,
    priority: i32,
    profile: String,
    submitted_ms: u64,
    ended_ms: Option<u64>,
    predicted_seconds: f64,
    peak_bytes: u64,
}

impl JobLine {
    /// Of a job.
    pub fn of(job: &Job) -> Self {
        let counts = job.counts.unwrap_or_default();
        Self {
            id: job.id.clone(),
            tenant: job.tenant.clone(),
            name: job.name.clone(),
            state: text::job_state(job.state()),
            reason: job.reason.clone(),
            units: counts.total,
            cached: counts.cached,
            done: counts.done,
            admitted: counts.admitted,
            waiting: counts.waiting,
            failed: counts.failed,
            priority: job.priority,
            profile: job.profile.clone(),
            submitted_ms: job.submitted_ms,
            ended_ms: job.ended_ms,
            predicted_seconds: job.predicted_seconds,
            peak_bytes: job.peak_bytes,
        }
    }
}

/// A unit in JSON.
#[derive(Debug, Serialize)]
pub struct UnitLine {
    unit: String,
    job: String,
    kind: String,
    title: String,
    state: String,
    reason: String,
    detail: String,
    pool: String,
    memory_bytes: Option<u64>,
    seconds: Option<f64>,
    attempts: u32,
    crashes: u32,
    evictions: u32,
}

impl UnitLine {
    /// Of a unit.
    pub fn of(unit: &Unit) -> Self {
        Self {
            unit: unit.unit.clone(),
            job: unit.job.clone(),
            kind: unit.kind.clone(),
            title: unit.title.clone(),
            state: text::unit_state(unit.state()),
            reason: text::pending_reason(unit.reason()),
            detail: unit.detail.clone(),
            pool: unit.pool.clone(),
            memory_bytes: unit.estimate.map(|estimate| estimate.memory_bytes),
            seconds: unit.estimate.map(|estimate| estimate.seconds),
            attempts: unit.attempts,
            crashes: unit.crashes,
            evictions: unit.evictions,
        }
    }
}

/// Lists jobs, the newest first.
pub fn list(context: &Context, remote: &Remote, state: Option<JobState>, limit: usize) -> Outcome {
    let jobs = remote.wait(remote.client.jobs(state.unwrap_or(JobState::Unspecified), limit))?;
    let lines: Vec<JobLine> = jobs.iter().map(JobLine::of).collect();
    context.print(&lines, || {
        let head = ["job", "tenant", "state", "units", "cached", "done", "failed", "priority", "reason"];
        let mut table = table::new(&head);
        for line in &lines {
            table.add_row([
                line.id.clone(),
                line.tenant.clone(),
                line.state.clone(),
                units::count(line.units),
                units::count(line.cached),
                units::count(line.done),
                units::count(line.failed),
                line.priority.to_string(),
                table::one_line(&line.reason),
            ]);
        }
        table.to_string()
    })
}

/// Steers a job and prints what it is now.
pub fn steer(context: &Context, remote: &Remote, control: Control, job: Option<&str>) -> Outcome {
    let job = remote.job(job)?;
    let job = remote.wait(remote.client.control(control, &job.id, &request_id()))?;
    context.print(&JobLine::of(&job), || format!("job {}: {}", job.id, follow::sentence(&job)))
}

/// Lists units of a job.
pub fn units(
    context: &Context,
    remote: &Remote,
    job: Option<&str>,
    state: Option<&str>,
    limit: usize,
) -> Outcome {
    let state = match state {
        None => UnitState::Unspecified,
        Some(name) => {
            text::parse_unit_state(name).filter(|state| *state != UnitState::Unspecified).ok_or_else(
                || Exit::input(format!("--state '{name}': write waiting, queued, running, done or failed")),
            )?
        }
    };
    let job = remote.job(job)?;
    let found = remote.wait(remote.client.units(&job.id, state, limit))?;
    let lines: Vec<UnitLine> = found.iter().map(UnitLine::of).collect();
    context.print(&lines, || {
        let mut text = unit_table(&lines);
        if lines.len() == limit {
            text.push_str(&format!("\nthe first {limit}; --limit shows more"));
        }
        text
    })
}

/// A table of units.
pub fn unit_table(lines: &[UnitLine]) -> String {
    let mut table = table::new(&["unit", "kind", "state", "reason", "what", "detail"]);
    for line in lines {
        table.add_row([
            line.unit.chars().take(SHOWN_CHARS).collect(),
            line.kind.clone(),
            line.state.clone(),
            line.reason.clone(),
            line.title.clone(),
            line.detail.clone(),
        ]);
    }
    table.to_string()
}

/// Says why a unit is where it is.
pub fn explain(context: &Context, remote: &Remote, unit: &str) -> Outcome {
    let found = remote.wait(remote.client.explain(unit))?;
    let lines: Vec<UnitLine> = found.iter().map(UnitLine::of).collect();
    context.print(&lines, || {
        let entries: Vec<String> = lines.iter().map(explanation).collect();
        entries.join("\n\n")
    })
}

fn explanation(line: &UnitLine) -> String {
    let cost = match (line.seconds, line.memory_bytes) {
        (Some(seconds), Some(bytes)) => {
            format!("\n  predicted  {} and {}", units::duration(seconds), units::bytes(bytes))
        }
        _ => String::new(),
    };
    let detail =
        if line.detail.is_empty() { String::new() } else { format!("\n  detail     {}", line.detail) };
    format!(
        "{} of job {}\n  what       {} ({})\n  state      {}, {}{detail}\n  pool       {}{cost}\n  so far     {} failures, {} vanished workers, {} drains",
        line.unit,
        line.job,
        line.title,
        line.kind,
        line.state,
        line.reason,
        line.pool,
        line.attempts,
        line.crashes,
        line.evictions
    )
}
