//! Faults at random times, from a printed seed.

use std::env;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ventral_tests::cluster::{Cluster, Options};

use crate::api::Api;
use crate::reference::{SMALL, assert_as_reference, submit};

/// Seed of the rounds; printed, so that a failure can be repeated as far as timing allows.
const SEED: &str = "VENTRAL_CHAOS_SEED";
/// Seconds to go on with new rounds; one round when it is not set.
const SECONDS: &str = "VENTRAL_CHAOS_SECONDS";
/// Faults of a round at most; the end of its job ends it.
const FAULTS: usize = 8;
/// Longest time between two faults in milliseconds.
const GAP_MS: u64 = 900;
/// Bytes that a power cut takes off the append-only file.
const CUT_BYTES: u64 = 40_000;
/// Faults of a round that may cost a unit one of its three crashes: one less than that, so that no unit may be given up.
const HARMFUL: usize = 2;

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    KillWorker,
    StopWorker,
    KillCoordinator,
    KillAggregator,
    KillRedis,
    EmptyRedis,
    CutRedis,
    FlushAll,
    FlushScripts,
}

const ALL: [Fault; 9] = [
    Fault::KillWorker,
    Fault::StopWorker,
    Fault::KillCoordinator,
    Fault::KillAggregator,
    Fault::KillRedis,
    Fault::EmptyRedis,
    Fault::CutRedis,
    Fault::FlushAll,
    Fault::FlushScripts,
];

#[test]
fn random_faults_change_no_byte() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut seed = number(SEED).unwrap_or(now);
    let rounds = Duration::from_secs(number(SECONDS).unwrap_or(0));
    let begin = Instant::now();
    loop {
        eprintln!("chaos: {SEED}={seed}");
        if !round(seed) {
            return;
        }
        seed += 1;
        if begin.elapsed() >= rounds {
            return;
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{variable}={text}: {e}")))
}

/// One job under random faults; `false` where there is no Redis.
fn round(seed: u64) -> bool {
    let options = Options { append_only: true, ..Options::default() };
    let Some(mut cluster) = Cluster::start(&options) else { return false };
    let api = Api::new(&cluster.url());
    let mut random = Random(seed);
    let id = submit(&cluster, SMALL);
    let mut harmful = 0;
    for _ in 0..FAULTS {
        thread::sleep(Duration::from_millis(random.below(GAP_MS)));
        if api.job(&id).is_some_and(|job| job.ended_ms.is_some()) {
            break;
        }
        let mut fault = ALL[usize::try_from(random.below(ALL.len() as u64)).unwrap_or(0)];
        if matches!(fault, Fault::KillWorker | Fault::StopWorker | Fault::CutRedis) {
            harmful += 1;
            if harmful > HARMFUL {
                fault = Fault::FlushAll;
            }
        }
        let worker = usize::try_from(random.below(options.workers as u64)).unwrap_or(0);
        eprintln!("chaos: {fault:?} (worker {worker})");
        harm(&mut cluster, fault, worker, options.lease_ms);
    }
    assert_as_reference(&cluster, &api, &id, SMALL);
    true
}

fn harm(cluster: &mut Cluster, fault: Fault, worker: usize, lease_ms: u64) {
    match fault {
        Fault::KillWorker => cluster.workers[worker].start().expect("it starts again"),
        Fault::StopWorker => {
            cluster.workers[worker].signal("STOP").expect("it runs");
            thread::sleep(Duration::from_millis(2 * lease_ms));
            cluster.workers[worker].signal("CONT").expect("it runs");
        }
        Fault::KillCoordinator => cluster.coordinator.start().expect("it starts again"),
        Fault::KillAggregator => cluster.aggregator.start().expect("it starts again"),
        Fault::KillRedis => cluster.redis.restart().expect("it starts again"),
        Fault::EmptyRedis => cluster.redis.restart_empty().expect("it starts again"),
        // A power cut: what was leased in the meantime looks as if its worker had vanished.
        Fault::CutRedis => drop(cluster.redis.restart_cut(CUT_BYTES).expect("it starts again")),
        Fault::FlushAll => drop(cluster.redis.command(&["FLUSHALL"]).expect("it answers")),
        Fault::FlushScripts => drop(cluster.redis.command(&["SCRIPT", "FLUSH"]).expect("it answers")),
    }
}
