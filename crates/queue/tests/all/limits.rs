//! At the bound, and one beyond.

use ventral_queue::{
    Error, Finished, LeaseRef, MAX_ADMIT, MAX_ADMIT_BYTES, MAX_BATCH, MAX_BEAT, MAX_DEAD, MAX_EVENT_BYTES,
    MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_POOLS, MAX_REASON_CHARS, MAX_REPORT_BYTES, MAX_TAKE,
    MAX_TROUBLE_CHARS, Queue, Redis, SHARDS, Timing, TlsFiles, UnitId,
};

use crate::conformance::scenario;
use crate::support::{
    ATTEMPT, PERMANENT, TIMING, Traced, admit, all_events, entry, failure, id, lease, record, request, status,
};

fn refused<T: std::fmt::Debug>(field: &str, answer: Result<T, Error>) {
    match answer {
        Err(Error::Invalid { field: found, problem }) => {
            assert_eq!(found, field);
            assert!(!problem.is_empty());
        }
        other => panic!("{field} was not refused: {other:?}"),
    }
}

scenario!(numbers_of_things, queue, {
    let entries: Vec<_> = (0..=MAX_ADMIT).map(|n| entry(&format!("u{n}"), "p", 0)).collect();
    refused("entries", queue.admit(&entries).await);
    assert_eq!(queue.admit(&entries[..MAX_ADMIT]).await.unwrap().len(), MAX_ADMIT);
    refused("count", queue.take(&request("w", &["p"], MAX_TAKE + 1)).await);
    assert_eq!(queue.take(&request("w", &["p"], MAX_TAKE)).await.unwrap().len(), MAX_TAKE);
    let pools: Vec<String> = (0..=MAX_POOLS).map(|n| format!("pool-{n}")).collect();
    let pools: Vec<&str> = pools.iter().map(String::as_str).collect();
    refused("pools", queue.take(&request("w", &pools, 1)).await);
    assert_eq!(queue.take(&request("w", &pools[..MAX_POOLS], 1)).await.unwrap(), []);
    let units: Vec<UnitId> = entries.iter().map(|entry| entry.unit.clone()).collect();
    refused("units", queue.status(&units).await);
    assert_eq!(queue.status(&units[..MAX_BATCH]).await.unwrap().len(), MAX_BATCH);
    let leases: Vec<LeaseRef> = units.iter().map(|unit| LeaseRef { unit: unit.clone(), epoch: 1 }).collect();
    refused("leases", queue.beat(&record("w"), &leases).await);
    assert_eq!(queue.beat(&record("w"), &leases[..MAX_BEAT]).await.unwrap().lost.len(), MAX_BEAT - 1);
    refused("units", queue.bury(&units).await);
    refused("units", queue.cancel(&units).await);
    queue.cancel(&units[..MAX_BATCH]).await.unwrap();
    assert_eq!(queue.depths().await.unwrap(), []);
    assert_eq!(queue.admit(&[]).await.unwrap(), []);
});

scenario!(shards, queue, {
    refused("shard", queue.admit(&[entry("u", "p", SHARDS)]).await);
    queue.admit(&[entry("u", "p", SHARDS - 1)]).await.unwrap();
    let wanted = |shards: Vec<u16>| ventral_queue::TakeRequest { shards, ..request("w", &["p", "p"], 2) };
    refused("shards", queue.take(&wanted(vec![SHARDS])).await);
    refused("shards", queue.take(&wanted(vec![0; usize::from(SHARDS) + 1])).await);
    assert_eq!(queue.take(&wanted(vec![0; usize::from(SHARDS)])).await.unwrap().len(), 1);
});

scenario!(sizes, queue, {
    let payload = |bytes: usize| ventral_queue::Entry { payload: vec![0xff; bytes], ..entry("u", "p", 0) };
    refused("payload", queue.admit(&[payload(MAX_PAYLOAD_BYTES + 1)]).await);
    queue.admit(&[payload(MAX_PAYLOAD_BYTES)]).await.unwrap();
    let held = crate::support::take(queue, "w").await.unwrap();
    assert_eq!(held.payload, vec![0xff; MAX_PAYLOAD_BYTES]);
    refused("report", queue.finish(&held.held, "w", &vec![1; MAX_REPORT_BYTES + 1]).await);
    let found = queue.finish(&held.held, "w", &vec![1; MAX_REPORT_BYTES]).await.unwrap();
    assert_eq!(found, Finished::Recorded);

    admit(queue, "long").await;
    let held = lease(queue, "w").await;
    let reason = format!("ä{}", "x".repeat(MAX_REASON_CHARS));
    let evidence = format!("{}ä", "x".repeat(MAX_REASON_CHARS));
    let long = ventral_queue::Failure { kind: ATTEMPT, reason, evidence };
    queue.fail(&held, "w", &long).await.unwrap();
    let kept = status(queue, "long").await.unwrap().failure.unwrap();
    assert_eq!(kept.reason, format!("ä{}", "x".repeat(MAX_REASON_CHARS - 1)), "the end is cut");
    assert_eq!(kept.evidence, format!("{}ä", "x".repeat(MAX_REASON_CHARS - 1)), "the beginning is cut");
});

scenario!(bytes_of_one_admission, queue, {
    let full = MAX_ADMIT_BYTES / MAX_PAYLOAD_BYTES;
    let entry = |n: usize, bytes: usize| ventral_queue::Entry {
        payload: vec![0; bytes],
        ..entry(&format!("u{n}"), "p", 0)
    };
    let mut entries: Vec<_> = (0..full).map(|n| entry(n, MAX_PAYLOAD_BYTES)).collect();
    entries.push(entry(full, 1));
    refused("entries", queue.admit(&entries).await);
    entries[0].payload.pop();
    assert_eq!(queue.admit(&entries).await.unwrap().len(), full + 1);
});

scenario!(bytes_of_one_reading, queue, {
    let full = MAX_EVENT_BYTES / MAX_REPORT_BYTES;
    for n in 0..full + 2 {
        admit(queue, &format!("u{n}")).await;
        let held = lease(queue, "w").await;
        queue.finish(&held, "w", &vec![0; MAX_REPORT_BYTES]).await.unwrap();
    }
    let first = queue.events(&ventral_queue::Cursor::start(), 1_000).await.unwrap();
    assert_eq!(first.len(), full);
    assert_eq!(queue.events(&first[full - 1].0, 1_000).await.unwrap().len(), 2);
    assert_eq!(queue.events(&first[full - 1].0, 1).await.unwrap().len(), 1);
});

scenario!(many_small_events, queue, {
    for n in 0..130 {
        admit(queue, &format!("u{n}")).await;
        let held = lease(queue, "w").await;
        queue.finish(&held, "w", b"").await.unwrap();
    }
    for limit in [49, 50, 51, 100, 129, 130, 131] {
        assert_eq!(queue.events(&ventral_queue::Cursor::start(), limit).await.unwrap().len(), limit.min(130));
    }
});

scenario!(names, queue, {
    let longest = "n".repeat(MAX_NAME_BYTES);
    let long = "n".repeat(MAX_NAME_BYTES + 1);
    for bad in ["", &long, "a\nb", "a\0b", "a\u{7f}", "a\tb", "a\u{85}"] {
        refused("unit", queue.admit(&[entry(bad, "p", 0)]).await);
        refused("pool", queue.admit(&[entry("u", bad, 0)]).await);
        refused(
            "job",
            queue.admit(&[ventral_queue::Entry { job: bad.to_owned(), ..entry("u", "p", 0) }]).await,
        );
        refused("worker", queue.take(&request(bad, &["p"], 1)).await);
        refused("pools", queue.take(&request("w", &[bad], 1)).await);
        refused("worker", queue.beat(&record(bad), &[]).await);
        refused("worker", queue.drain(bad).await);
        refused("worker", queue.leave(bad).await);
        refused("who", queue.lead(bad, 1).await);
        let held = LeaseRef { unit: id(bad), epoch: 1 };
        refused("unit", queue.finish(&held, "w", b"").await);
        refused("unit", queue.yield_back(&held, "w").await);
        refused("unit", queue.fail(&held, "w", &failure(ATTEMPT, "x")).await);
        refused("unit", queue.beat(&record("w"), &[held]).await);
        refused("unit", queue.cancel(&[id(bad)]).await);
    }
    let trouble = ventral_queue::WorkerRecord { trouble: "ü".repeat(MAX_TROUBLE_CHARS + 1), ..record("w") };
    queue.beat(&trouble, &[]).await.unwrap();
    assert_eq!(queue.workers().await.unwrap()[0].trouble, "ü".repeat(MAX_TROUBLE_CHARS));
    queue.leave("w").await.unwrap();
    let version = ventral_queue::WorkerRecord { version: long.clone(), ..record("w") };
    refused("version", queue.beat(&version, &[]).await);
    let odd = [&longest, "a b", "{x}", "*?[a]", "'\"\\", "a:b", "@:x", "ü 火", "%s%d", "$(x)", "-", "0"];
    for name in odd {
        let entry = ventral_queue::Entry { job: name.to_owned(), ..entry(name, name, 3) };
        queue.admit(&[entry]).await.unwrap();
    }
    assert_eq!(queue.depths().await.unwrap().len(), odd.len());
    for name in odd {
        let leases = queue.take(&request(name, &[name], 5)).await.unwrap();
        assert_eq!((leases.len(), leases[0].held.unit.0.as_str(), leases[0].job.as_str()), (1, name, name));
        assert_eq!(queue.beat(&record(name), &[leases[0].held.clone()]).await.unwrap().lost, []);
        assert_eq!(queue.finish(&leases[0].held, name, b"").await.unwrap(), Finished::Recorded);
    }
    assert_eq!(all_events(queue).await.len(), odd.len());
    assert_eq!(queue.workers().await.unwrap().len(), odd.len());
});

/// Kills the units `from..to`.
async fn kill(queue: &Traced, from: usize, to: usize) {
    let entries: Vec<_> = (from..to).map(|n| entry(&format!("u{n:05}"), "p", 0)).collect();
    for batch in entries.chunks(MAX_ADMIT) {
        queue.admit(batch).await.unwrap();
    }
    for _ in (from..to).step_by(MAX_TAKE) {
        let leases = queue.take(&request("w", &["p"], MAX_TAKE.min(to - from))).await.unwrap();
        for lease in leases {
            queue.fail(&lease.held, "w", &failure(PERMANENT, "no")).await.unwrap();
        }
    }
}

scenario!(dead_units_are_bounded, queue, {
    kill(queue, 0, MAX_DEAD).await;
    assert_eq!(queue.dead(None, 1).await.unwrap()[0].unit, id("u00000"));
    queue.advance(1).await;
    kill(queue, MAX_DEAD, MAX_DEAD + 1).await;
    let oldest = queue.dead(None, MAX_BATCH + 1).await.unwrap();
    assert_eq!((oldest.len(), oldest[0].unit.0.as_str()), (MAX_BATCH, "u00001"));
    assert_eq!(status(queue, "u00000").await, None);
    assert_eq!(admit(queue, "u00000").await, ventral_queue::Admission::Queued);
});

scenario!(a_reap_is_bounded, queue, {
    let most = ventral_queue::MAX_REAP;
    for part in 0..2 {
        let entries: Vec<_> = (0..most).map(|n| entry(&format!("u{part}-{n}"), "p", 0)).collect();
        queue.admit(&entries).await.unwrap();
    }
    for _ in 0..(2 * most).div_ceil(MAX_TAKE) {
        queue.take(&request("w", &["p"], MAX_TAKE)).await.unwrap();
    }
    queue.advance(TIMING.lease_ms).await;
    assert_eq!(queue.reap().await.unwrap().expired, most as u64);
    assert_eq!(queue.reap().await.unwrap().expired, most as u64);
    queue.advance(2 * TIMING.backoff_ms).await;
    assert_eq!(queue.reap().await.unwrap().promoted, most as u64);
    assert_eq!(queue.reap().await.unwrap().promoted, most as u64);
    assert_eq!(queue.reap().await.unwrap(), ventral_queue::Reaped::default());
});

#[tokio::test]
async fn names_and_times_of_a_redis_queue() {
    let connect = async |name: &str, timing: Timing| {
        Redis::connect("redis://127.0.0.1:1/", name, timing, &TlsFiles::default()).await.map(|_| ())
    };
    connect(&"q".repeat(64), TIMING).await.unwrap();
    for bad in ["", &"q".repeat(65), "a b", "{a}", "a*", "a:b", "ü", "a\n"] {
        refused("queue name", connect(bad, TIMING).await);
    }
    connect("q", Timing { lease_ms: 1 << 40, ..TIMING }).await.unwrap();
    for bad in [Timing { lease_ms: 0, ..TIMING }, Timing { max_backoff_ms: (1 << 40) + 1, ..TIMING }] {
        refused("timing", connect("q", bad).await);
    }
}
