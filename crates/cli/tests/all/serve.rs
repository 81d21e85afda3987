//! `ventral serve worker` and `serve aggregator`: real processes, a real Redis, units admitted by hand.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use ventral_plan::pool::{ASSEMBLE_POOL, DRILL_POOL, MIN_CLASS, pool_name};
use ventral_plan::{Assignment, Digest, PLAN_DOCUMENT, PlannedJob, UnitReport, Work};
use ventral_queue::{
    Cursor, Entry, Event, FailureKind, Happening, Queue, Redis, Timing, TlsFiles, UnitId, UnitState,
    UnitStatus,
};
use ventral_store::Store;
use ventral_testkit::{RedisOptions, RedisServer, free_port, wait_until};

use crate::support::{root, succeed, ventral};

/// Long enough for a slow machine; conditions end waits.
const SOON: Duration = Duration::from_secs(120);

const LEASE_MS: u64 = 3_000;
const BACKOFF_MS: u64 = 50;

/// A Redis, a queue and a store, without a coordinator.
struct Lab {
    redis: RedisServer,
    queue: Redis,
    runtime: Runtime,
    dir: TempDir,
}

/// A role that ends with the test.
struct Role {
    child: Child,
    log: PathBuf,
    metrics: u16,
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Role {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: &str) {
        kill(signal, self.child.id());
    }

    /// Exit code, once it has ended.
    fn ended(&mut self) -> i32 {
        let mut status = None;
        let log = self.log.clone();
        wait_until(&format!("the end of the role ({})", log.display()), SOON, || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.and_then(|status| status.code()).unwrap_or(-1)
    }

    fn http(&self, path: &str) -> Option<String> {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    fn children(&self) -> Vec<u32> {
        let id = self.child.id();
        let mut found = Vec::new();
        for thread in fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(text.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
        found
    }
}

fn kill(signal: &str, process: u32) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(sent.expect("kill").success());
}

impl Lab {
    fn start() -> Option<Self> {
        let redis = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")?;
        let runtime = Runtime::new().expect("a runtime");
        let timing = Timing { lease_ms: LEASE_MS, backoff_ms: BACKOFF_MS, ..Timing::default() };
        let queue = runtime.block_on(async {
            let tls = TlsFiles::default();
            let queue = Redis::connect(&redis.url(), "ventral", timing, &tls).await.expect("an address");
            queue.open().await.expect("a queue");
            queue
        });
        Some(Self { redis, queue, runtime, dir: tempfile::tempdir().expect("a directory") })
    }

    fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn store(&self) -> Store {
        Store::open(self.store_dir()).expect("a store")
    }

    fn role(&self, role: &str, name: &str, faults: &str, more: &[&str]) -> Role {
        let metrics = free_port().expect("a port");
        let log = self.dir.path().join(format!("{name}.log"));
        let mut command = ventral(&self.store_dir());
        command.args(["serve", role, "--name", name, "--log-format", "json", "--memory", "2GiB"]);
        command.arg(format!("--metrics-listen=127.0.0.1:{metrics}"));
        command.arg("--cache-dir").arg(self.dir.path().join("cache")).args(more);
        command.env("VENTRAL_REDIS", self.redis.url()).env("VENTRAL_FAULT", faults);
        command
            .env("VENTRAL_LEASE_MS", LEASE_MS.to_string())
            .env("VENTRAL_BACKOFF_MS", BACKOFF_MS.to_string());
        let file = fs::File::create(&log).expect("writable");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let role = Role { child: command.spawn().expect("the program starts"), log, metrics };
        wait_until("the role is ready", SOON, || {
            role.http("/readyz").is_some_and(|answer| answer.contains("200 OK"))
        });
        role
    }

    fn admit(&self, unit: &str, pool: &str, job: &str, work: Work) {
        let assignment = Assignment { job: job.to_owned(), work, traceparent: None, predicted_seconds: None };
        let entry = Entry {
            unit: UnitId(unit.to_owned()),
            pool: pool.to_owned(),
            shard: 3,
            job: job.to_owned(),
            payload: serde_json::to_vec(&assignment).expect("plain data"),
        };
        self.runtime.block_on(self.queue.admit(&[entry])).expect("admitted");
    }

    fn drill(&self, unit: &str, milliseconds: u64) {
        self.admit(unit, DRILL_POOL, "drill", Work::Drill { milliseconds });
    }

    fn events(&self) -> Vec<Event> {
        let events = self.runtime.block_on(self.queue.events(&Cursor::start(), 1000)).expect("events");
        events.into_iter().map(|(_, event)| event).collect()
    }

    fn status(&self, unit: &str) -> Option<UnitStatus> {
        let units = [UnitId(unit.to_owned())];
        self.runtime.block_on(self.queue.status(&units)).expect("a status").remove(0)
    }

    fn wait_leased(&self, unit: &str) {
        wait_until(&format!("{unit} is leased"), SOON, || {
            self.status(unit).is_some_and(|status| status.state == UnitState::Leased)
        });
    }

    /// Reports of these units, once all have finished.
    fn reports(&self, units: &[String], role: &Role) -> Vec<UnitReport> {
        let mut reports = BTreeMap::new();
        wait_until("units finish", SOON, || {
            for event in self.events() {
                match event.what {
                    Happening::Finished { report } => {
                        reports.insert(event.unit.0, serde_json::from_slice(&report).expect("a report"));
                    }
                    other => panic!("{}: {other:?}\n{}", event.unit, role.log()),
                }
            }
            units.iter().all(|unit| reports.contains_key(unit))
        });
        units.iter().filter_map(|unit| reports.remove(unit)).collect()
    }
}

/// All objects of a store: name to bytes.
fn objects(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for shelf in fs::read_dir(store.join("objects")).expect("a store").flatten() {
        for object in fs::read_dir(shelf.path()).expect("listable").flatten() {
            let name = object.file_name().to_string_lossy().into_owned();
            found.insert(name, fs::read(object.path()).expect("readable"));
        }
    }
    found
}

fn own_pool() -> String {
    pool_name(&ventral_worker::numeric_profile(), MIN_CLASS + 1)
}

/// Uploads what a spec names; the digest of the manifest.
fn upload(store: &Store, spec: &Path) -> Digest {
    let collected = ventral_bundle::collect(spec, None).expect("a bundle");
    for (entry, source) in collected.manifest.files.iter().zip(&collected.sources) {
        store.put_blob_file(source, &entry.digest).expect("stored");
    }
    store.put_blob(&collected.manifest.to_bytes()).expect("stored")
}

/// Has a job planned and computed; the plan.
fn compute(lab: &Lab, role: &Role, job: &str, spec: &Path) -> PlannedJob {
    let store = lab.store();
    let bundle = upload(&store, spec);
    lab.admit(&format!("plan-{job}"), &own_pool(), job, Work::Plan { bundle });
    lab.reports(&[format!("plan-{job}")], role);
    let document = store.document(job, PLAN_DOCUMENT).expect("readable").expect("a plan");
    let planned: PlannedJob = serde_json::from_slice(&document).expect("a plan");
    let plan = &planned.plan;
    let mut units = Vec::new();
    for (index, unit) in plan.features.iter().enumerate() {
        units.push(plan.features_digest(unit).to_string());
        lab.admit(&units[index], &own_pool(), job, Work::Features { index });
    }
    let reports = lab.reports(&units, role);
    assert!(
        reports.iter().all(|report| report.failed_layers.is_empty() && report.computed > 0),
        "{reports:?}"
    );
    let mut units = Vec::new();
    for (index, unit) in plan.scores.iter().enumerate() {
        units.push(unit.digest.to_string());
        lab.admit(&units[index], &own_pool(), job, Work::Score { index });
    }
    let reports = lab.reports(&units, role);
    assert!(reports.iter().all(|r| r.computed + r.cached == 1 && r.peak_bytes.is_some()), "{reports:?}");
    planned
}

#[test]
fn a_worker_and_an_aggregator_give_the_bytes_of_a_run() {
    let Some(lab) = Lab::start() else { return };
    let alone = lab.dir.path().join("alone");
    succeed(ventral(&alone).args(["run", "examples/demo.toml", "--no-report"]));
    let mut worker = lab.role("worker", "w", "", &["--slots", "2"]);
    let job = "demo-1";
    let planned = compute(&lab, &worker, job, &root().join("examples/demo.toml"));
    assert_eq!(planned.model_cards.len(), planned.plan.models.len());
    assert!(planned.benchmark_cards[0].ends_with("benchmark.toml"), "{:?}", planned.benchmark_cards);
    assert!(objects(&lab.store_dir()) == objects(&alone), "a worker writes the bytes of a run");

    let mut aggregator = lab.role("aggregator", "a", "", &[]);
    lab.admit("assemble-1", ASSEMBLE_POOL, job, Work::Assemble);
    lab.reports(&["assemble-1".to_owned()], &aggregator);
    let board = |store: &Path| succeed(ventral(store).args(["leaderboard", "--json"]));
    assert_eq!(board(&lab.store_dir()), board(&alone), "the same leaderboard from the shared store");
    let report = fs::read_to_string(lab.store_dir().join("jobs").join(job).join("report.html"));
    assert!(report.expect("a report").contains("<svg"));

    let metrics = worker.http("/metrics").expect("metrics");
    for expected in [
        "ventral_units_finished_total{kind=\"score\"}",
        "ventral_unit_seconds_bucket{kind=\"features\"",
        "ventral_unit_peak_bytes_bucket{kind=\"score\"",
        "ventral_cache_misses_total{kind=\"features\"}",
        "ventral_slots 2",
    ] {
        assert!(metrics.contains(expected), "no {expected} in\n{metrics}");
    }
    let log = worker.log();
    let finished = log.lines().find(|line| line.contains("\"finished\"") && line.contains("score"));
    let line: serde_json::Value = serde_json::from_str(finished.expect("a line")).expect("JSON");
    for field in ["job", "unit", "worker", "epoch"] {
        assert!(!line["span"][field].is_null(), "{field} in {line}");
    }
    worker.signal("-TERM");
    aggregator.signal("-TERM");
    assert_eq!((worker.ended(), aggregator.ended()), (0, 0), "{}", worker.log());
    assert!(lab.runtime.block_on(lab.queue.workers()).expect("workers").is_empty(), "both have signed off");
}

#[test]
fn a_slot_and_a_worker_that_vanish_change_no_byte() {
    let Some(lab) = Lab::start() else { return };
    let alone = lab.dir.path().join("alone");
    succeed(ventral(&alone).args(["run", "examples/demo.toml", "--no-report"]));
    // A slot ends after its second result; the worker before it reports its third unit.
    let mut unlucky = lab.role("worker", "u", "after-put:2,before-finish:3", &[]);
    let worker = lab.role("worker", "w", "", &[]);
    compute(&lab, &worker, "demo-1", &root().join("examples/demo.toml"));
    assert!(objects(&lab.store_dir()) == objects(&alone));
    assert_ne!(unlucky.ended(), 0);
    let log = unlucky.log();
    assert!(log.contains("fault: after-put:2") && log.contains("fault: before-finish:3"), "{log}");
}

#[test]
fn a_killed_slot_is_a_crash_and_the_unit_is_tried_again() {
    let Some(lab) = Lab::start() else { return };
    let worker = lab.role("worker", "w", "", &[]);
    lab.drill("long", 1_500);
    lab.wait_leased("long");
    wait_until("a slot runs", SOON, || !worker.children().is_empty());
    kill("-9", worker.children()[0]);
    wait_until("the crash is recorded", SOON, || {
        worker.log().contains("signal 9") && lab.status("long").is_none_or(|status| status.crashes == 1)
    });
    lab.reports(&["long".to_owned()], &worker);
    assert_eq!(worker.children().len(), 1, "the slot has a new process");
    let slot = worker.children()[0];
    worker.signal("-9");
    let gone = || !Path::new(&format!("/proc/{slot}")).exists();
    wait_until("a slot ends with its supervisor", SOON, gone);
}

#[test]
fn poison_is_dead_with_evidence_while_others_go_on() {
    let Some(lab) = Lab::start() else { return };
    let worker = lab.role("worker", "w", "poison:bad", &[]);
    let good: Vec<String> = (0..5).map(|unit| format!("good-{unit}")).collect();
    lab.drill("bad-1", 0);
    for unit in &good {
        lab.drill(unit, 0);
    }
    wait_until("the poison is dead", SOON, || {
        lab.events().iter().any(|event| matches!(event.what, Happening::Died { .. }))
    });
    let dead = lab.runtime.block_on(lab.queue.dead(None, 10)).expect("dead units");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].unit.0, "bad-1");
    let status = lab.status("bad-1").expect("known");
    assert_eq!((status.state, status.crashes), (UnitState::Dead, 3));
    let failure = status.failure.expect("a failure");
    assert_eq!(failure.kind, FailureKind::Crash);
    assert!(
        failure.reason.contains("signal 6") && failure.evidence.contains("poisoned unit bad-1"),
        "{failure:?}"
    );
    let finished = |unit: &String| {
        lab.events().iter().any(|e| e.unit.0 == *unit && matches!(e.what, Happening::Finished { .. }))
    };
    wait_until("the others are finished", SOON, || good.iter().all(finished));
    assert!(worker.log().contains("\"crash\""));
}

#[test]
fn a_drained_worker_gives_back_what_it_cannot_finish() {
    let Some(lab) = Lab::start() else { return };
    let mut worker = lab.role("worker", "w", "", &["--drain-seconds", "0"]);
    lab.drill("endless", 600_000);
    lab.wait_leased("endless");
    worker.signal("-TERM");
    assert_eq!(worker.ended(), 0, "{}", worker.log());
    let status = lab.status("endless").expect("known");
    assert_eq!((status.state, status.evictions, status.crashes), (UnitState::Ready, 1, 0));

    // Asked through the queue, with time to finish.
    let mut second = lab.role("worker", "v", "", &["--drain-seconds", "60"]);
    let units = [UnitId("endless".to_owned())];
    lab.runtime.block_on(lab.queue.cancel(&units)).expect("cancelled");
    lab.drill("short", 1_000);
    lab.wait_leased("short");
    assert!(lab.runtime.block_on(lab.queue.drain("v")).expect("asked"));
    assert_eq!(second.ended(), 0, "{}", second.log());
    lab.reports(&["short".to_owned()], &second);
}

#[test]
fn a_cancelled_unit_frees_its_slot() {
    let Some(lab) = Lab::start() else { return };
    let worker = lab.role("worker", "w", "", &[]);
    lab.drill("endless", 600_000);
    lab.wait_leased("endless");
    lab.drill("next", 0);
    lab.runtime.block_on(lab.queue.cancel(&[UnitId("endless".to_owned())])).expect("cancelled");
    lab.reports(&["next".to_owned()], &worker);
    assert_eq!(lab.status("endless"), None, "a cancelled unit leaves the queue");
    assert!(
        worker
            .http("/metrics")
            .expect("metrics")
            .contains("ventral_lease_losses_total{cause=\"cancelled\"} 1")
    );
}

#[test]
fn a_worker_that_reaches_nothing_gives_up_with_a_message() {
    let Some(mut lab) = Lab::start() else { return };
    let mut worker = lab.role("worker", "w", "", &["--give-up-seconds", "2"]);
    lab.redis.kill().expect("killed");
    assert_eq!(worker.ended(), 4);
    let log = worker.log();
    assert!(log.contains("--give-up-seconds") && log.contains("could not be reached"), "{log}");
}
