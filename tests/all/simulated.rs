//! Workers that take units of drills and finish them at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use ventral_plan::UnitReport;
use ventral_plan::pool::DRILL_POOL;
use ventral_queue::{Error, Queue, Redis, SHARDS, TakeRequest, Timing, TlsFiles, WorkerRecord};

/// Name of the queue that the program uses.
const QUEUE: &str = "ventral";
/// Wait of a worker that got nothing.
const IDLE: Duration = Duration::from_millis(100);
/// Time between two beats.
const BEAT: Duration = Duration::from_secs(5);

/// What the workers have done so far.
#[derive(Default)]
pub struct Tally {
    /// Units finished.
    pub finished: AtomicU64,
    /// Calls that the queue did not answer.
    pub unanswered: AtomicU64,
    /// Time from one unit of a worker to its next, in milliseconds; takes are timed only while it is not 0.
    pub pace_ms: AtomicU64,
    stop: AtomicBool,
}

/// A connection to the queue of a cluster.
pub async fn queue(url: &str) -> Redis {
    Redis::connect(url, QUEUE, Timing::default(), &TlsFiles::default()).await.expect("the address is one")
}

/// A worker of drills.
pub fn record(name: &str, slots: u32) -> WorkerRecord {
    WorkerRecord {
        name: name.to_owned(),
        pools: vec![DRILL_POOL.to_owned()],
        slots,
        slot_bytes: 1 << 30,
        version: "simulated".to_owned(),
        leases: 0,
        trouble: String::new(),
        quarantined: false,
        draining: false,
        silent_ms: 0,
    }
}

/// Takes `count` units at most.
pub fn request(name: &str, count: usize) -> TakeRequest {
    let start = number(name);
    let shards = (0..SHARDS).map(|shard| (shard + start % SHARDS) % SHARDS).collect();
    TakeRequest { worker: name.to_owned(), pools: vec![DRILL_POOL.to_owned()], shards, count }
}

/// A number that differs from name to name.
fn number(name: &str) -> u16 {
    name.bytes().fold(0, |sum: u16, byte| sum.wrapping_mul(7919).wrapping_add(u16::from(byte)))
}

/// A report of a unit that did nothing.
pub fn report() -> Vec<u8> {
    serde_json::to_vec(&UnitReport::default()).expect("a report is JSON")
}

/// Simulated workers, one connection for every `per_connection` of them.
pub struct Fleet {
    tally: Arc<Tally>,
    workers: JoinSet<Vec<Duration>>,
}

impl Fleet {
    pub async fn start(url: &str, count: usize, per_connection: usize) -> Self {
        let tally = Arc::new(Tally::default());
        let mut workers = JoinSet::new();
        let mut connection = queue(url).await;
        for index in 0..count {
            if index % per_connection == 0 {
                connection = queue(url).await;
            }
            let handle = connection.clone();
            handle.open().await.expect("the queue answers");
            workers.spawn(work(handle, format!("sim-{index}"), Arc::clone(&tally)));
        }
        Self { tally, workers }
    }

    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Ends the workers; how long each take that brought a unit took while they were paced, sorted.
    pub async fn stop(mut self) -> Vec<Duration> {
        self.tally.stop.store(true, Ordering::Relaxed);
        let mut takes = Vec::new();
        while let Some(worker) = self.workers.join_next().await {
            takes.extend(worker.expect("a simulated worker does not panic"));
        }
        takes.sort_unstable();
        takes
    }
}

async fn work(queue: Redis, name: String, tally: Arc<Tally>) -> Vec<Duration> {
    let (request, report, record) = (request(&name, 1), report(), record(&name, 1));
    let phase = f64::from(number(&name)) / f64::from(u16::MAX);
    let (mut takes, mut paced) = (Vec::new(), false);
    let mut beaten: Option<Instant> = None;
    while !tally.stop.load(Ordering::Relaxed) {
        if beaten.is_none_or(|at| at.elapsed() > BEAT) {
            let _ = queue.beat(&record, &[]).await;
            beaten = Some(Instant::now());
        }
        let begin = Instant::now();
        match queue.take(&request).await {
            Ok(leases) if leases.is_empty() => tokio::time::sleep(IDLE).await,
            Ok(leases) => {
                let took = begin.elapsed();
                for lease in leases {
                    finish(&queue, &lease.held, &name, &report, &tally).await;
                }
                let pace = Duration::from_millis(tally.pace_ms.load(Ordering::Relaxed));
                if !pace.is_zero() {
                    takes.push(took);
                    // Not all at once, at the first unit.
                    let spread = if paced { pace } else { pace.mul_f64(phase) };
                    tokio::time::sleep(spread.saturating_sub(begin.elapsed())).await;
                }
                paced = !pace.is_zero();
            }
            Err(error) => again(&queue, &error, &tally).await,
        }
    }
    takes
}

async fn finish(queue: &Redis, held: &ventral_queue::LeaseRef, name: &str, report: &[u8], tally: &Tally) {
    match queue.finish(held, name, report).await {
        Ok(_) => drop(tally.finished.fetch_add(1, Ordering::Relaxed)),
        // The unit comes again: the queue has not heard of it.
        Err(error) => again(queue, &error, tally).await,
    }
}

/// Waits for a queue that was lost or does not answer.
async fn again(queue: &Redis, error: &Error, tally: &Tally) {
    tally.unanswered.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(IDLE).await;
    if matches!(error, Error::Lost) && matches!(queue.generation().await, Ok(Some(_))) {
        let _ = queue.open().await;
    }
}
