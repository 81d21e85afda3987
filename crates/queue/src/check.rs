//! Bounds of what is handed to a queue, the same for every implementation.

use crate::types::{
    Cursor, Entry, Error, Failure, LeaseRef, MAX_ADMIT, MAX_ADMIT_BYTES, MAX_BATCH, MAX_BEAT, MAX_NAME_BYTES,
    MAX_PAYLOAD_BYTES, MAX_POOLS, MAX_REASON_CHARS, MAX_REPORT_BYTES, MAX_TAKE, MAX_TROUBLE_CHARS, SHARDS,
    TakeRequest, UnitId, WorkerRecord,
};

fn invalid(field: &'static str, problem: String) -> Error {
    Error::Invalid { field, problem }
}

/// A name: not empty, not too long, no control characters.
pub(crate) fn name(field: &'static str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(invalid(field, "is empty".to_owned()));
    }
    most(field, "bytes", text.len(), MAX_NAME_BYTES)?;
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(invalid(field, format!("has the control character {c:?}; use printable ones"))),
        None => Ok(()),
    }
}

fn most(field: &'static str, what: &str, found: usize, most: usize) -> Result<(), Error> {
    if found > most {
        return Err(invalid(field, format!("{found} {what}, at most {most} are allowed")));
    }
    Ok(())
}

pub(crate) fn entries(entries: &[Entry]) -> Result<(), Error> {
    most("entries", "entries", entries.len(), MAX_ADMIT)?;
    let bytes = entries.iter().map(|entry| entry.payload.len()).sum();
    most("entries", "bytes of payloads", bytes, MAX_ADMIT_BYTES)?;
    entries.iter().try_for_each(|entry| {
        name("unit", &entry.unit.0)?;
        name("pool", &entry.pool)?;
        name("job", &entry.job)?;
        most("payload", "bytes", entry.payload.len(), MAX_PAYLOAD_BYTES)?;
        shard("shard", entry.shard)
    })
}

fn shard(field: &'static str, found: u16) -> Result<(), Error> {
    if found >= SHARDS {
        return Err(invalid(field, format!("shard {found}, it must be below {SHARDS}")));
    }
    Ok(())
}

/// The request with its pools and all shards, each once: the preferred shards in their order, then the others.
pub(crate) fn take(request: &TakeRequest) -> Result<TakeRequest, Error> {
    name("worker", &request.worker)?;
    pools(&request.pools)?;
    most("count", "units", request.count, MAX_TAKE)?;
    most("shards", "shards", request.shards.len(), usize::from(SHARDS))?;
    let mut shards = Vec::with_capacity(usize::from(SHARDS));
    for &found in &request.shards {
        shard("shards", found)?;
        if !shards.contains(&found) {
            shards.push(found);
        }
    }
    shards.extend((0..SHARDS).filter(|found| !request.shards.contains(found)));
    let mut pools: Vec<String> = Vec::with_capacity(request.pools.len());
    for pool in &request.pools {
        if !pools.contains(pool) {
            pools.push(pool.clone());
        }
    }
    Ok(TakeRequest { worker: request.worker.clone(), pools, shards, count: request.count })
}

fn pools(pools: &[String]) -> Result<(), Error> {
    most("pools", "pools", pools.len(), MAX_POOLS)?;
    pools.iter().try_for_each(|pool| name("pools", pool))
}

/// The record as the queue keeps it.
pub(crate) fn beat(worker: &WorkerRecord, leases: &[LeaseRef]) -> Result<WorkerRecord, Error> {
    name("worker", &worker.name)?;
    pools(&worker.pools)?;
    most("version", "bytes", worker.version.len(), MAX_NAME_BYTES)?;
    most("leases", "leases", leases.len(), MAX_BEAT)?;
    leases.iter().try_for_each(|lease| name("unit", &lease.unit.0))?;
    let held = u32::try_from(leases.len()).unwrap_or(u32::MAX);
    let trouble = worker.trouble.chars().take(MAX_TROUBLE_CHARS).collect();
    Ok(WorkerRecord { leases: held, trouble, draining: false, silent_ms: 0, ..worker.clone() })
}

/// The record of a worker that took before its first beat.
pub(crate) fn newcomer(request: &TakeRequest) -> WorkerRecord {
    WorkerRecord {
        name: request.worker.clone(),
        pools: request.pools.clone(),
        slots: 0,
        slot_bytes: 0,
        version: String::new(),
        leases: 0,
        trouble: String::new(),
        quarantined: false,
        draining: false,
        silent_ms: 0,
    }
}

pub(crate) fn lease(lease: &LeaseRef, worker: &str) -> Result<(), Error> {
    name("unit", &lease.unit.0)?;
    name("worker", worker)
}

pub(crate) fn report(report: &[u8]) -> Result<(), Error> {
    most("report", "bytes", report.len(), MAX_REPORT_BYTES)
}

/// The failure with its texts cut: the reason at its end, the evidence, whose last lines count, at its beginning.
pub(crate) fn failure(failure: &Failure) -> Failure {
    let reason = failure.reason.chars().take(MAX_REASON_CHARS).collect();
    let too_many = failure.evidence.chars().count().saturating_sub(MAX_REASON_CHARS);
    let evidence = failure.evidence.chars().skip(too_many).collect();
    Failure { kind: failure.kind, reason, evidence }
}

pub(crate) fn units(units: &[UnitId]) -> Result<(), Error> {
    most("units", "units", units.len(), MAX_BATCH)?;
    units.iter().try_for_each(|unit| name("unit", &unit.0))
}

/// The two numbers of a cursor.
pub(crate) fn cursor(cursor: &Cursor) -> Result<(u64, u64), Error> {
    let numbers = cursor.0.split_once('-').and_then(|(high, low)| Some((number(high)?, number(low)?)));
    numbers.ok_or_else(|| {
        invalid("cursor", "is none that this queue gave out; begin with Cursor::start()".to_owned())
    })
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
