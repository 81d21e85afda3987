//! Faults at named points. Each ends with the same check: the job has ended, nothing was lost or counted twice, every byte is that of the
//! fault-free run.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use ventral_proto::v1::JobState;
use ventral_testkit::{RedisOptions, RedisServer, TcpProxy, wait_until};
use ventral_tests::Process;
use ventral_tests::binary::{repository, ventral};
use ventral_tests::cluster::{Cluster, JOB, Options, SOON};
use ventral_tests::compare::objects;

use crate::api::Api;
use crate::reference::{SMALL, SMALL_UNITS, assert_as_reference, reference, submit};

/// The variable that names the point at which a process ends.
const FAULT: &str = "VENTRAL_FAULT";

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// Runs the small job with a fault in one process, which is started again without it as soon as it has ended.
fn with_fault(fault: &str, choose: impl Fn(&mut Cluster) -> &mut Process) {
    let Some(redis) = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")
    else {
        return;
    };
    let mut cluster =
        Cluster::prepare(redis, &Options { workers: 2, ..Options::default() }).expect("a cluster");
    choose(&mut cluster).set(FAULT, fault);
    cluster.start_all();
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    let victim = choose(&mut cluster);
    let signal = victim.wait(SOON).signal();
    // Aborted, or killed by its slot: nothing else ends it by a signal.
    assert!(matches!(signal, Some(SIGABRT | SIGKILL)), "{} ended otherwise: {}", victim.name(), victim.log());
    victim.unset(FAULT);
    victim.start().expect("the program can be run");
    assert_as_reference(&cluster, &api, &id, SMALL);
    assert!(api.dead().is_empty());
}

fn worker(cluster: &mut Cluster) -> &mut Process {
    &mut cluster.workers[0]
}

#[test]
fn worker_dies_before_the_put() {
    with_fault("worker-before-put:2", worker);
}

#[test]
fn worker_dies_after_the_put() {
    with_fault("worker-after-put:2", worker);
}

#[test]
fn worker_dies_before_it_finishes() {
    with_fault("before-finish:2", worker);
}

#[test]
fn coordinator_dies_in_an_admission() {
    with_fault("mid-admission:2", |cluster| &mut cluster.coordinator);
}

#[test]
fn coordinator_dies_before_the_assembly() {
    with_fault("mid-assembly:1", |cluster| &mut cluster.coordinator);
}

#[test]
fn aggregator_dies_in_the_assembly() {
    with_fault("mid-aggregation:1", |cluster| &mut cluster.aggregator);
}

/// A slot's process dies alone: the worker reports it at once and goes on.
#[test]
fn a_slot_dies_alone() {
    let Some(redis) = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")
    else {
        return;
    };
    let mut cluster =
        Cluster::prepare(redis, &Options { workers: 1, ..Options::default() }).expect("a cluster");
    cluster.workers[0].set(FAULT, "after-put:3");
    cluster.start_all();
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    assert_as_reference(&cluster, &api, &id, SMALL);
    assert!(cluster.workers[0].is_running(), "the worker outlives its slot");
    assert!(cluster.workers[0].log().contains("fault: after-put:3"), "the fault happened");
}

/// A unit that aborts every process that computes it is given up with evidence; all others are as in the fault-free run.
#[test]
fn a_poison_unit_is_given_up_with_evidence() {
    let Some(redis) = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")
    else {
        return;
    };
    let expected = objects(&reference(SMALL));
    let mut cluster =
        Cluster::prepare(redis, &Options { workers: 2, ..Options::default() }).expect("a cluster");
    let poison = a_score();
    for worker in &mut cluster.workers {
        worker.set(FAULT, &format!("poison:{poison}"));
    }
    cluster.start_all();
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    let job = api.ended(&id, JOB);
    assert_eq!(job.state(), JobState::Partial, "{}", job.reason);
    let counts = job.counts.expect("counts");
    assert_eq!((counts.total, counts.done, counts.failed), (SMALL_UNITS, SMALL_UNITS - 1, 1), "{counts:?}");
    let found = objects(cluster.store());
    let lost: Vec<_> = expected.keys().filter(|path| !found.contains_key(*path)).collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].to_string_lossy().contains(&poison), "{lost:?}");
    assert!(found.iter().all(|(path, bytes)| expected.get(path) == Some(bytes)), "the rest is as expected");
    let dead = api.dead();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].reason.contains("signal 6"), "{:?}", dead[0]);
    assert!(dead[0].evidence.contains("poisoned unit"), "its last words are kept: {:?}", dead[0]);
    assert_eq!((dead[0].crashes, dead[0].attempts), (3, 0), "{:?}", dead[0]);
}

/// Digest of a score that is a unit of its own; those that are read from tiles come with their features unit.
fn a_score() -> String {
    let store = reference(SMALL);
    let output = Command::new(ventral())
        .args(["plan", SMALL, "--json", "--store"])
        .arg(&store)
        .current_dir(repository())
        .env_remove("VENTRAL_COORDINATOR")
        .output()
        .expect("the program can be run");
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a plan");
    let plan = &plan["plan"];
    let benchmark = |unit: &serde_json::Value| unit["benchmark"].as_u64().expect("an index") as usize;
    let scores = plan["scores"].as_array().expect("scores");
    let own = scores.iter().find(|unit| plan["benchmarks"][benchmark(unit)]["consumes"] == "gram");
    own.expect("a score from a Gram matrix")["digest"].as_str().expect("a digest").to_owned()
}

/// What happens to Redis while a job runs.
fn with_redis(options: &Options, harm: impl FnOnce(&mut RedisServer)) {
    let Some(mut cluster) = Cluster::start(options) else { return };
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    api.done(&id, 5);
    harm(&mut cluster.redis);
    assert_as_reference(&cluster, &api, &id, SMALL);
    for process in cluster.processes() {
        assert!(process.is_running(), "{} goes on", process.name());
    }
    assert!(api.dead().is_empty());
}

#[test]
fn redis_dies_and_comes_back_with_its_file() {
    let options = Options { append_only: true, ..Options::default() };
    with_redis(&options, |redis| redis.restart().expect("redis-server starts"));
}

#[test]
fn redis_dies_and_comes_back_empty() {
    with_redis(&Options::default(), |redis| redis.restart_empty().expect("redis-server starts"));
}

#[test]
fn redis_is_flushed() {
    with_redis(&Options::default(), |redis| drop(redis.command(&["FLUSHALL"]).expect("it answers")));
}

/// The file lost its end, as in a power cut: the generation is there, units are not.
#[test]
fn redis_comes_back_with_half_of_its_file() {
    let options = Options { append_only: true, ..Options::default() };
    with_redis(&options, |redis| {
        let cut = redis.restart_cut(u64::MAX).expect("redis-server starts");
        assert!(cut > 1_000, "{cut} bytes are no loss");
    });
}

/// Nobody is disconnected, the generation stays.
#[test]
fn redis_loses_every_unit_and_nothing_else() {
    let script =
        "for _, key in ipairs(redis.call('KEYS', '{ventral}:unit:*')) do redis.call('DEL', key) end return 1";
    with_redis(&Options::default(), |redis| {
        assert_eq!(redis.command(&["EVAL", script, "0"]).expect("it answers"), ":1");
    });
}

#[test]
fn redis_loses_what_waits_for_workers() {
    let script = "for _, key in ipairs(redis.call('KEYS', '{ventral}:ready:*')) do redis.call('DEL', key) end return 1";
    with_redis(&Options::default(), |redis| {
        assert_eq!(redis.command(&["EVAL", script, "0"]).expect("it answers"), ":1");
    });
}

#[test]
fn scripts_are_flushed() {
    with_redis(&Options::default(), |redis| drop(redis.command(&["SCRIPT", "FLUSH"]).expect("it answers")));
}

/// A worker that is stopped for two leases loses its units to others, comes back, and may finish late: the same bytes.
#[test]
fn a_worker_is_stopped_for_two_leases() {
    let options = Options { workers: 2, ..Options::default() };
    let Some(cluster) = Cluster::start(&options) else { return };
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    wait_until("worker-0 holds a unit", SOON, || {
        api.workers().iter().any(|worker| worker.name == "worker-0" && worker.leases > 0)
    });
    cluster.workers[0].signal("STOP").expect("it runs");
    std::thread::sleep(Duration::from_millis(2 * options.lease_ms));
    cluster.workers[0].signal("CONT").expect("it runs");
    assert_as_reference(&cluster, &api, &id, SMALL);
    assert!(api.dead().is_empty());
}

/// Faults of the line between one worker and Redis, one after another, each held until the others have gone on.
#[test]
fn the_line_to_redis_is_cut_delayed_and_half_open() {
    let Some(redis) = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let proxy = runtime.block_on(TcpProxy::to_port(redis.port())).expect("a proxy");
    let options = Options { workers: 2, worker_redis_ports: vec![proxy.port()], ..Options::default() };
    let mut cluster = Cluster::prepare(redis, &options).expect("a cluster");
    cluster.start_all();
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    for (done, fault) in
        [(5, TcpProxy::cut as fn(&TcpProxy)), (10, |p| p.delay(100)), (20, TcpProxy::half_open)]
    {
        api.done(&id, done);
        fault(&proxy);
    }
    api.done(&id, 30);
    proxy.heal();
    proxy.cut();
    assert_as_reference(&cluster, &api, &id, SMALL);
    assert!(cluster.workers[0].is_running(), "the worker outlives its line");
    let seen = proxy.accepted();
    wait_until("the worker is back", SOON, || {
        let back = api
            .workers()
            .iter()
            .any(|worker| worker.name == "worker-0" && worker.silent_ms < options.lease_ms);
        back && seen > 1
    });
}

/// A file system of its own with `megabytes` of room; `None`, and a line that says so, where it cannot be mounted.
struct SmallDisk(PathBuf, TempDir);

impl SmallDisk {
    fn new(megabytes: u32) -> Option<Self> {
        Self::at("", megabytes)
    }

    /// Below a folder of this name in a folder of its own.
    fn at(name: &str, megabytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(name);
        fs::create_dir_all(&path).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(&path);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(path, dir));
        }
        eprintln!("SKIPPED: no right to mount a small file system");
        None
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// The folder that [`SmallDisk::at`] made the disk in.
    fn parent(&self) -> &Path {
        self.1.path()
    }

    /// Fills what is left; the file that does.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = fs::File::create(&path).expect("a file");
        let zeros = vec![0_u8; 1 << 16];
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing else can be done about a mount that stays.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn the_disk_of_the_store_is_full_for_a_while() {
    let Some(disk) = SmallDisk::new(64) else { return };
    let options = Options { workers: 2, store: Some(disk.path().join("store")), ..Options::default() };
    let Some(cluster) = Cluster::start(&options) else { return };
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    api.done(&id, 5);
    let filler = disk.fill();
    wait_until("a worker has no room", SOON, || {
        cluster.workers.iter().any(|worker| worker.log().contains("No space left"))
    });
    fs::remove_file(filler).expect("it is there");
    assert_as_reference(&cluster, &api, &id, SMALL);
}

#[test]
fn the_disk_of_the_caches_is_full() {
    let Some(disk) = SmallDisk::new(32) else { return };
    let options = Options { workers: 2, cache: Some(disk.path().join("cache")), ..Options::default() };
    let Some(cluster) = Cluster::start(&options) else { return };
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    api.done(&id, 3);
    let filler = disk.fill();
    api.done(&id, 10);
    fs::remove_file(filler).expect("it is there");
    assert_as_reference(&cluster, &api, &id, SMALL);
}

/// One worker's disk is full from the start: it must not fail what the other one can compute.
#[test]
fn a_worker_with_a_full_disk_is_no_black_hole() {
    let Some(disk) = SmallDisk::at("worker-0", 4) else { return };
    let options = Options { workers: 2, cache: Some(disk.parent().to_owned()), ..Options::default() };
    let Some(cluster) = Cluster::start(&options) else { return };
    let filler = disk.fill();
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    let sick = || api.workers().into_iter().find(|worker| worker.name == "worker-0");
    wait_until("worker-0 is quarantined", JOB, || sick().is_some_and(|worker| worker.quarantined));
    let listed = cluster.run(&["workers", "--json"]);
    assert!(listed.contains("quarantined") && listed.contains("the disk is full"), "{listed}");
    let metrics = cluster.metrics("worker-0");
    assert!(metrics.contains("ventral_machine_faults_total{cause=\"the disk is full\"} 3"), "{metrics}");
    assert!(metrics.contains("ventral_quarantined 1"), "{metrics}");
    assert!(!cluster.is_ready("worker-0"));
    assert_as_reference(&cluster, &api, &id, SMALL);
    assert!(api.dead().is_empty());
    fs::remove_file(filler).expect("it is there");
    wait_until("worker-0 is well", SOON, || sick().is_some_and(|worker| worker.trouble.is_empty()));
    wait_until("worker-0 says so", SOON, || cluster.is_ready("worker-0"));
}

/// Planning hangs in the only slot: it is ended, and the next try goes through.
#[test]
fn a_plan_that_hangs_does_not_hold_the_slot() {
    let Some(redis) = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")
    else {
        return;
    };
    let worker = vec!["--plan-limit-seconds=15".to_owned()];
    let mut cluster =
        Cluster::prepare(redis, &Options { workers: 1, worker, ..Options::default() }).expect("a cluster");
    cluster.workers[0].set(FAULT, "hang:plan");
    cluster.start_all();
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    assert_as_reference(&cluster, &api, &id, SMALL);
    let log = cluster.workers[0].log();
    assert!(log.contains("ran 15 s, limit 15 s, predicted nothing: it was ended"), "{log}");
}

#[test]
fn an_assembly_that_hangs_is_given_up_with_the_reason() {
    let Some(redis) = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")
    else {
        return;
    };
    let aggregator = vec!["--assemble-limit-seconds=1".to_owned()];
    let mut cluster = Cluster::prepare(redis, &Options { workers: 2, aggregator, ..Options::default() })
        .expect("a cluster");
    cluster.aggregator.set(FAULT, "hang:assemble");
    cluster.start_all();
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, SMALL);
    let job = api.ended(&id, JOB);
    assert_eq!(job.state(), JobState::Failed);
    assert_eq!(job.reason, "assembling ran 1 s, limit 1 s: it was given up");
}

/// Less than the 15 s for which a lead is held without renewal.
#[test]
fn a_coordinator_that_is_restarted_leads_at_once() {
    let Some(mut cluster) = Cluster::start(&Options { workers: 0, ..Options::default() }) else { return };
    cluster.coordinator.terminate().expect("it runs");
    assert!(cluster.coordinator.wait(SOON).success());
    let begin = std::time::Instant::now();
    cluster.coordinator.start().expect("it starts again");
    cluster.wait_ready();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
