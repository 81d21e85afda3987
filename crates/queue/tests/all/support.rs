use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ventral_queue::{
    Admission, BeatReply, Clock, Cursor, DeadUnit, Depth, Entry, Error, Event, Failure, FailureKind,
    Finished, Generation, Lease, LeaseRef, Memory, Queue, Reaped, Redis, SHARDS, TakeRequest, Timing,
    TlsFiles, UnitId, UnitStatus, WorkerRecord,
};
use ventral_testkit::{RedisOptions, RedisServer};

/// Where the manual clocks begin: a time of 13 digits, as real ones are.
pub const BEGIN_MS: u64 = 1_763_795_531_234;
pub const TIMING: Timing = Timing { lease_ms: 30_000, backoff_ms: 1_000, max_backoff_ms: 300_000 };

pub fn server() -> Option<RedisServer> {
    RedisServer::start_or_skip(RedisOptions::default()).unwrap()
}

pub async fn connect(server: &RedisServer) -> Redis {
    connect_at(&server.url()).await
}

pub async fn connect_at(url: &str) -> Redis {
    Redis::connect(url, "test", TIMING, &TlsFiles::default()).await.unwrap()
}

/// A queue whose time the test moves.
pub enum Subject {
    Memory(Memory),
    Redis(Redis, AtomicU64),
}

impl Subject {
    pub fn memory() -> Self {
        Self::Memory(Memory::with_clock(TIMING, Clock::manual(BEGIN_MS)))
    }

    pub async fn redis(server: &RedisServer, name: &str) -> Self {
        let redis = Redis::connect_with_manual_clock(&server.url(), name, TIMING).await.unwrap();
        redis.set_clock(BEGIN_MS).await.unwrap();
        Self::Redis(redis, AtomicU64::new(BEGIN_MS))
    }

    pub fn queue(&self) -> &dyn Queue {
        match self {
            Self::Memory(queue) => queue,
            Self::Redis(queue, _) => queue,
        }
    }

    pub async fn advance(&self, by_ms: u64) {
        match self {
            Self::Memory(queue) => queue.clock().advance(by_ms),
            Self::Redis(queue, now_ms) => {
                let before = now_ms.fetch_add(by_ms, Ordering::SeqCst);
                queue.set_clock(before + by_ms).await.unwrap();
            }
        }
    }
}

/// A queue that writes down what it was asked and what it answered. Generations and cursors are the implementation's own and left out.
pub struct Traced {
    pub subject: Subject,
    trace: Mutex<Vec<String>>,
}

impl Traced {
    pub fn new(subject: Subject) -> Self {
        Self { subject, trace: Mutex::default() }
    }

    pub async fn advance(&self, by_ms: u64) {
        self.subject.advance(by_ms).await;
    }

    pub fn trace(self) -> Vec<String> {
        self.trace.into_inner().unwrap()
    }

    fn note<T: Debug>(&self, asked: &str, answer: Result<T, Error>) -> Result<T, Error> {
        let line = match &answer {
            Ok(answer) => format!("{asked}: {answer:?}"),
            Err(error) => format!("{asked}: {error}"),
        };
        self.trace.lock().unwrap().push(line);
        answer
    }
}

#[async_trait]
impl Queue for Traced {
    async fn open(&self) -> Result<Generation, Error> {
        self.subject.queue().open().await
    }
    async fn generation(&self) -> Result<Option<Generation>, Error> {
        self.subject.queue().generation().await
    }
    async fn admit(&self, entries: &[Entry]) -> Result<Vec<Admission>, Error> {
        self.note("admit", self.subject.queue().admit(entries).await)
    }
    async fn take(&self, request: &TakeRequest) -> Result<Vec<Lease>, Error> {
        self.note(&format!("take {request:?}"), self.subject.queue().take(request).await)
    }
    async fn beat(&self, worker: &WorkerRecord, leases: &[LeaseRef]) -> Result<BeatReply, Error> {
        self.note(&format!("beat {}", worker.name), self.subject.queue().beat(worker, leases).await)
    }
    async fn finish(&self, lease: &LeaseRef, worker: &str, report: &[u8]) -> Result<Finished, Error> {
        self.note(&format!("finish {lease:?}"), self.subject.queue().finish(lease, worker, report).await)
    }
    async fn fail(&self, lease: &LeaseRef, worker: &str, failure: &Failure) -> Result<Finished, Error> {
        self.note(&format!("fail {lease:?}"), self.subject.queue().fail(lease, worker, failure).await)
    }
    async fn yield_back(&self, lease: &LeaseRef, worker: &str) -> Result<Finished, Error> {
        self.note(&format!("yield {lease:?}"), self.subject.queue().yield_back(lease, worker).await)
    }
    async fn reap(&self) -> Result<Reaped, Error> {
        self.note("reap", self.subject.queue().reap().await)
    }
    async fn cancel(&self, units: &[UnitId]) -> Result<(), Error> {
        self.note("cancel", self.subject.queue().cancel(units).await)
    }
    async fn events(&self, cursor: &Cursor, limit: usize) -> Result<Vec<(Cursor, Event)>, Error> {
        let answer = self.subject.queue().events(cursor, limit).await?;
        let events = answer.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>();
        self.note("events", Ok(events))?;
        Ok(answer)
    }
    async fn acknowledge(&self, cursor: &Cursor) -> Result<(), Error> {
        self.note("acknowledge", self.subject.queue().acknowledge(cursor).await)
    }
    async fn status(&self, units: &[UnitId]) -> Result<Vec<Option<UnitStatus>>, Error> {
        self.note("status", self.subject.queue().status(units).await)
    }
    async fn reconcile(&self, units: &[UnitId]) -> Result<Vec<bool>, Error> {
        self.note("reconcile", self.subject.queue().reconcile(units).await)
    }
    async fn depths(&self) -> Result<Vec<Depth>, Error> {
        self.note("depths", self.subject.queue().depths().await)
    }
    async fn dead(&self, after: Option<&UnitId>, limit: usize) -> Result<Vec<DeadUnit>, Error> {
        self.note("dead", self.subject.queue().dead(after, limit).await)
    }
    async fn bury(&self, units: &[UnitId]) -> Result<(), Error> {
        self.note("bury", self.subject.queue().bury(units).await)
    }
    async fn workers(&self) -> Result<Vec<WorkerRecord>, Error> {
        self.note("workers", self.subject.queue().workers().await)
    }
    async fn drain(&self, worker: &str) -> Result<bool, Error> {
        self.note("drain", self.subject.queue().drain(worker).await)
    }
    async fn leave(&self, worker: &str) -> Result<(), Error> {
        self.note("leave", self.subject.queue().leave(worker).await)
    }
    async fn lead(&self, who: &str, ttl_ms: u64) -> Result<bool, Error> {
        self.note("lead", self.subject.queue().lead(who, ttl_ms).await)
    }
}

pub fn id(name: &str) -> UnitId {
    UnitId(name.to_owned())
}

pub fn entry(unit: &str, pool: &str, shard: u16) -> Entry {
    let payload = format!("payload of {unit}").into_bytes();
    Entry { unit: id(unit), pool: pool.to_owned(), shard, job: "job-1".to_owned(), payload }
}

pub fn request(worker: &str, pools: &[&str], count: usize) -> TakeRequest {
    let pools = pools.iter().map(|&pool| pool.to_owned()).collect();
    TakeRequest { worker: worker.to_owned(), pools, shards: (0..SHARDS).collect(), count }
}

pub fn record(name: &str) -> WorkerRecord {
    WorkerRecord {
        name: name.to_owned(),
        pools: vec!["p".to_owned()],
        slots: 2,
        slot_bytes: 1 << 30,
        version: "0.1.0".to_owned(),
        leases: 77,
        trouble: String::new(),
        quarantined: false,
        draining: true,
        silent_ms: 99,
    }
}

pub fn failure(kind: FailureKind, reason: &str) -> Failure {
    Failure { kind, reason: reason.to_owned(), evidence: format!("evidence of {reason}") }
}

/// Queues one unit in pool `p`.
pub async fn admit(queue: &dyn Queue, unit: &str) -> Admission {
    queue.admit(&[entry(unit, "p", 0)]).await.unwrap()[0]
}

/// Takes one unit of pool `p`, if there is one.
pub async fn take(queue: &dyn Queue, worker: &str) -> Option<Lease> {
    queue.take(&request(worker, &["p"], 1)).await.unwrap().pop()
}

/// Takes one unit of pool `p`.
pub async fn lease(queue: &dyn Queue, worker: &str) -> LeaseRef {
    take(queue, worker).await.expect("a unit is ready").held
}

pub async fn status(queue: &dyn Queue, unit: &str) -> Option<UnitStatus> {
    queue.status(&[id(unit)]).await.unwrap().pop().unwrap()
}

pub async fn all_events(queue: &dyn Queue) -> Vec<Event> {
    let events = queue.events(&Cursor::start(), 1_000).await.unwrap();
    events.into_iter().map(|(_, event)| event).collect()
}

pub const ATTEMPT: FailureKind = FailureKind::Attempt;
pub const CRASH: FailureKind = FailureKind::Crash;
pub const PERMANENT: FailureKind = FailureKind::Permanent;
pub const INPUT: FailureKind = FailureKind::Input;
pub const MACHINE: FailureKind = FailureKind::Machine;
