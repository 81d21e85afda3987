//! How fast one Redis queue is: admission, then takers that take and finish units one at a time.
//!
//! `cargo run -p ventral-queue --example throughput -- [units] [takers] [connections] [units per second]`. Without a rate every taker takes
//! again at once, and waiting times say how many takers there are; with one, takers together take that many units per second.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ventral_queue::{Cursor, Entry, MAX_ADMIT, Queue, Redis, SHARDS, TakeRequest, Timing, TlsFiles, UnitId};
use ventral_testkit::{RedisOptions, RedisServer};

const POOLS: usize = 4;

fn pool(number: usize) -> String {
    format!("x86_64-v4/m{}", 28 + number % POOLS)
}

fn entries(units: usize) -> Vec<Entry> {
    let entry = |number: usize| Entry {
        unit: UnitId(format!("{number:064x}")),
        pool: pool(number),
        shard: u16::try_from(number / POOLS % usize::from(SHARDS)).unwrap_or(0),
        job: "job".to_owned(),
        payload: vec![b'x'; 300],
    };
    (0..units).map(entry).collect()
}

fn summary(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{what}: {} calls, p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

async fn taker(
    queue: Redis,
    number: usize,
    pause: Option<Duration>,
) -> Result<(usize, Vec<Duration>, Vec<Duration>), ventral_queue::Error> {
    let worker = format!("worker-{number}");
    let pools = (0..POOLS).map(pool).collect();
    let shard = |k: usize| u16::try_from((number + k) % usize::from(SHARDS)).unwrap_or(0);
    let shards = (0..usize::from(SHARDS)).map(shard).collect();
    let request = TakeRequest { worker: worker.clone(), pools, shards, count: 1 };
    let (mut done, mut takes, mut finishes) = (0, Vec::new(), Vec::new());
    let mut beat = pause.map(|pause| {
        let first = tokio::time::Instant::now() + pause * u32::try_from(number % 1_000).unwrap_or(0) / 1_000;
        tokio::time::interval_at(first, pause)
    });
    loop {
        if let Some(beat) = &mut beat {
            beat.tick().await;
        }
        let begin = Instant::now();
        let leases = queue.take(&request).await?;
        takes.push(begin.elapsed());
        if leases.is_empty() {
            return Ok((done, takes, finishes));
        }
        for lease in leases {
            let begin = Instant::now();
            queue.finish(&lease.held, &worker, b"{\"seconds\":0.0,\"cached\":0,\"computed\":1}").await?;
            finishes.push(begin.elapsed());
            done += 1;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let number = |index: usize, default: usize| numbers.get(index).copied().unwrap_or(default);
    let (units, takers, connections) = (number(0, 100_000), number(1, 1_000), number(2, 4).max(1));
    let pause = numbers.get(3).map(|&rate| Duration::from_secs_f64(takers as f64 / rate.max(1) as f64));
    let server = RedisServer::start(RedisOptions::default())?;
    let mut queues = Vec::new();
    for _ in 0..connections {
        queues.push(Redis::connect(&server.url(), "bench", Timing::default(), &TlsFiles::default()).await?);
    }
    queues[0].open().await?;

    let entries = Arc::new(entries(units));
    let (begin, mut admits) = (Instant::now(), Vec::new());
    for batch in entries.chunks(MAX_ADMIT) {
        let begin = Instant::now();
        queues[0].admit(batch).await?;
        admits.push(begin.elapsed());
    }
    println!("admission: {:.0} units/s", units as f64 / begin.elapsed().as_secs_f64());
    summary("admit of 1000", admits);

    let begin = Instant::now();
    let running: Vec<_> = (0..takers)
        .map(|number| tokio::spawn(taker(queues[number % connections].clone(), number, pause)))
        .collect();
    let (mut done, mut takes, mut finishes) = (0, Vec::new(), Vec::new());
    for taker in running {
        let (number, take, finish) = taker.await??;
        done += number;
        takes.extend(take);
        finishes.extend(finish);
    }
    println!(
        "{takers} takers on {connections} connections: {done} units, {:.0} take+finish/s",
        done as f64 / begin.elapsed().as_secs_f64()
    );
    summary("take", takes);
    summary("finish", finishes);

    let (begin, mut cursor, mut read) = (Instant::now(), Cursor::start(), 0);
    loop {
        let events = queues[0].events(&cursor, 1_000).await?;
        let Some((last, _)) = events.last() else { break };
        cursor = last.clone();
        read += events.len();
        queues[0].acknowledge(&cursor).await?;
    }
    println!("events: {read} read and acknowledged, {:.0}/s", read as f64 / begin.elapsed().as_secs_f64());
    println!(
        "memory: {}",
        server
            .command(&["INFO", "memory"])?
            .lines()
            .find(|line| line.starts_with("used_memory_peak_human"))
            .unwrap_or("?")
    );
    let cpu = server.command(&["INFO", "cpu"])?;
    println!("{}", cpu.lines().filter(|line| line.starts_with("used_cpu_user:")).collect::<String>());
    let idle = Instant::now();
    for _ in 0..1_000 {
        queues[0].reap().await?;
    }
    println!("idle reap: {:.1?}", idle.elapsed() / 1_000);
    Ok(())
}
