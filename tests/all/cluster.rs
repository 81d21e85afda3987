//! A cluster without faults.

use std::time::Duration;

use ventral_tests::cluster::{Cluster, Options, SOON};

use crate::api::Api;
use crate::reference::{DEMO, assert_as_reference, submit};

#[test]
fn scores_are_byte_equal_to_those_of_one_process() {
    let Some(mut cluster) = Cluster::start(&Options { lease_ms: 10_000, ..Options::default() }) else {
        return;
    };
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, DEMO);
    assert_as_reference(&cluster, &api, &id, DEMO);
    let workers = api.workers();
    let computing = workers.iter().filter(|worker| worker.name.starts_with("worker-")).count();
    assert_eq!((computing, workers.len()), (3, 4), "three workers and the aggregator: {workers:?}");
    let board = cluster.run(&["leaderboard", &id]);
    assert!(board.contains("gabor_v1"), "{board}");

    // The same spec again is one plan and nothing to compute.
    let again = submit(&cluster, DEMO);
    assert_ne!(again, id, "a new request is a new job");
    let job = api.ended(&again, SOON);
    let counts = job.counts.expect("counts");
    assert_eq!((counts.cached, counts.done), (counts.total, 0), "{counts:?}");

    // Every role ends by itself when it is asked to.
    for process in cluster.processes() {
        process.terminate().expect("it runs");
        let status = process.wait(Duration::from_secs(40));
        assert!(status.success(), "{} ended with {status}", process.name());
    }
}

#[test]
fn a_worker_that_is_drained_gives_its_units_back() {
    let Some(mut cluster) = Cluster::start(&Options { workers: 2, ..Options::default() }) else { return };
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, crate::reference::SMALL);
    api.done(&id, 3);
    cluster.run(&["drain", "worker-0"]);
    let status = cluster.workers[0].wait(Duration::from_secs(60));
    assert!(status.success(), "a drained worker ends with {status}");
    assert_as_reference(&cluster, &api, &id, crate::reference::SMALL);
    assert!(api.dead().is_empty());
}
