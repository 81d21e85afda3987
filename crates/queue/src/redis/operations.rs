//! The operations: arguments in, answers out.

use ::redis::Value;
use async_trait::async_trait;
use uuid::Uuid;

use super::reply::{self, Row};
use super::{Arguments, Redis, lock};
use crate::check;
use crate::contract::Queue;
use crate::types::{
    Admission, BeatReply, Cursor, DeadUnit, Depth, Entry, Error, Event, Failure, FailureKind, Finished,
    Generation, Lease, LeaseRef, MAX_BATCH, Reaped, TakeRequest, UnitId, UnitState, UnitStatus, WorkerRecord,
};

fn record_bytes(record: &WorkerRecord) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|e| Error::Corrupt(format!("worker record: {e}")))
}

fn lease(value: Value) -> Result<Lease, Error> {
    let mut row = Row::new("lease", value)?;
    Ok(Lease {
        held: LeaseRef { unit: UnitId(row.text()?), epoch: row.number()? },
        pool: row.text()?,
        shard: row.small()?,
        job: row.text()?,
        payload: row.bytes()?,
        attempts: row.small()?,
        crashes: row.small()?,
        waited_ms: row.number()?,
    })
}

fn lost_lease(value: Value) -> Result<(LeaseRef, crate::types::Loss), Error> {
    let mut row = Row::new("lost lease", value)?;
    Ok((LeaseRef { unit: UnitId(row.text()?), epoch: row.number()? }, row.variant()?))
}

fn unit_status(value: Value) -> Result<Option<UnitStatus>, Error> {
    let mut row = Row::new("status", value)?;
    let place = row.value();
    if place == Value::Nil {
        return Ok(None);
    }
    let state: UnitState = reply::variant("status", place)?;
    let worker = row.value();
    let worker = if state == UnitState::Leased { Some(reply::text("status", worker)?) } else { None };
    let (epoch, attempts) = (row.number()?, row.small()?);
    let (crashes, evictions) = (row.small()?, row.small()?);
    let due = row.value();
    let due_ms = if state == UnitState::Delayed { Some(reply::number("status", due)?) } else { None };
    Ok(Some(UnitStatus {
        state,
        worker,
        epoch,
        attempts,
        crashes,
        evictions,
        due_ms,
        failure: row.failure()?,
    }))
}

fn dead_unit(value: Value) -> Result<DeadUnit, Error> {
    let mut row = Row::new("dead unit", value)?;
    let (unit, job, pool) = (UnitId(row.text()?), row.text()?, row.text()?);
    let nothing = || Failure { kind: FailureKind::Permanent, reason: String::new(), evidence: String::new() };
    let failure = row.failure()?.unwrap_or_else(nothing);
    let (worker, attempts) = (row.text()?, row.small()?);
    Ok(DeadUnit { unit, job, pool, failure, worker, attempts, crashes: row.small()?, at_ms: row.number()? })
}

fn worker_record(value: Value) -> Result<WorkerRecord, Error> {
    let mut row = Row::new("worker", value)?;
    let record: WorkerRecord = serde_json::from_slice(&row.bytes()?)
        .map_err(|e| Error::Corrupt(format!("a worker's record is of another version: {e}")))?;
    Ok(WorkerRecord { draining: row.number()? == 1, silent_ms: row.number()?, ..record })
}

/// The depths, by name, from fields such as `ready:POOL`.
fn depths(value: Value) -> Result<Vec<Depth>, Error> {
    let mut by_pool = std::collections::BTreeMap::<String, Depth>::new();
    let mut row = Row::new("depths", value)?;
    while let Value::BulkString(field) = row.value() {
        let field = reply::text("depths", Value::BulkString(field))?;
        let count = row.number()?;
        let (place, pool) =
            field.split_once(':').ok_or_else(|| Error::Corrupt(format!("depths: {field:?}")))?;
        let empty = || Depth { pool: pool.to_owned(), ready: 0, delayed: 0, leased: 0 };
        let depth = by_pool.entry(pool.to_owned()).or_insert_with(empty);
        match place {
            "ready" => depth.ready = count,
            "delayed" => depth.delayed = count,
            "leased" => depth.leased = count,
            _ => return Err(Error::Corrupt(format!("depths: {field:?}"))),
        }
    }
    Ok(by_pool.into_values().collect())
}

fn rows<T>(
    what: &'static str,
    value: Value,
    row: impl Fn(Value) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    reply::list(what, value)?.into_iter().map(row).collect()
}

fn held(lease: &LeaseRef, worker: &str) -> Arguments {
    Arguments::default().with(&lease.unit.0).number(lease.epoch).with(worker)
}

fn names(units: &[UnitId]) -> Arguments {
    Arguments::default().all(units.iter().map(|unit| &unit.0))
}

#[async_trait]
impl Queue for Redis {
    async fn open(&self) -> Result<Generation, Error> {
        let fresh = Uuid::new_v4().to_string();
        let mut cursor = "0".to_owned();
        loop {
            let arguments = Arguments::default().with(&fresh).with(&cursor);
            let mut row = Row::new("generation", self.bare(&self.shared.scripts.open, arguments).await?)?;
            let generation = row.text()?;
            if !generation.is_empty() {
                let generation = Generation(generation);
                *lock(&self.opened) = Some(generation.clone());
                self.warn_of_eviction().await;
                return Ok(generation);
            }
            cursor = row.text()?;
        }
    }

    async fn generation(&self) -> Result<Option<Generation>, Error> {
        match self.shared.link.plain(&["GET", &self.shared.key]).await? {
            Value::Nil => Ok(None),
            value => reply::text("generation", value).map(|text| Some(Generation(text))),
        }
    }

    async fn admit(&self, entries: &[Entry]) -> Result<Vec<Admission>, Error> {
        check::entries(entries)?;
        let mut arguments = Arguments(Vec::with_capacity(1 + entries.len() * 5));
        for entry in entries {
            arguments.push(&entry.unit.0);
            arguments.push(&entry.pool);
            arguments.push(entry.shard.to_string());
            arguments.push(&entry.job);
            arguments.push(&entry.payload);
        }
        let value = self.gated(&self.shared.scripts.admit, arguments).await?;
        rows("admission", value, |value| reply::variant("admission", value))
    }

    async fn take(&self, request: &TakeRequest) -> Result<Vec<Lease>, Error> {
        let request = check::take(request)?;
        let name = self.request(&request.worker);
        let arguments = Arguments::default()
            .with(&request.worker)
            .with(record_bytes(&check::newcomer(&request))?)
            .with(request.count.to_string())
            .with(&name)
            .with(request.pools.len().to_string())
            .all(&request.pools)
            .all(request.shards.iter().map(u16::to_string));
        let answer = self.gated(&self.shared.scripts.take, arguments).await;
        self.answered(&request.worker, name, matches!(answer, Err(Error::Unavailable(_))));
        rows("leases", answer?, lease)
    }

    async fn beat(&self, worker: &WorkerRecord, leases: &[LeaseRef]) -> Result<BeatReply, Error> {
        let record = check::beat(worker, leases)?;
        let mut arguments = Arguments::default().with(&worker.name).with(record_bytes(&record)?);
        for lease in leases {
            arguments = arguments.with(&lease.unit.0).number(lease.epoch);
        }
        let mut row = Row::new("beat", self.gated(&self.shared.scripts.beat, arguments).await?)?;
        let drain = row.number()? == 1;
        Ok(BeatReply { lost: rows("beat", row.value(), lost_lease)?, drain })
    }

    async fn finish(&self, lease: &LeaseRef, worker: &str, report: &[u8]) -> Result<Finished, Error> {
        check::lease(lease, worker)?;
        check::report(report)?;
        let value = self.gated(&self.shared.scripts.finish, held(lease, worker).with(report)).await?;
        reply::variant("finish", value)
    }

    async fn fail(&self, lease: &LeaseRef, worker: &str, failure: &Failure) -> Result<Finished, Error> {
        check::lease(lease, worker)?;
        let failure = check::failure(failure);
        let kind = reply::variant_name(&failure.kind)?;
        let arguments = held(lease, worker).with(kind).with(&failure.reason).with(&failure.evidence);
        reply::variant("fail", self.gated(&self.shared.scripts.fail, arguments).await?)
    }

    async fn yield_back(&self, lease: &LeaseRef, worker: &str) -> Result<Finished, Error> {
        check::lease(lease, worker)?;
        reply::variant("yield", self.gated(&self.shared.scripts.give, held(lease, worker)).await?)
    }

    async fn reap(&self) -> Result<Reaped, Error> {
        let mut row = Row::new("reap", self.gated(&self.shared.scripts.reap, Arguments::default()).await?)?;
        Ok(Reaped { expired: row.number()?, dead: row.number()?, promoted: row.number()? })
    }

    async fn cancel(&self, units: &[UnitId]) -> Result<(), Error> {
        check::units(units)?;
        self.gated(&self.shared.scripts.cancel, names(units)).await.map(|_| ())
    }

    async fn events(&self, cursor: &Cursor, limit: usize) -> Result<Vec<(Cursor, Event)>, Error> {
        check::cursor(cursor)?;
        let arguments = Arguments::default().with(&cursor.0).with(limit.min(MAX_BATCH).to_string());
        let value = self.gated(&self.shared.scripts.events, arguments).await?;
        rows("events", value, |entry| reply::event(entry).map(|(id, event)| (Cursor(id), event)))
    }

    async fn acknowledge(&self, cursor: &Cursor) -> Result<(), Error> {
        let (high, low) = check::cursor(cursor)?;
        let (high, low) = low.checked_add(1).map_or((high.saturating_add(1), 0), |low| (high, low));
        let arguments = Arguments::default().with(format!("{high}-{low}"));
        self.gated(&self.shared.scripts.acknowledge, arguments).await.map(|_| ())
    }

    async fn status(&self, units: &[UnitId]) -> Result<Vec<Option<UnitStatus>>, Error> {
        check::units(units)?;
        rows("status", self.gated(&self.shared.scripts.status, names(units)).await?, unit_status)
    }

    async fn reconcile(&self, units: &[UnitId]) -> Result<Vec<bool>, Error> {
        check::units(units)?;
        let value = self.gated(&self.shared.scripts.reconcile, names(units)).await?;
        rows("reconciliation", value, |value| Ok(reply::number("reconciliation", value)? == 1))
    }

    async fn depths(&self) -> Result<Vec<Depth>, Error> {
        depths(self.gated(&self.shared.scripts.depths, Arguments::default()).await?)
    }

    async fn dead(&self, after: Option<&UnitId>, limit: usize) -> Result<Vec<DeadUnit>, Error> {
        let after = after.map_or("", |unit| &unit.0);
        let arguments = Arguments::default().with(after).with(limit.min(MAX_BATCH).to_string());
        rows("dead units", self.gated(&self.shared.scripts.dead, arguments).await?, dead_unit)
    }

    async fn bury(&self, units: &[UnitId]) -> Result<(), Error> {
        check::units(units)?;
        self.gated(&self.shared.scripts.bury, names(units)).await.map(|_| ())
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, Error> {
        let value = self.gated(&self.shared.scripts.workers, Arguments::default()).await?;
        let mut workers = rows("workers", value, worker_record)?;
        workers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(workers)
    }

    async fn drain(&self, worker: &str) -> Result<bool, Error> {
        check::name("worker", worker)?;
        let value = self.gated(&self.shared.scripts.drain, Arguments::default().with(worker)).await?;
        Ok(reply::number("drain", value)? == 1)
    }

    async fn leave(&self, worker: &str) -> Result<(), Error> {
        check::name("worker", worker)?;
        self.gated(&self.shared.scripts.leave, Arguments::default().with(worker)).await.map(|_| ())
    }

    async fn lead(&self, who: &str, ttl_ms: u64) -> Result<bool, Error> {
        check::name("who", who)?;
        let arguments = Arguments::default().with(who).number(ttl_ms);
        Ok(reply::number("lead", self.bare(&self.shared.scripts.lead, arguments).await?)? == 1)
    }
}
