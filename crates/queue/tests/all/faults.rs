//! What happens when Redis loses its scripts, its data, its process or its line.

use std::time::{Duration, Instant};

use ventral_queue::redis::link::CALL_LIMIT;
use ventral_queue::{Admission, Error, Finished, LeaseRef, Loss, Queue, Redis, Timing, TlsFiles, UnitState};
use ventral_testkit::{RedisOptions, RedisServer, RedisUsers, TcpProxy, wait_until_async};

use crate::support::{
    ATTEMPT, TIMING, admit, all_events, connect, connect_at, entry, failure, lease, record, server, status,
    take,
};

const LONG: Duration = Duration::from_secs(20);

async fn until_answers(queue: &Redis) {
    wait_until_async("Redis answers", LONG, async || queue.ping().await.is_ok()).await;
}

#[tokio::test]
async fn nothing_works_before_it_is_opened() {
    let Some(server) = server() else { return };
    let queue = connect(&server).await;
    assert_eq!(queue.generation().await.unwrap(), None);
    assert!(matches!(queue.admit(&[]).await, Err(Error::Lost)));
    assert!(matches!(queue.reap().await, Err(Error::Lost)));
    assert!(matches!(queue.depths().await, Err(Error::Lost)));
    assert!(queue.lead("c", 1_000).await.unwrap());
    let generation = queue.open().await.unwrap();
    assert_eq!(queue.open().await.unwrap(), generation);
    assert_eq!(connect(&server).await.generation().await.unwrap(), Some(generation));
}

#[tokio::test]
async fn lost_scripts_are_loaded_again() {
    let Some(server) = server() else { return };
    let queue = connect(&server).await;
    queue.open().await.unwrap();
    assert_eq!(admit(&queue, "u").await, Admission::Queued);
    assert_eq!(server.command(&["SCRIPT", "FLUSH"]).unwrap(), "+OK");
    assert_eq!(admit(&queue, "u").await, Admission::Known);
    let held = lease(&queue, "w").await;
    server.command(&["SCRIPT", "FLUSH"]).unwrap();
    assert_eq!(queue.finish(&held, "w", b"").await.unwrap(), Finished::Recorded);
}

#[tokio::test]
async fn an_emptied_queue_is_lost_until_it_is_opened_again() {
    let Some(server) = server() else { return };
    let (coordinator, worker) = (connect(&server).await, connect(&server).await);
    let first = coordinator.open().await.unwrap();
    admit(&coordinator, "u").await;
    let held = lease(&worker, "w").await;
    server.command(&["FLUSHALL"]).unwrap();
    assert!(matches!(worker.beat(&record("w"), std::slice::from_ref(&held)).await, Err(Error::Lost)));
    assert!(matches!(worker.finish(&held, "w", b"").await, Err(Error::Lost)));
    assert!(matches!(coordinator.events(&ventral_queue::Cursor::start(), 1).await, Err(Error::Lost)));
    let other = connect(&server).await;
    assert_ne!(other.open().await.unwrap(), first);
    assert!(matches!(coordinator.depths().await, Err(Error::Lost)), "the generation is another's");
    coordinator.open().await.unwrap();
    assert_eq!(coordinator.depths().await.unwrap(), []);
    let beat = worker.beat(&record("w"), std::slice::from_ref(&held)).await.unwrap();
    assert_eq!(beat.lost, [(held.clone(), Loss::Expired)]);
    assert_eq!(worker.finish(&held, "w", b"").await.unwrap(), Finished::Unknown);
    assert_eq!(admit(&coordinator, "u").await, Admission::Queued);
    assert_eq!(worker.finish(&held, "w", b"").await.unwrap(), Finished::Late);
}

#[tokio::test]
async fn opening_clears_what_an_earlier_life_left() {
    let Some(server) = server() else { return };
    let queue = connect(&server).await;
    queue.open().await.unwrap();
    let entries: Vec<_> = (0..1_000).map(|number| entry(&format!("u{number}"), "p", 0)).collect();
    for part in 0..3 {
        let part: Vec<_> =
            entries.iter().map(|e| ventral_queue::Entry { pool: format!("p{part}"), ..e.clone() }).collect();
        queue.admit(&part).await.unwrap();
    }
    server.command(&["SET", "foreign", "1"]).unwrap();
    server.command(&["DEL", "{test}:generation"]).unwrap();
    assert!(matches!(queue.depths().await, Err(Error::Lost)));
    queue.open().await.unwrap();
    assert_eq!(queue.depths().await.unwrap(), []);
    assert_eq!(status(&queue, "u7").await, None);
    assert_eq!(server.command(&["DBSIZE"]).unwrap(), ":2", "the generation and the foreign key");
}

#[tokio::test]
async fn the_shipped_users_let_nobody_else_in_and_keep_the_queue_over_a_restart() {
    let users = RedisUsers::shipped().unwrap();
    let options = RedisOptions { append_only: true, users: Some(users), ..RedisOptions::default() };
    let Some(mut server) = RedisServer::start_or_skip(options).unwrap() else { return };
    let queue = Redis::connect(&server.url(), "ventral", TIMING, &TlsFiles::default()).await.unwrap();
    queue.open().await.unwrap();
    for unit in ["done", "held", "ready"] {
        admit(&queue, unit).await;
    }
    let done = lease(&queue, "w").await;
    queue.finish(&done, "w", b"report").await.unwrap();
    lease(&queue, "w").await;
    let depths = queue.depths().await.unwrap();
    server.restart().unwrap();
    until_answers(&queue).await;
    assert!(!server.log().contains("NOPERM"), "{}", server.log());
    assert_eq!(queue.depths().await.unwrap(), depths);
    assert_eq!(all_events(&queue).await.len(), 1);
    for login in ["", "default:@", "default:x@", "ventral:x@"] {
        let stranger = connect_at(&format!("redis://{login}127.0.0.1:{}/", server.port())).await;
        let error = stranger.open().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{login}: {error}");
    }
}

/// Every key of the queue but its generation goes, one at a time; what a reconciliation does not know is admitted again. All units get done.
#[tokio::test]
async fn whatever_key_is_lost_every_unit_gets_done() {
    let Some(server) = server() else { return };
    let keys = [
        "unit:u1",
        "unit:u3",
        "unit:u5",
        "ready:0:p",
        "ready:1:p",
        "streams",
        "counts",
        "shards",
        "delayed",
        "leased",
        "epoch",
        "swept",
        "workers",
        "records",
        "taken",
    ];
    for (number, lost) in keys.iter().enumerate() {
        let name = format!("lost-{number}");
        let timing = Timing { lease_ms: 200, backoff_ms: 20, max_backoff_ms: 50 };
        let queue = Redis::connect(&server.url(), &name, timing, &TlsFiles::default()).await.unwrap();
        queue.open().await.unwrap();
        // 0 and 1 are leased, 2 and 3 are delayed, 4 and 5 are ready.
        let units: Vec<_> = (0..6_u16).map(|n| entry(&format!("u{n}"), "p", n % 2)).collect();
        queue.admit(&units[..4]).await.unwrap();
        for lease in queue.take(&crate::support::request("w", &["p"], 4)).await.unwrap() {
            if ["u2", "u3"].contains(&lease.held.unit.0.as_str()) {
                queue.fail(&lease.held, "w", &failure(ATTEMPT, "no")).await.unwrap();
            }
        }
        queue.admit(&units[4..]).await.unwrap();
        let reply = server.command(&["DEL", &format!("{{{name}}}:{lost}")]).unwrap();
        assert!(reply == ":1" || *lost == "swept", "{lost}: {reply}");

        let mut done = std::collections::HashSet::new();
        let begin = Instant::now();
        while done.len() < units.len() {
            assert!(begin.elapsed() < LONG, "without {lost} only {done:?} are done");
            queue.reap().await.unwrap();
            let missing: Vec<_> = units.iter().filter(|unit| !done.contains(&unit.unit)).cloned().collect();
            let ids: Vec<_> = missing.iter().map(|unit| unit.unit.clone()).collect();
            let held = queue.reconcile(&ids).await.unwrap();
            let again = missing.iter().zip(held).filter(|(_, held)| !held).map(|(unit, _)| unit.clone());
            queue.admit(&again.collect::<Vec<_>>()).await.unwrap();
            // A stream without its group answers no take until the next sweep.
            for lease in queue.take(&crate::support::request("w", &["p"], 4)).await.unwrap_or_default() {
                queue.finish(&lease.held, "w", b"").await.unwrap();
                done.insert(lease.held.unit);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        wait_until_async(&format!("without {lost} the counts are right"), LONG, async || {
            queue.reap().await.unwrap();
            queue.depths().await.unwrap().is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn a_killed_server_with_a_log_goes_on_where_it_was() {
    let options = RedisOptions { append_only: true, ..RedisOptions::default() };
    let Some(mut server) = RedisServer::start_or_skip(options).unwrap() else { return };
    let queue = connect(&server).await;
    let generation = queue.open().await.unwrap();
    for unit in ["done", "held", "ready"] {
        admit(&queue, unit).await;
    }
    let done = lease(&queue, "w").await;
    queue.finish(&done, "w", b"report").await.unwrap();
    let held = lease(&queue, "w").await;
    server.kill().unwrap();
    assert!(matches!(queue.finish(&held, "w", b"").await, Err(Error::Unavailable(_))));
    server.restart().unwrap();
    until_answers(&queue).await;
    assert_eq!(queue.generation().await.unwrap(), Some(generation));
    assert_eq!(queue.beat(&record("w"), std::slice::from_ref(&held)).await.unwrap().lost, []);
    assert_eq!(queue.finish(&held, "w", b"").await.unwrap(), Finished::Recorded);
    assert_eq!(take(&queue, "w").await.unwrap().held.unit.0, "ready");
    assert_eq!(all_events(&queue).await.len(), 2);
    server.restart_empty().unwrap();
    until_answers(&queue).await;
    assert!(matches!(queue.depths().await, Err(Error::Lost)));
}

#[tokio::test]
async fn a_cut_line_is_made_again_within_the_call() {
    let Some(server) = server() else { return };
    let proxy = TcpProxy::to_port(server.port()).await.unwrap();
    let queue = connect_at(&server.url_at(proxy.port())).await;
    queue.open().await.unwrap();
    for _ in 0..5 {
        proxy.cut();
        assert_eq!(queue.depths().await.unwrap(), []);
    }
    assert!(proxy.accepted() > 5);
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let Some(server) = server() else { return };
    let proxy = TcpProxy::to_port(server.port()).await.unwrap();
    let queue = connect_at(&server.url_at(proxy.port())).await;
    queue.open().await.unwrap();
    proxy.forget();
    assert_eq!(queue.depths().await.unwrap(), [], "by a new connection, within the call");
    let begin = Instant::now();
    queue.depths().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_unreachable_server_is_said_quickly() {
    let Some(server) = server() else { return };
    let proxy = TcpProxy::to_port(server.port()).await.unwrap();
    let queue = connect_at(&server.url_at(proxy.port())).await;
    queue.open().await.unwrap();
    proxy.refuse();
    proxy.cut();
    let begin = Instant::now();
    assert!(matches!(queue.depths().await, Err(Error::Unavailable(_))));
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    proxy.heal();
    until_answers(&queue).await;

    proxy.half_open();
    let begin = Instant::now();
    let calls = futures::future::join_all((0..20).map(|_| queue.depths())).await;
    assert!(calls.iter().all(|call| matches!(call, Err(Error::Unavailable(_)))));
    assert!(begin.elapsed() < CALL_LIMIT + Duration::from_secs(2), "{:?}", begin.elapsed());
    proxy.heal();
    until_answers(&queue).await;
    assert_eq!(queue.depths().await.unwrap(), []);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let Some(server) = server() else { return };
    let proxy = TcpProxy::to_port(server.port()).await.unwrap();
    let queue = connect_at(&server.url_at(proxy.port())).await;
    let other = connect(&server).await;
    other.open().await.unwrap();
    for unit in ["a", "b", "c"] {
        admit(&other, unit).await;
    }
    let none = crate::support::request("w", &["none"], 1);
    assert_eq!(queue.take(&none).await.unwrap(), [], "the server knows the script now");
    // The request arrives after 1.5 s, its answer would after 3 s, longer than is waited.
    proxy.delay(1_500);
    let two = crate::support::request("w", &["p"], 2);
    assert!(matches!(queue.take(&two).await, Err(Error::Unavailable(_))));
    wait_until_async("the request arrives", LONG, async || other.depths().await.unwrap()[0].leased == 2)
        .await;
    proxy.heal();
    proxy.cut();
    let leases = queue.take(&two).await.unwrap();
    assert_eq!(leases.iter().map(|lease| lease.held.unit.0.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(leases[0].payload, b"payload of a");
    let held: Vec<LeaseRef> = leases.into_iter().map(|lease| lease.held).collect();
    assert_eq!(queue.beat(&record("w"), &held).await.unwrap().lost, []);
    assert_eq!(take(&queue, "w").await.unwrap().held.unit.0, "c", "the next request is another");
}

#[tokio::test]
async fn real_time_ends_leases() {
    let Some(server) = server() else { return };
    let timing = Timing { lease_ms: 100, backoff_ms: 20, max_backoff_ms: 50 };
    let queue = Redis::connect(&server.url(), "test", timing, &TlsFiles::default()).await.unwrap();
    queue.open().await.unwrap();
    admit(&queue, "u").await;
    lease(&queue, "w").await;
    wait_until_async("the lease ends", LONG, async || queue.reap().await.unwrap().expired == 1).await;
    let due = status(&queue, "u").await.unwrap().due_ms.unwrap();
    assert!(due > 1_700_000_000_000, "{due}");
    wait_until_async("the backoff ends", LONG, async || queue.reap().await.unwrap().promoted == 1).await;
    assert_eq!(status(&queue, "u").await.unwrap().state, UnitState::Ready);
}

#[tokio::test]
async fn two_who_take_at_once_get_different_units() {
    let Some(server) = server() else { return };
    let queue = connect(&server).await;
    queue.open().await.unwrap();
    let entries: Vec<_> = (0..200_u16).map(|n| entry(&format!("u{n}"), "p", n % 16)).collect();
    queue.admit(&entries).await.unwrap();
    let takers = (0..50).map(|n| {
        let queue = queue.clone();
        async move { queue.take(&crate::support::request(&format!("w{n}"), &["p"], 4)).await.unwrap() }
    });
    let leases: Vec<_> = futures::future::join_all(takers).await.into_iter().flatten().collect();
    let units: std::collections::HashSet<_> = leases.iter().map(|lease| lease.held.unit.clone()).collect();
    assert_eq!((leases.len(), units.len()), (200, 200));
}

#[tokio::test]
async fn no_error_shows_the_password() {
    let secret = "s3cr3t-pw";
    for url in [
        format!("redis://u:{secret}@host:notaport/"),
        format!("http://u:{secret}@host:1/"),
        format!("redis://u:{secret}@/x/y"),
        format!("rediss://u:{secret}@host:1/#insecure"),
    ] {
        let error = Redis::connect(&url, "test", TIMING, &TlsFiles::default()).await.map(|_| ()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
    let options = RedisOptions { password: Some("right".to_owned()), ..RedisOptions::default() };
    let Some(server) = RedisServer::start_or_skip(options).unwrap() else { return };
    connect(&server).await.ping().await.unwrap();
    for login in [format!(":{secret}@"), format!("nobody:{secret}@"), String::new()] {
        let queue = connect_at(&format!("redis://{login}127.0.0.1:{}/", server.port())).await;
        let error = queue.open().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(!format!("{error} {error:?} {queue:?}").contains(secret), "{error}");
    }
}

#[tokio::test]
async fn foreign_keys_are_said_to_be_foreign() {
    let Some(server) = server() else { return };
    let queue = connect(&server).await;
    queue.open().await.unwrap();
    server.command(&["SET", "{test}:counts", "x"]).unwrap();
    let error = queue.depths().await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error}");
}
