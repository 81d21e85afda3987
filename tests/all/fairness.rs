//! Tenants share the cluster by weight, and a small job does not wait for a large one.

use std::collections::HashMap;
use std::fs;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use ventral_coordinator::core::{MIN_UNIT_MS, WINDOW_MS};
use ventral_queue::{Queue, Redis};
use ventral_testkit::{RedisOptions, RedisServer};
use ventral_tests::cluster::{Cluster, Options};

use crate::api::Api;
use crate::simulated::{queue, record, report, request};

/// Units of nothing in the queue while one tenant is alone.
const WINDOW: u64 = SLOTS as u64 * WINDOW_MS / MIN_UNIT_MS;
/// Units that a take of this test brings at most, and slots of its worker.
const SLOTS: u32 = 16;

struct Shared {
    cluster: Cluster,
    runtime: Runtime,
    queue: Redis,
    _files: TempDir,
}

/// A coordinator with two tenants, `a` of the given weight and `b` of weight 1, each with a token of its name, and one worker.
fn two_tenants(weight: u32) -> Option<Shared> {
    let files = tempfile::tempdir().expect("a folder");
    let token = |name: &str| {
        let digest: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[token]]\nname = '{name}'\ntenant = '{name}'\nrole = 'operator'\nsha256 = '{digest}'\n")
    };
    let (tokens, tenants) = (files.path().join("tokens.toml"), files.path().join("tenants.toml"));
    fs::write(&tokens, token("a") + &token("b")).expect("a file");
    fs::write(&tenants, format!("[tenant.a]\nweight = {weight}\n[tenant.b]\nweight = 1\n")).expect("a file");
    let redis = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")?;
    let coordinator =
        vec![format!("--tokens={}", tokens.display()), format!("--tenants={}", tenants.display())];
    let options = Options { workers: 0, lease_ms: 30_000, coordinator, ..Options::default() };
    let mut cluster = Cluster::prepare(redis, &options).expect("a folder");
    cluster.coordinator.start().expect("the program can be run");
    cluster.wait_ready();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let queue = runtime.block_on(async {
        let queue = queue(&cluster.redis.url()).await;
        queue.open().await.expect("the queue answers");
        queue.beat(&record("sim", SLOTS), &[]).await.expect("the queue answers");
        queue
    });
    Some(Shared { cluster, runtime, queue, _files: files })
}

impl Shared {
    /// Takes and finishes units until `enough` of the number by job.
    fn work_until(&self, enough: impl Fn(&HashMap<String, u64>) -> bool) -> HashMap<String, u64> {
        let mut taken = HashMap::new();
        let (request, report, record) = (request("sim", SLOTS as usize), report(), record("sim", SLOTS));
        self.runtime.block_on(async {
            while !enough(&taken) {
                self.queue.beat(&record, &[]).await.expect("the queue answers");
                for lease in self.queue.take(&request).await.expect("the queue answers") {
                    *taken.entry(lease.job.clone()).or_default() += 1;
                    if enough(&taken) {
                        return;
                    }
                    self.queue.finish(&lease.held, "sim", &report).await.expect("the queue answers");
                }
            }
        });
        taken
    }
}

#[test]
fn ten_units_do_not_wait_for_a_hundred_thousand() {
    let Some(shared) = two_tenants(1) else { return };
    let (a, b) = (Api::with_token(&shared.cluster.url(), "a"), Api::with_token(&shared.cluster.url(), "b"));
    let large = a.drill("large", 100_000, 0).expect("accepted").id;
    shared.work_until(|taken| taken.values().sum::<u64>() >= 1_000);
    let small = b.drill("small", 10, 0).expect("accepted").id;
    let taken = shared.work_until(|taken| taken.contains_key(&small));
    let before = taken.get(&large).copied().unwrap_or(0);
    assert!(before <= WINDOW, "{before} units of the large job went first; the window is {WINDOW}");
}

#[test]
fn weights_of_three_to_one_give_three_to_one() {
    let Some(shared) = two_tenants(3) else { return };
    let (a, b) = (Api::with_token(&shared.cluster.url(), "a"), Api::with_token(&shared.cluster.url(), "b"));
    let heavy = a.drill("heavy", 20_000, 0).expect("accepted").id;
    let light = b.drill("light", 20_000, 0).expect("accepted").id;
    // What was queued before both were there is the first tenant's.
    shared.work_until(|taken| taken.values().sum::<u64>() >= WINDOW + 400);
    let taken = shared.work_until(|taken| taken.values().sum::<u64>() >= 4_000);
    let ratio = taken[&heavy] as f64 / taken[&light] as f64;
    assert!((2.7..=3.3).contains(&ratio), "{ratio}: {taken:?}");
}
