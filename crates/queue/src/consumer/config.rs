//! Names, slots and times of a consumer.

use std::time::Duration;

use crate::types::{BEAT_MS, REAP_MS, WorkerRecord};

/// How a consumer serves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, unique among workers.
    pub worker: String,
    /// Pools it takes from, the preferred one first.
    pub pools: Vec<String>,
    /// Units it runs at a time.
    pub slots: usize,
    /// Memory of a slot in bytes.
    pub slot_bytes: u64,
    /// Version of the program.
    pub version: String,
    /// Time between beats.
    pub beat: Duration,
    /// Time between reaps of an idle consumer.
    pub reap: Duration,
    /// First pause when the queue has nothing; it doubles.
    pub idle: Duration,
    /// Longest pause when the queue has nothing.
    pub longest_idle: Duration,
    /// How long units may go on when it is to drain, before they are given back.
    pub drain: Duration,
    /// How long the queue may be out of reach before the consumer ends.
    pub give_up: Duration,
}

impl Config {
    /// Usual times: beats and reaps as the queue expects them, pauses of 20 to 500 ms, 30 s to drain, 10 min to give up.
    pub fn new(worker: String, pools: Vec<String>) -> Self {
        Self {
            worker,
            pools,
            slots: 1,
            slot_bytes: 0,
            version: String::new(),
            beat: Duration::from_millis(BEAT_MS),
            reap: Duration::from_millis(REAP_MS),
            idle: Duration::from_millis(20),
            longest_idle: Duration::from_millis(500),
            drain: Duration::from_secs(30),
            give_up: Duration::from_secs(600),
        }
    }

    pub(super) fn record(&self, leases: usize, (trouble, quarantined): (String, bool)) -> WorkerRecord {
        WorkerRecord {
            name: self.worker.clone(),
            pools: self.pools.clone(),
            slots: u32::try_from(self.slots).unwrap_or(u32::MAX),
            slot_bytes: self.slot_bytes,
            version: self.version.clone(),
            leases: u32::try_from(leases).unwrap_or(u32::MAX),
            trouble,
            quarantined,
            draining: false,
            silent_ms: 0,
        }
    }
}
