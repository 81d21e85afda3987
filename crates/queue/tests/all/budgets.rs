//! Attempts, crashes and evictions are counted apart.

use ventral_queue::machine::backoff::backoff_ms;
use ventral_queue::{
    Admission, BACKOFF_MS, FailureKind, Finished, Happening, MAX_ATTEMPTS, MAX_BACKOFF_MS, MAX_CRASHES,
    MAX_MACHINE_FAULTS, Queue, Timing, UnitState,
};

use crate::conformance::scenario;
use crate::support::{
    ATTEMPT, CRASH, INPUT, MACHINE, PERMANENT, TIMING, admit, all_events, failure, id, lease, record, status,
    take,
};

scenario!(attempts_end_in_death_with_the_last_reason, queue, {
    admit(queue, "u").await;
    for attempt in 1..=MAX_ATTEMPTS {
        let held = lease(queue, "w").await;
        let found = queue.fail(&held, "w", &failure(ATTEMPT, &format!("no {attempt}"))).await.unwrap();
        let known = status(queue, "u").await.unwrap();
        assert_eq!(known.attempts, attempt);
        if attempt == MAX_ATTEMPTS {
            assert_eq!((found, known.state), (Finished::Dead, UnitState::Dead));
            continue;
        }
        assert_eq!((found, known.state), (Finished::Requeued, UnitState::Delayed));
        let wait_ms = backoff_ms(&TIMING, "u", attempt);
        queue.advance(wait_ms - 1).await;
        assert_eq!(queue.reap().await.unwrap().promoted, 0);
        assert!(take(queue, "w").await.is_none());
        queue.advance(1).await;
        assert_eq!(queue.reap().await.unwrap().promoted, 1);
    }
    let dead = queue.dead(None, 10).await.unwrap();
    assert_eq!((dead[0].attempts, dead[0].crashes, dead[0].failure.reason.as_str()), (4, 0, "no 4"));
    assert_eq!((dead[0].failure.evidence.as_str(), dead[0].worker.as_str()), ("evidence of no 4", "w"));
    let events = all_events(queue).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].what, Happening::Died { failure: dead[0].failure.clone() });
    assert_eq!(admit(queue, "u").await, Admission::Dead);
    assert!(take(queue, "w").await.is_none());
    queue.bury(&[id("u"), id("never there")]).await.unwrap();
    assert_eq!(admit(queue, "u").await, Admission::Queued);
    assert_eq!(status(queue, "u").await.unwrap().attempts, 0);
});

scenario!(vanished_workers_end_in_death_and_are_named, queue, {
    admit(queue, "u").await;
    for crash in 1..=MAX_CRASHES {
        lease(queue, &format!("w{crash}")).await;
        queue.advance(TIMING.lease_ms - 1).await;
        assert_eq!(queue.reap().await.unwrap().expired, 0);
        queue.advance(1).await;
        let reaped = queue.reap().await.unwrap();
        assert_eq!((reaped.expired, reaped.dead), if crash < MAX_CRASHES { (1, 0) } else { (0, 1) });
        queue.advance(10_000).await;
        queue.reap().await.unwrap();
    }
    let dead = &queue.dead(None, 10).await.unwrap()[0];
    assert_eq!((dead.failure.kind, dead.crashes, dead.attempts, dead.worker.as_str()), (CRASH, 3, 0, "w3"));
    assert_eq!(dead.failure.reason, "worker w3 vanished: its lease was not renewed in 30000 ms");
    assert_eq!(dead.failure.evidence, "workers that it crashed: w1, w2, w3");
    assert!(
        matches!(&all_events(queue).await[0].what, Happening::Died { failure } if *failure == dead.failure)
    );
});

scenario!(reported_crashes_keep_their_evidence, queue, {
    admit(queue, "u").await;
    for _ in 0..MAX_CRASHES {
        let held = lease(queue, "w").await;
        queue.fail(&held, "w", &failure(CRASH, "signal 6")).await.unwrap();
        queue.advance(10_000).await;
        queue.reap().await.unwrap();
    }
    let dead = &queue.dead(None, 10).await.unwrap()[0];
    assert_eq!(dead.failure.evidence, "evidence of signal 6\nworkers that it crashed: w, w, w");
});

scenario!(budgets_do_not_mix_and_evictions_are_free, queue, {
    admit(queue, "u").await;
    let again = async |kind: FailureKind| {
        let held = lease(queue, "w").await;
        assert_eq!(queue.fail(&held, "w", &failure(kind, "x")).await.unwrap(), Finished::Requeued);
        queue.advance(MAX_BACKOFF_MS).await;
        assert_eq!(queue.reap().await.unwrap().promoted, 1);
    };
    for _ in 1..MAX_ATTEMPTS {
        again(ATTEMPT).await;
    }
    for _ in 1..MAX_CRASHES {
        again(CRASH).await;
    }
    for _ in 0..20 {
        let held = lease(queue, "w").await;
        assert_eq!(queue.yield_back(&held, "w").await.unwrap(), Finished::Requeued);
    }
    let known = status(queue, "u").await.unwrap();
    assert_eq!((known.attempts, known.crashes, known.evictions, known.state), (3, 2, 20, UnitState::Ready));
    let last = take(queue, "w").await.unwrap();
    assert_eq!((last.attempts, last.crashes), (3, 2));
    assert_eq!(queue.fail(&last.held, "w", &failure(ATTEMPT, "x")).await.unwrap(), Finished::Dead);
});

scenario!(permanent_is_dead_at_once, queue, {
    admit(queue, "u").await;
    let held = lease(queue, "w").await;
    assert_eq!(queue.fail(&held, "w", &failure(PERMANENT, "never")).await.unwrap(), Finished::Dead);
    assert_eq!(queue.dead(None, 10).await.unwrap()[0].failure, failure(PERMANENT, "never"));
});

scenario!(a_missing_input_leaves_the_queue, queue, {
    admit(queue, "u").await;
    let held = lease(queue, "w").await;
    assert_eq!(queue.fail(&held, "w", &failure(INPUT, "no gram")).await.unwrap(), Finished::Recorded);
    assert_eq!(status(queue, "u").await, None);
    let events = all_events(queue).await;
    assert_eq!(events[0].what, Happening::NeedsInput { failure: failure(INPUT, "no gram") });
    assert_eq!(admit(queue, "u").await, Admission::Queued);
});

scenario!(dead_units_are_paged_by_age, queue, {
    for unit in ["c", "a", "b"] {
        admit(queue, unit).await;
        let held = lease(queue, "w").await;
        queue.fail(&held, "w", &failure(PERMANENT, unit)).await.unwrap();
        queue.advance(if unit == "a" { 0 } else { 1 }).await;
    }
    let names = async |after: Option<&str>, limit| {
        let after = after.map(id);
        let page = queue.dead(after.as_ref(), limit).await.unwrap();
        page.into_iter().map(|dead| dead.unit.0).collect::<Vec<_>>().join("")
    };
    assert_eq!(names(None, 2).await, "ca");
    assert_eq!(names(Some("a"), 2).await, "b");
    assert_eq!(names(Some("b"), 2).await, "");
    assert_eq!(names(Some("unknown"), 1).await, "c");
    assert_eq!(names(None, 0).await, "");
});

#[test]
fn backoff_doubles_within_its_bounds() {
    let timing = Timing::default();
    let mut full = BACKOFF_MS;
    for failures in 1..60 {
        for unit in ["a", "b", "0123456789abcdef"] {
            let found = backoff_ms(&timing, unit, failures);
            assert!((full / 2..=full).contains(&found), "{failures} failures: {found}");
        }
        full = (full * 2).min(MAX_BACKOFF_MS);
    }
    let waits: std::collections::HashSet<u64> =
        (0..100).map(|unit| backoff_ms(&timing, &format!("u{unit}"), 9)).collect();
    assert!(waits.len() > 90, "jitter spreads units: {}", waits.len());
    let none = Timing { backoff_ms: 0, ..timing };
    assert_eq!(backoff_ms(&none, "u", 3), 0);
}

scenario!(a_fault_of_the_machine_costs_nothing_and_goes_elsewhere, queue, {
    queue.beat(&record("sick"), &[]).await.unwrap();
    queue.beat(&record("well"), &[]).await.unwrap();
    admit(queue, "u").await;
    let held = lease(queue, "sick").await;
    let full = failure(MACHINE, "the disk is full");
    assert_eq!(queue.fail(&held, "sick", &full).await.unwrap(), Finished::Requeued);
    let known = status(queue, "u").await.unwrap();
    assert_eq!((known.state, known.attempts, known.crashes), (UnitState::Ready, 0, 0));
    assert_eq!(known.failure, Some(full.clone()));
    for _ in 0..3 {
        assert!(take(queue, "sick").await.is_none(), "another worker can take it");
    }
    assert_eq!(queue.depths().await.unwrap()[0].ready, 1);
    let held = lease(queue, "well").await;
    assert_eq!(queue.fail(&held, "well", &full).await.unwrap(), Finished::Requeued);
    assert!(take(queue, "sick").await.is_some(), "its machine failed the unit on everybody");
    assert_eq!(all_events(queue).await, []);
});

scenario!(nobody_else_means_no_other_pool_no_drain_no_trouble_and_not_too_long_ago, queue, {
    let full = failure(MACHINE, "the disk is full");
    let others = [
        ventral_queue::WorkerRecord { pools: vec!["q".to_owned()], ..record("other") },
        ventral_queue::WorkerRecord { trouble: "its disk is full".to_owned(), ..record("other") },
    ];
    for other in others {
        queue.beat(&other, &[]).await.unwrap();
        admit(queue, "u").await;
        queue.fail(&lease(queue, "sick").await, "sick", &full).await.unwrap();
        queue.finish(&lease(queue, "sick").await, "sick", b"").await.unwrap();
    }
    queue.beat(&record("other"), &[]).await.unwrap();
    admit(queue, "u").await;
    queue.fail(&lease(queue, "sick").await, "sick", &full).await.unwrap();
    assert!(take(queue, "sick").await.is_none());
    queue.drain("other").await.unwrap();
    let held = lease(queue, "sick").await;
    queue.leave("other").await.unwrap();
    queue.beat(&record("other"), &[]).await.unwrap();
    queue.fail(&held, "sick", &full).await.unwrap();
    assert!(take(queue, "sick").await.is_none());
    queue.advance(4 * TIMING.lease_ms).await;
    assert!(take(queue, "sick").await.is_some());
});

scenario!(faults_of_machines_without_end_are_the_unit_s, queue, {
    admit(queue, "u").await;
    let full = failure(MACHINE, "the disk is full");
    for _ in 0..MAX_MACHINE_FAULTS {
        assert_eq!(queue.fail(&lease(queue, "w").await, "w", &full).await.unwrap(), Finished::Requeued);
        assert_eq!(status(queue, "u").await.unwrap().attempts, 0);
    }
    for attempt in 1..=MAX_ATTEMPTS {
        let found = queue.fail(&lease(queue, "w").await, "w", &full).await.unwrap();
        assert_eq!(found, if attempt < MAX_ATTEMPTS { Finished::Requeued } else { Finished::Dead });
        assert_eq!(status(queue, "u").await.unwrap().attempts, attempt);
        queue.advance(MAX_BACKOFF_MS).await;
        queue.reap().await.unwrap();
    }
});
