//! Workers, pools, dead units.

use serde::Serialize;
use ventral_client::request_id;

use super::Remote;
use super::jobs::SHOWN_CHARS;
use crate::context::Context;
use crate::exit::Outcome;
use crate::{table, units};

#[derive(Serialize)]
struct WorkerLine {
    name: String,
    state: &'static str,
    slots: u32,
    leases: u32,
    slot_bytes: u64,
    pools: Vec<String>,
    version: String,
    silent_ms: u64,
    trouble: String,
}

/// Lists the workers.
pub fn workers(context: &Context, remote: &Remote) -> Outcome {
    let found = remote.wait(remote.client.workers())?;
    let lines: Vec<WorkerLine> = found
        .into_iter()
        .map(|worker| WorkerLine {
            name: worker.name,
            state: state(worker.draining, worker.quarantined, &worker.trouble),
            slots: worker.slots,
            leases: worker.leases,
            slot_bytes: worker.slot_bytes,
            pools: worker.pools,
            version: worker.version,
            silent_ms: worker.silent_ms,
            trouble: worker.trouble,
        })
        .collect();
    context.print(&lines, || {
        let mut table = table::new(&[
            "worker",
            "state",
            "slots",
            "units",
            "memory of a slot",
            "silent for",
            "version",
            "largest pool",
            "trouble",
        ]);
        for line in &lines {
            table.add_row([
                line.name.clone(),
                line.state.to_owned(),
                line.slots.to_string(),
                line.leases.to_string(),
                units::bytes(line.slot_bytes),
                units::duration(line.silent_ms as f64 / 1e3),
                line.version.clone(),
                line.pools.first().cloned().unwrap_or_default(),
                line.trouble.clone(),
            ]);
        }
        table.to_string()
    })
}

fn state(draining: bool, quarantined: bool, trouble: &str) -> &'static str {
    match (draining, quarantined, trouble.is_empty()) {
        (true, ..) => "draining",
        (false, true, _) => "quarantined",
        (false, false, false) => "pauses",
        (false, false, true) => "takes units",
    }
}

#[derive(Serialize)]
struct PoolLine {
    pool: String,
    waiting: u64,
    ready: u64,
    delayed: u64,
    leased: u64,
    workers: u64,
    slots: u64,
    backlog_seconds: f64,
}

/// Lists the pools.
pub fn pools(context: &Context, remote: &Remote) -> Outcome {
    let found = remote.wait(remote.client.pools())?;
    let lines: Vec<PoolLine> = found
        .into_iter()
        .map(|pool| PoolLine {
            pool: pool.pool,
            waiting: pool.waiting,
            ready: pool.ready,
            delayed: pool.delayed,
            leased: pool.leased,
            workers: pool.workers,
            slots: pool.slots,
            backlog_seconds: pool.backlog_seconds,
        })
        .collect();
    context.print(&lines, || {
        let mut table = table::new(&[
            "pool",
            "waiting",
            "ready",
            "delayed",
            "running",
            "workers",
            "slots",
            "backlog of one worker",
        ]);
        for line in &lines {
            table.add_row([
                line.pool.clone(),
                units::count(line.waiting),
                units::count(line.ready),
                units::count(line.delayed),
                units::count(line.leased),
                units::count(line.workers),
                units::count(line.slots),
                units::duration(line.backlog_seconds),
            ]);
        }
        table::align_numbers(&mut table, 1);
        table.to_string()
    })
}

/// Asks a worker to drain.
pub fn drain(context: &Context, remote: &Remote, worker: &str) -> Outcome {
    remote.wait(remote.client.drain(worker, &request_id()))?;
    context.print(&serde_json::json!({ "worker": worker, "draining": true }), || {
        format!("{worker} finishes or gives back what it has, then ends")
    })
}

#[derive(Serialize)]
struct DeadLine {
    unit: String,
    job: String,
    pool: String,
    kind: String,
    reason: String,
    evidence: String,
    worker: String,
    attempts: u32,
    crashes: u32,
    died_ms: u64,
}

/// Lists dead units.
pub fn dead(context: &Context, remote: &Remote, limit: usize) -> Outcome {
    let found = remote.wait(remote.client.dead(limit))?;
    let lines: Vec<DeadLine> = found
        .into_iter()
        .map(|unit| DeadLine {
            unit: unit.unit,
            job: unit.job,
            pool: unit.pool,
            kind: unit.kind,
            reason: unit.reason,
            evidence: unit.evidence,
            worker: unit.worker,
            attempts: unit.attempts,
            crashes: unit.crashes,
            died_ms: unit.died_ms,
        })
        .collect();
    context.print(&lines, || {
        if lines.is_empty() {
            return "no dead units".to_owned();
        }
        let mut table = table::new(&["unit", "job", "worker", "failures", "vanished", "kind", "reason"]);
        for line in &lines {
            table.add_row([
                line.unit.chars().take(SHOWN_CHARS).collect(),
                line.job.clone(),
                line.worker.clone(),
                line.attempts.to_string(),
                line.crashes.to_string(),
                line.kind.clone(),
                table::one_line(&line.reason),
            ]);
        }
        format!("{table}\nwhole reasons and last words: `ventral dead --json`")
    })
}
