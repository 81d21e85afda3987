//! The loop of workers and aggregators: takes units, has them executed, beats, reports what became of them.
//!
//! - module [`config`]: names, slots, times
//! - module [`executor`]: what the loop asks of whoever computes
//! - module [`control`]: draining, health, the units in hand
//! - module [`health`]: whether the machine can be trusted with units
//! - module [`machine`]: which errors are the machine's
//! - `beat`: leases are renewed from a thread of their own
//! - `unit`: one unit from lease to report

mod beat;
pub mod config;
pub mod control;
pub mod executor;
pub mod health;
pub mod machine;
mod unit;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use crate::contract::Queue;
use crate::types::{Error as QueueError, MAX_TAKE, SHARDS, TakeRequest};

pub use config::Config;
pub use control::Control;
pub use executor::{Executor, Link, Outcome, Stop, StopReason, unit_span};
pub use machine::machine_fault;

/// Opens a connection to the queue; called again for the thread that beats.
pub type Connect = Arc<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Queue>, QueueError>> + Send + Sync>;

/// Longest wait for one answer of the queue.
const ANSWER: Duration = Duration::from_secs(10);

/// Longest wait for stopped units to come back.
const STOPPING: Duration = Duration::from_secs(30);

/// One take in so many prefers the last pool, so that a pool of small errands goes on beside one that is never empty.
const LAST_FIRST: u64 = 8;

/// How often a loop without work looks at the time.
const TICK: Duration = Duration::from_secs(1);

/// Why a consumer ended other than by draining.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could neither take nor beat for too long.
    #[error(
        "the queue could not be reached for {seconds} s, giving up (--give-up-seconds); the last error was: {last}"
    )]
    GaveUp {
        /// How long, in seconds.
        seconds: u64,
        /// The last error.
        last: String,
    },
    /// The system refuses a thread.
    #[error("cannot start the thread that renews leases: {0}")]
    Thread(std::io::Error),
}

/// Serves units until drained; returns when none is in hand any more.
///
/// # Errors
/// [`Error::GaveUp`] when the queue was out of reach for [`Config::give_up`].
pub async fn run(
    config: Config,
    connect: Connect,
    executor: Arc<dyn Executor>,
    control: Control,
) -> Result<(), Error> {
    let config = Arc::new(config);
    control.touch();
    metrics::gauge!("ventral_slots").set(config.slots as f64);
    let queue = connected(&config, &connect, &control).await?;
    let Some(queue) = queue else { return Ok(()) };
    let beats = beat::start(config.clone(), connect, control.clone()).map_err(Error::Thread)?;
    let taken = take_until_drained(&config, &queue, &executor, &control).await;
    let ended = match taken {
        Ok(()) => {
            wait_for_units(&control, config.drain).await;
            control.stop_all(StopReason::Drained);
            wait_for_units(&control, STOPPING).await;
            if let Err(error) = answer(queue.leave(&config.worker)).await {
                tracing::warn!(%error, "cannot sign off; the queue will forget this worker in time");
            }
            Ok(())
        }
        Err(error) => {
            control.stop_all(StopReason::Drained);
            Err(error)
        }
    };
    control.end();
    // The thread sees the end at its next tick; a beat that hangs must not keep the process.
    drop(beats);
    ended
}

/// A connection, or `None` if it is to drain before there was one.
async fn connected(
    config: &Config,
    connect: &Connect,
    control: &Control,
) -> Result<Option<Arc<dyn Queue>>, Error> {
    let mut pause = Pause::new(config);
    while !control.is_draining() {
        match answer(connect()).await {
            Ok(queue) => return Ok(Some(queue)),
            Err(error) => control.failed(&error),
        }
        control.check(config.give_up)?;
        pause.wait(control).await;
    }
    Ok(None)
}

async fn take_until_drained(
    config: &Arc<Config>,
    queue: &Arc<dyn Queue>,
    executor: &Arc<dyn Executor>,
    control: &Control,
) -> Result<(), Error> {
    let mut pause = Pause::new(config);
    let mut reaped = Instant::now();
    let shards = ranked_shards(&config.worker);
    let mut takes: u64 = 0;
    while !control.is_draining() {
        control.check(config.give_up)?;
        let rest = control.rest();
        if !rest.is_zero() {
            control.drained(rest.min(TICK)).await;
            continue;
        }
        if control.trouble().1 {
            control.tested(executor.probe().await);
            continue;
        }
        let free = config.slots.saturating_sub(control.busy()).min(MAX_TAKE);
        if free == 0 {
            control.changed(TICK).await;
            continue;
        }
        takes += 1;
        let mut pools = config.pools.clone();
        if takes.is_multiple_of(LAST_FIRST) {
            pools.rotate_right(1);
        }
        let request =
            TakeRequest { worker: config.worker.clone(), pools, shards: shards.clone(), count: free };
        match answer(queue.take(&request)).await {
            Ok(leases) if leases.is_empty() => {
                control.reached();
                if reaped.elapsed() >= config.reap {
                    reaped = Instant::now();
                    reap(queue).await;
                }
                pause.wait(control).await;
            }
            Ok(leases) => {
                control.reached();
                pause = Pause::new(config);
                for lease in leases {
                    unit::start(config.clone(), queue.clone(), executor.clone(), control.clone(), lease);
                }
            }
            Err(error) => {
                control.failed(&error);
                pause.wait(control).await;
            }
        }
    }
    Ok(())
}

async fn reap(queue: &Arc<dyn Queue>) {
    match answer(queue.reap()).await {
        Ok(reaped) if reaped.expired + reaped.dead > 0 => {
            tracing::warn!(expired = reaped.expired, dead = reaped.dead, "leases of vanished workers ended");
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "cannot reap"),
    }
}

async fn wait_for_units(control: &Control, limit: Duration) {
    let deadline = Instant::now() + limit;
    while control.busy() > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        control.changed(left.min(TICK)).await;
    }
}

/// An answer of the queue, or that there was none in time.
async fn answer<T>(asked: impl Future<Output = Result<T, QueueError>>) -> Result<T, QueueError> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(QueueError::Unavailable(format!("no answer within {} s", ANSWER.as_secs()))),
    }
}

/// All shards, in an order of the worker's own: rendezvous hashing, so that units of a shard find the same workers.
pub fn ranked_shards(worker: &str) -> Vec<u16> {
    let mut shards: Vec<u16> = (0..SHARDS).collect();
    shards.sort_by_cached_key(|shard| {
        let mut hasher = DefaultHasher::new();
        (worker, shard).hash(&mut hasher);
        std::cmp::Reverse(hasher.finish())
    });
    shards
}

/// Pauses between looks at an empty queue: they double, with jitter, so that idle workers do not move in step.
struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    fn new(config: &Config) -> Self {
        Self { next: config.idle, longest: config.longest_idle }
    }

    async fn wait(&mut self, control: &Control) {
        let share = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
        control.drained(self.next.mul_f64(0.5 + 0.5 * share)).await;
        self.next = (self.next * 2).min(self.longest);
    }
}
