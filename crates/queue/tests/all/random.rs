//! Random operations: the Lua scripts and the state machine agree step by step, in every answer and in everything that can be read.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ventral_queue::{Cursor, Entry, Failure, FailureKind, LeaseRef, TakeRequest, UnitId, WorkerRecord};

use crate::support::{Subject, TIMING, record, server};

/// Cases of one run; the variable `PROPTEST_CASES` asks for more.
const CASES: u32 = 60;
const UNITS: [&str; 4] = ["a", "b c:{d}", "h*", "ü"];
const POOLS: [&str; 3] = ["p", "1:p", "q/m30"];
const WORKERS: [&str; 3] = ["w", "w w", "y:z"];

#[derive(Debug, Clone)]
enum Step {
    Admit(Vec<(usize, usize, u16)>),
    Take {
        worker: usize,
        pools: Vec<usize>,
        shards: Vec<u16>,
        count: usize,
    },
    /// Leases by how long ago they were taken.
    Beat {
        worker: usize,
        leases: Vec<usize>,
    },
    Finish {
        lease: usize,
        stranger: Option<usize>,
    },
    Fail {
        lease: usize,
        stranger: Option<usize>,
        kind: FailureKind,
        evidence: String,
    },
    Yield {
        lease: usize,
        stranger: Option<usize>,
    },
    Reap,
    Cancel(Vec<usize>),
    Bury(Vec<usize>),
    Drain(usize),
    Leave(usize),
    Lead(usize, u64),
    Acknowledge(usize),
    Advance(u64),
}

fn kind() -> impl Strategy<Value = FailureKind> {
    prop_oneof![
        4 => Just(FailureKind::Attempt),
        4 => Just(FailureKind::Crash),
        1 => Just(FailureKind::Permanent),
        1 => Just(FailureKind::Input),
        4 => Just(FailureKind::Machine),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let unit = 0..UNITS.len();
    let units = || prop::collection::vec(0..UNITS.len(), 0..4);
    let worker = || 0..WORKERS.len();
    // Mostly the newest lease, of its own worker.
    let lease = || prop_oneof![3 => Just(0_usize), 2 => 0..6_usize];
    let stranger = || prop_oneof![5 => Just(None), 1 => (0..WORKERS.len()).prop_map(Some)];
    let entry = (unit, 0..POOLS.len(), prop_oneof![Just(0_u16), Just(15), 0..16_u16]);
    let lease_ms = TIMING.lease_ms;
    prop_oneof![
        5 => prop::collection::vec(entry, 0..5).prop_map(Step::Admit),
        10 => (worker(), prop_oneof![3 => Just(vec![0, 1, 2]), 1 => prop::collection::vec(0..POOLS.len(), 0..4)], prop::collection::vec(0..16_u16, 0..4), 0..4_usize)
            .prop_map(|(worker, pools, shards, count)| Step::Take { worker, pools, shards, count }),
        3 => (worker(), prop::collection::vec(0..6_usize, 0..4)).prop_map(|(worker, leases)| Step::Beat { worker, leases }),
        4 => (lease(), stranger()).prop_map(|(lease, stranger)| Step::Finish { lease, stranger }),
        6 => (lease(), stranger(), kind(), "[a-z\n\u{0}ß]{0,5}")
            .prop_map(|(lease, stranger, kind, evidence)| Step::Fail { lease, stranger, kind, evidence }),
        2 => (lease(), stranger()).prop_map(|(lease, stranger)| Step::Yield { lease, stranger }),
        8 => Just(Step::Reap),
        1 => units().prop_map(Step::Cancel),
        1 => units().prop_map(Step::Bury),
        1 => worker().prop_map(Step::Drain),
        1 => worker().prop_map(Step::Leave),
        1 => (worker(), 0..2_000_u64).prop_map(|(who, ttl_ms)| Step::Lead(who, ttl_ms)),
        1 => (0..4_usize).prop_map(Step::Acknowledge),
        6 => prop_oneof![0..2_000_u64, 0..20_000_u64, Just(lease_ms - 1), Just(lease_ms), Just(4 * lease_ms), 0..400_000_u64].prop_map(Step::Advance),
    ]
}

fn names(indices: &[usize]) -> Vec<UnitId> {
    indices.iter().map(|&index| UnitId(UNITS[index].to_owned())).collect()
}

fn worker_record(worker: usize) -> WorkerRecord {
    // The last one is unwell.
    let trouble = if worker == WORKERS.len() - 1 { "its disk is full" } else { "" };
    WorkerRecord { trouble: trouble.to_owned(), ..record(WORKERS[worker]) }
}

/// One implementation, and the leases it gave, the newest last.
struct Run {
    subject: Subject,
    leases: Vec<(LeaseRef, String)>,
}

impl Run {
    fn held(&self, ago: usize, stranger: Option<usize>) -> (LeaseRef, String) {
        let index = self.leases.len().checked_sub(1 + ago);
        let none = || (LeaseRef { unit: UnitId("never there".to_owned()), epoch: 1 }, "w".to_owned());
        let (lease, worker) = index.map_or_else(none, |index| self.leases[index].clone());
        (lease, stranger.map_or(worker, |index| WORKERS[index].to_owned()))
    }

    async fn step(&mut self, step: &Step) -> String {
        let queue = self.subject.queue();
        match step {
            Step::Admit(entries) => {
                let entry = |&(unit, pool, shard): &(usize, usize, u16)| Entry {
                    unit: UnitId(UNITS[unit].to_owned()),
                    pool: POOLS[pool].to_owned(),
                    shard,
                    job: format!("job of {}", UNITS[unit]),
                    payload: vec![0, 255, 10],
                };
                let entries: Vec<Entry> = entries.iter().map(entry).collect();
                format!("{:?}", queue.admit(&entries).await)
            }
            Step::Take { worker, pools, shards, count } => {
                let pools = pools.iter().map(|&pool| POOLS[pool].to_owned()).collect();
                let worker = WORKERS[*worker].to_owned();
                let request =
                    TakeRequest { worker: worker.clone(), pools, shards: shards.clone(), count: *count };
                let leases = queue.take(&request).await;
                let given = leases.iter().flatten().map(|lease| (lease.held.clone(), worker.clone()));
                let answer = format!("{leases:?}");
                self.leases.extend(given.collect::<Vec<_>>());
                answer
            }
            Step::Beat { worker, leases } => {
                let leases: Vec<LeaseRef> = leases.iter().map(|&ago| self.held(ago, None).0).collect();
                format!("{:?}", queue.beat(&worker_record(*worker), &leases).await)
            }
            Step::Finish { lease, stranger } => {
                let (lease, worker) = self.held(*lease, *stranger);
                format!("{:?}", queue.finish(&lease, &worker, &[0, 1, 255]).await)
            }
            Step::Fail { lease, stranger, kind, evidence } => {
                let (lease, worker) = self.held(*lease, *stranger);
                let failure =
                    Failure { kind: *kind, reason: "reason".to_owned(), evidence: evidence.clone() };
                format!("{:?}", queue.fail(&lease, &worker, &failure).await)
            }
            Step::Yield { lease, stranger } => {
                let (lease, worker) = self.held(*lease, *stranger);
                format!("{:?}", queue.yield_back(&lease, &worker).await)
            }
            Step::Reap => format!("{:?}", queue.reap().await),
            Step::Cancel(units) => format!("{:?}", queue.cancel(&names(units)).await),
            Step::Bury(units) => format!("{:?}", queue.bury(&names(units)).await),
            Step::Drain(worker) => format!("{:?}", queue.drain(WORKERS[*worker]).await),
            Step::Leave(worker) => format!("{:?}", queue.leave(WORKERS[*worker]).await),
            Step::Lead(who, ttl_ms) => format!("{:?}", queue.lead(WORKERS[*who], *ttl_ms).await),
            Step::Acknowledge(through) => {
                let events = queue.events(&Cursor::start(), 1_000).await.unwrap();
                match events.get(*through) {
                    Some((cursor, _)) => format!("{:?}", queue.acknowledge(cursor).await),
                    None => String::new(),
                }
            }
            Step::Advance(by_ms) => {
                self.subject.advance(*by_ms).await;
                String::new()
            }
        }
    }

    /// Everything that can be read.
    async fn look(&self) -> String {
        let queue = self.subject.queue();
        let units: Vec<usize> = (0..UNITS.len()).collect();
        let events = queue.events(&Cursor::start(), 1_000).await.unwrap();
        let events: Vec<_> = events.into_iter().map(|(_, event)| event).collect();
        format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{events:?}",
            queue.status(&names(&units)).await,
            queue.depths().await,
            queue.dead(None, 1_000).await,
            queue.workers().await,
        ) + &format!("{:?}", queue.reconcile(&names(&units)).await)
    }
}

async fn compare(memory: Subject, redis: Subject, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut memory = Run { subject: memory, leases: Vec::new() };
    let mut redis = Run { subject: redis, leases: Vec::new() };
    memory.subject.queue().open().await.unwrap();
    redis.subject.queue().open().await.unwrap();
    for (number, step) in steps.iter().enumerate() {
        let (machine, scripts) = (memory.step(step).await, redis.step(step).await);
        prop_assert_eq!(machine, scripts, "answers to step {}", number);
        prop_assert_eq!(memory.look().await, redis.look().await, "state after step {}", number);
    }
    Ok(())
}

#[test]
fn scripts_equal_the_machine() {
    let Some(server) = server() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let number = AtomicU64::new(0);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let config = Config { cases, max_shrink_iters: 2_000, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(step(), 1..80), |steps| {
        let name = format!("case-{}", number.fetch_add(1, Ordering::Relaxed));
        runtime.block_on(async {
            let redis = Subject::redis(&server, &name).await;
            compare(Subject::memory(), redis, &steps).await
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
