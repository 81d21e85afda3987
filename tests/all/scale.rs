//! Many units, many workers: rates, latencies, memory, rebuilding. Figures are for docs/benchmarks.md.

use std::env;
use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ventral_proto::v1::JobState;
use ventral_testkit::{RedisOptions, RedisServer};
use ventral_tests::cluster::{Cluster, Options};

use crate::api::Api;
use crate::simulated::Fleet;

/// Sizes to measure, separated by commas.
const UNITS: &str = "VENTRAL_SCALE";
/// Jobs that share the units.
const JOBS: u32 = 50;
/// Simulated workers.
const WORKERS: usize = 1_000;
/// Simulated workers that share a connection, as the slots of a worker do.
const PER_CONNECTION: usize = 4;
/// Time from one unit of a worker to its next while takes are timed: 3,125 units/s of all workers. Without a pause, a thousand workers that do
/// nothing but take would measure how long their own queue is.
const PACE_MS: u64 = 320;
/// How long takes are timed.
const TIMED: Duration = Duration::from_secs(20);
/// Longest wait for the units of one size.
const LIMIT: Duration = Duration::from_secs(1_800);

struct Figures {
    units: u32,
    submit: Duration,
    /// From the first submission until the coordinator has counted half of the units.
    half: Duration,
    /// Units finished in a second while takes were timed.
    paced: f64,
    /// Times of takes; none where a small job was done before they were timed.
    p50: Option<Duration>,
    p99: Option<Duration>,
    rebuild: Duration,
    peak_bytes: u64,
}

/// What `make scale` measures; the default is a size that a test may take.
#[test]
fn a_thousand_workers_finish_what_fifty_jobs_queue() {
    let sizes = env::var(UNITS).unwrap_or_else(|_| "10000".to_owned());
    let sizes =
        sizes.split(',').map(|size| size.parse::<u32>().unwrap_or_else(|e| panic!("{UNITS}={size}: {e}")));
    let mut rows = Vec::new();
    for units in sizes {
        let Some(figures) = measure(units) else { return };
        rows.push(figures);
    }
    print(&rows);
}

fn measure(units: u32) -> Option<Figures> {
    let redis = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")?;
    let options = Options { workers: 0, lease_ms: 30_000, ..Options::default() };
    let mut cluster = Cluster::prepare(redis, &options).expect("a folder");
    cluster.coordinator.start().expect("the program can be run");
    cluster.wait_ready();
    let api = Api::new(&cluster.url());
    let first = Instant::now();
    let each = units / JOBS;
    let jobs: Vec<String> = (0..JOBS)
        .map(|job| api.drill(&format!("scale-{job}"), each, 0).expect("a drill is accepted").id)
        .collect();
    let submit = first.elapsed();

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let fleet = runtime.block_on(Fleet::start(&cluster.redis.url(), WORKERS, PER_CONNECTION));
    let finished = || fleet.tally().finished.load(Ordering::Relaxed);
    let counted = || jobs.iter().filter_map(|id| api.job(id)?.counts).map(|counts| counts.done).sum::<u64>();
    let enough = u64::from(units / 2);
    wait("half of the units", || finished() >= enough);
    wait("half of the units are counted", || counted() >= enough);
    let half = first.elapsed();

    // Everything that was queued is gone; the coordinator admits it again.
    let flushed = Instant::now();
    cluster.redis.command(&["FLUSHALL"]).expect("redis-server answers");
    let before = finished();
    let again = before + u64::try_from(WORKERS).unwrap_or(0);
    // A small job may have been almost done.
    wait("units are finished again", || finished() > again || counted() >= u64::from(JOBS * each));
    let rebuild = flushed.elapsed();

    fleet.tally().pace_ms.store(PACE_MS, Ordering::Relaxed);
    let (begin, before) = (Instant::now(), finished());
    wait("takes are timed", || begin.elapsed() >= TIMED || finished() >= u64::from(units));
    let paced = (finished() - before) as f64 / begin.elapsed().as_secs_f64();
    fleet.tally().pace_ms.store(0, Ordering::Relaxed);

    for id in &jobs {
        let job = api.ended(id, LIMIT);
        assert_eq!(job.state(), JobState::Succeeded, "{}", job.reason);
        let counts = job.counts.expect("counts");
        assert_eq!(
            (counts.total, counts.done, counts.failed),
            (u64::from(each), u64::from(each), 0),
            "{counts:?}"
        );
    }
    let peak_bytes = peak(cluster.coordinator.id().expect("it runs"));
    let takes = runtime.block_on(fleet.stop());
    let at = |share: usize| takes.get(takes.len().saturating_sub(1) * share / 100).copied();
    Some(Figures { units, submit, half, paced, p50: at(50), p99: at(99), rebuild, peak_bytes })
}

fn wait(what: &str, condition: impl FnMut() -> bool) {
    ventral_testkit::wait_until(what, LIMIT, condition);
}

/// Most memory that a process has held.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().map_or(0, |kilobytes| kilobytes << 10)
}

fn print(rows: &[Figures]) {
    println!("{JOBS} jobs, {WORKERS} simulated workers");
    println!(
        "| units | submit (s) | submit to counted (units/s) | rebuild after FLUSHALL (s) | paced (units/s) | take p50 (ms) | take p99 (ms) | coordinator (MiB) |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        let milliseconds = |time: Option<Duration>| {
            time.map_or("-".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1e3))
        };
        println!(
            "| {} | {:.2} | {:.0} | {:.2} | {:.0} | {} | {} | {} |",
            row.units,
            row.submit.as_secs_f64(),
            f64::from(row.units / 2) / row.half.as_secs_f64(),
            row.rebuild.as_secs_f64(),
            row.paced,
            milliseconds(row.p50),
            milliseconds(row.p99),
            row.peak_bytes >> 20,
        );
    }
}
