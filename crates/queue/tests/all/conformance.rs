//! One suite over both implementations; what they answer must be equal, word for word.

use std::future::Future;
use std::pin::Pin;

use ventral_queue::{Admission, Cursor, Error, Finished, Happening, Loss, Queue, TakeRequest, UnitState};

use crate::support::{
    Subject, TIMING, Traced, admit, all_events, entry, failure, id, lease, record, request, server, status,
    take,
};

pub type Scenario = for<'a> fn(&'a Traced) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

pub async fn conform(scenario: Scenario) {
    let memory = Traced::new(Subject::memory());
    memory.open().await.unwrap();
    scenario(&memory).await;
    let Some(server) = server() else { return };
    let redis = Traced::new(Subject::redis(&server, "test").await);
    redis.open().await.unwrap();
    scenario(&redis).await;
    let trace = memory.trace();
    assert!(!trace.is_empty());
    assert_eq!(trace, redis.trace());
}

/// A test that runs its body with both implementations.
macro_rules! scenario {
    ($(#[$note:meta])* $name:ident, $queue:ident, $body:block) => {
        $(#[$note])*
        #[tokio::test]
        async fn $name() {
            crate::conformance::conform(|$queue| Box::pin(async move { $body })).await;
        }
    };
}
pub(crate) use scenario;

scenario!(a_unit_from_admission_to_its_event, queue, {
    assert_eq!(admit(queue, "u").await, Admission::Queued);
    assert_eq!(admit(queue, "u").await, Admission::Known);
    assert_eq!(status(queue, "u").await.unwrap().state, UnitState::Ready);
    queue.advance(1_500).await;
    let lease = take(queue, "w").await.unwrap();
    assert_eq!(
        (lease.payload.as_slice(), lease.waited_ms, lease.job.as_str()),
        (&b"payload of u"[..], 1_500, "job-1")
    );
    assert_eq!(admit(queue, "u").await, Admission::Known);
    let known = status(queue, "u").await.unwrap();
    assert_eq!((known.state, known.worker.as_deref()), (UnitState::Leased, Some("w")));
    let depth = &queue.depths().await.unwrap()[0];
    assert_eq!((depth.ready, depth.delayed, depth.leased), (0, 0, 1));
    assert!(take(queue, "w").await.is_none());
    assert_eq!(queue.finish(&lease.held, "w", b"\0report\xff").await.unwrap(), Finished::Recorded);
    assert_eq!(queue.finish(&lease.held, "w", b"again").await.unwrap(), Finished::Unknown);
    assert_eq!(status(queue, "u").await, None);
    assert_eq!(queue.depths().await.unwrap(), []);
    let events = all_events(queue).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].what, Happening::Finished { report: b"\0report\xff".to_vec() });
    assert_eq!((events[0].worker.as_str(), events[0].unit.0.as_str()), ("w", "u"));
});

scenario!(pools_then_shards_then_age, queue, {
    let entries = [
        entry("late pool", "b", 1),
        entry("shard 3, first", "a", 3),
        entry("shard 3, second", "a", 3),
        entry("shard 1", "a", 1),
        entry("shard 0", "a", 0),
        entry("not asked for", "c", 0),
    ];
    queue.admit(&entries).await.unwrap();
    let wanted = |count| TakeRequest { shards: vec![3, 1, 3], ..request("w", &["none", "a", "b"], count) };
    let names =
        |leases: Vec<ventral_queue::Lease>| leases.into_iter().map(|l| l.held.unit.0).collect::<Vec<_>>();
    assert_eq!(names(queue.take(&wanted(0)).await.unwrap()), Vec::<String>::new());
    assert_eq!(names(queue.take(&wanted(1)).await.unwrap()), ["shard 3, first"]);
    let rest = names(queue.take(&wanted(64)).await.unwrap());
    assert_eq!(rest, ["shard 3, second", "shard 1", "shard 0", "late pool"]);
    assert_eq!(queue.depths().await.unwrap().len(), 3);
});

scenario!(a_late_success_counts_whoever_holds_the_unit, queue, {
    admit(queue, "u").await;
    let first = lease(queue, "slow").await;
    queue.advance(TIMING.lease_ms).await;
    assert_eq!(queue.reap().await.unwrap().expired, 1);
    queue.advance(2_000).await;
    assert_eq!(queue.reap().await.unwrap().promoted, 1);
    let second = lease(queue, "fast").await;
    assert!(second.epoch > first.epoch);
    let slow = queue.beat(&record("slow"), std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(slow.lost, [(first.clone(), Loss::Expired)]);
    assert_eq!(queue.finish(&first, "slow", b"r").await.unwrap(), Finished::Late);
    for _ in 0..2 {
        let fast = queue.beat(&record("fast"), std::slice::from_ref(&second)).await.unwrap();
        assert_eq!(fast.lost, [(second.clone(), Loss::Finished)]);
    }
    assert_eq!(queue.finish(&second, "fast", b"r").await.unwrap(), Finished::Unknown);
    assert_eq!(
        queue.fail(&second, "fast", &failure(crate::support::ATTEMPT, "x")).await.unwrap(),
        Finished::Unknown
    );
    assert_eq!(queue.yield_back(&second, "fast").await.unwrap(), Finished::Unknown);
    assert_eq!(all_events(queue).await.len(), 1);
    assert_eq!(queue.depths().await.unwrap(), []);
});

scenario!(a_late_success_counts_in_every_place, queue, {
    for unit in ["ready", "delayed", "dead"] {
        admit(queue, unit).await;
        let held = lease(queue, "w").await;
        match unit {
            "ready" => queue.yield_back(&held, "w").await.unwrap(),
            "delayed" => queue.fail(&held, "w", &failure(crate::support::ATTEMPT, "x")).await.unwrap(),
            _ => queue.fail(&held, "w", &failure(crate::support::PERMANENT, "x")).await.unwrap(),
        };
        assert_eq!(queue.finish(&held, "w", b"r").await.unwrap(), Finished::Late);
        assert_eq!(status(queue, unit).await, None);
        assert_eq!(queue.depths().await.unwrap(), []);
        assert_eq!(queue.dead(None, 10).await.unwrap(), []);
    }
    queue.advance(1_000_000).await;
    queue.reap().await.unwrap();
    assert!(take(queue, "w").await.is_none());
});

scenario!(a_late_failure_is_ignored, queue, {
    admit(queue, "u").await;
    let first = lease(queue, "w").await;
    assert_eq!(queue.yield_back(&first, "w").await.unwrap(), Finished::Requeued);
    let second = lease(queue, "w").await;
    for stranger in [(&first, "w"), (&second, "x")] {
        for kind in
            [crate::support::ATTEMPT, crate::support::CRASH, crate::support::PERMANENT, crate::support::INPUT]
        {
            assert_eq!(
                queue.fail(stranger.0, stranger.1, &failure(kind, "x")).await.unwrap(),
                Finished::Ignored
            );
        }
        assert_eq!(queue.yield_back(stranger.0, stranger.1).await.unwrap(), Finished::Ignored);
        let lost = queue.beat(&record(stranger.1), std::slice::from_ref(stranger.0)).await.unwrap().lost;
        assert_eq!(lost, [(stranger.0.clone(), Loss::Expired)]);
    }
    let known = status(queue, "u").await.unwrap();
    assert_eq!((known.state, known.attempts, known.crashes, known.evictions), (UnitState::Leased, 0, 0, 1));
    assert_eq!(all_events(queue).await, []);
});

scenario!(beats_renew_leases, queue, {
    admit(queue, "u").await;
    let held = lease(queue, "w").await;
    for _ in 0..4 {
        queue.advance(TIMING.lease_ms - 1).await;
        assert_eq!(queue.reap().await.unwrap(), ventral_queue::Reaped::default());
        assert_eq!(queue.beat(&record("w"), std::slice::from_ref(&held)).await.unwrap().lost, []);
    }
    queue.advance(TIMING.lease_ms).await;
    assert_eq!(queue.reap().await.unwrap().expired, 1);
    assert_eq!(queue.finish(&held, "w", b"").await.unwrap(), Finished::Late);
});

scenario!(cancel_takes_units_from_everywhere, queue, {
    for unit in ["dead", "delayed", "leased", "ready"] {
        admit(queue, unit).await;
        match unit {
            "dead" => queue
                .fail(&lease(queue, "w").await, "w", &failure(crate::support::PERMANENT, "x"))
                .await
                .unwrap(),
            "delayed" => queue
                .fail(&lease(queue, "w").await, "w", &failure(crate::support::ATTEMPT, "x"))
                .await
                .unwrap(),
            _ => Finished::Recorded,
        };
        if unit == "leased" {
            lease(queue, "w").await;
        }
    }
    let held =
        ventral_queue::LeaseRef { unit: id("leased"), epoch: status(queue, "leased").await.unwrap().epoch };
    let units = ["dead", "delayed", "leased", "ready", "never there"].map(id);
    queue.cancel(&units).await.unwrap();
    assert_eq!(queue.status(&units).await.unwrap(), [None, None, None, None, None]);
    assert_eq!(queue.depths().await.unwrap(), []);
    assert_eq!(queue.dead(None, 10).await.unwrap(), []);
    for _ in 0..2 {
        let lost = queue.beat(&record("w"), std::slice::from_ref(&held)).await.unwrap().lost;
        assert_eq!(lost, [(held.clone(), Loss::Cancelled)]);
    }
    assert_eq!(queue.finish(&held, "w", b"").await.unwrap(), Finished::Unknown);
    assert_eq!(admit(queue, "leased").await, Admission::Queued);
    let again = lease(queue, "w").await;
    let lost = queue.beat(&record("w"), &[held.clone(), again.clone()]).await.unwrap().lost;
    assert_eq!(lost, [(held, Loss::Expired)]);
    assert_eq!(queue.finish(&again, "w", b"").await.unwrap(), Finished::Recorded);
    assert_eq!(
        queue.beat(&record("w"), std::slice::from_ref(&again)).await.unwrap().lost,
        [(again, Loss::Expired)]
    );
});

scenario!(a_draining_worker_takes_nothing, queue, {
    admit(queue, "u").await;
    assert!(!queue.drain("w").await.unwrap(), "nobody knows it");
    queue.beat(&record("w"), &[]).await.unwrap();
    assert!(queue.drain("w").await.unwrap());
    assert!(take(queue, "w").await.is_none());
    let reply = queue.beat(&record("w"), &[]).await.unwrap();
    assert!(reply.drain);
    let listed = &queue.workers().await.unwrap()[0];
    assert_eq!((listed.draining, listed.leases, listed.silent_ms), (true, 0, 0));
    assert!(take(queue, "x").await.is_some());
    queue.leave("w").await.unwrap();
    assert_eq!(queue.workers().await.unwrap().len(), 1);
    assert!(!queue.beat(&record("w"), &[]).await.unwrap().drain, "a new worker of the same name");
});

scenario!(silent_workers_are_forgotten, queue, {
    queue.beat(&record("b"), &[]).await.unwrap();
    take(queue, "a").await;
    queue.drain("b").await.unwrap();
    queue.advance(4 * TIMING.lease_ms - 1).await;
    queue.reap().await.unwrap();
    let workers = queue.workers().await.unwrap();
    assert_eq!(workers.iter().map(|worker| worker.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((workers[0].slots, workers[1].slots, workers[1].silent_ms), (0, 2, 119_999));
    take(queue, "a").await;
    queue.advance(1).await;
    assert!(!queue.drain("b").await.unwrap());
    assert_eq!(queue.workers().await.unwrap().len(), 1);
    queue.reap().await.unwrap();
    assert!(!queue.beat(&record("b"), &[]).await.unwrap().drain);
});

scenario!(events_wait_until_they_are_acknowledged, queue, {
    for number in 0..5 {
        admit(queue, &format!("u{number}")).await;
        queue.finish(&lease(queue, "w").await, "w", &[number]).await.unwrap();
        queue.advance(1_000_000).await;
        queue.reap().await.unwrap();
    }
    let first = queue.events(&Cursor::start(), 2).await.unwrap();
    let rest = queue.events(&first[1].0, 1_000).await.unwrap();
    let units = |events: &[(Cursor, ventral_queue::Event)]| {
        events.iter().map(|(_, event)| event.unit.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (units(&first), units(&rest)),
        (vec!["u0".into(), "u1".into()], vec!["u2".into(), "u3".into(), "u4".into()])
    );
    assert_eq!(queue.events(&Cursor::start(), 0).await.unwrap(), []);
    queue.acknowledge(&first[1].0).await.unwrap();
    queue.acknowledge(&first[0].0).await.unwrap();
    assert_eq!(queue.events(&Cursor::start(), 1_000).await.unwrap(), rest);
    queue.acknowledge(&Cursor::start()).await.unwrap();
    assert_eq!(queue.events(&Cursor::start(), 1_000).await.unwrap(), rest);
    queue.acknowledge(&rest[2].0).await.unwrap();
    assert_eq!(queue.events(&Cursor::start(), 1_000).await.unwrap(), []);
    admit(queue, "more").await;
    queue.finish(&lease(queue, "w").await, "w", b"").await.unwrap();
    assert_eq!(units(&queue.events(&rest[2].0, 10).await.unwrap()), ["more"]);
    for bad in ["", "-", "1", "1-", "x-1", "+1-1", "1-1-1", "18446744073709551616-0"] {
        let error = queue.acknowledge(&Cursor(bad.to_owned())).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "cursor", .. }), "{bad}: {error}");
    }
    queue.acknowledge(&Cursor(format!("{0}-{0}", u64::MAX))).await.unwrap();
    assert_eq!(all_events(queue).await, []);
});

scenario!(reconciliation_knows_units_in_every_place, queue, {
    for unit in ["dead", "delayed", "leased", "ready"] {
        admit(queue, unit).await;
        match unit {
            "dead" => {
                let held = lease(queue, "w").await;
                queue.fail(&held, "w", &failure(crate::support::PERMANENT, "x")).await.unwrap();
            }
            "delayed" => {
                let held = lease(queue, "w").await;
                queue.fail(&held, "w", &failure(crate::support::ATTEMPT, "x")).await.unwrap();
            }
            "leased" => drop(lease(queue, "w").await),
            _ => {}
        }
    }
    let units = ["dead", "never there", "delayed", "leased", "ready"].map(id);
    let depths = queue.depths().await.unwrap();
    for _ in 0..2 {
        assert_eq!(queue.reconcile(&units).await.unwrap(), [true, false, true, true, true]);
        queue.reap().await.unwrap();
        assert_eq!(queue.depths().await.unwrap(), depths, "nothing has changed");
    }
    assert_eq!(queue.reconcile(&[]).await.unwrap(), Vec::<bool>::new());
});

scenario!(one_leads, queue, {
    assert!(queue.lead("a", 1_000).await.unwrap());
    assert!(!queue.lead("b", 1_000).await.unwrap());
    queue.advance(900).await;
    assert!(queue.lead("a", 1_000).await.unwrap());
    queue.advance(999).await;
    assert!(!queue.lead("b", 1_000).await.unwrap());
    queue.advance(1).await;
    assert!(queue.lead("b", 1_000).await.unwrap());
    assert!(!queue.lead("a", 1_000).await.unwrap());
    assert!(queue.lead("b", 0).await.unwrap());
    assert!(queue.lead("a", 1_000).await.unwrap());
});
