//! Synthesised images on a cluster.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use ventral_proto::v1::JobState;
use ventral_testkit::{RedisOptions, RedisServer, files_below};
use ventral_tests::binary::{repository, ventral};
use ventral_tests::cluster::{Cluster, JOB, Options, SOON, succeeded};
use ventral_tests::compare::assert_same_objects;

use crate::api::Api;
use crate::reference::{reference, submit};

/// Two restarts on a small network, with natural images.
const SPEC: &str = "tests/data/synthesis.toml";

/// What `ventral export` makes of the one-machine run.
fn exported(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let store = reference(SPEC);
    let arguments = [
        "export",
        "--what",
        "synthesis",
        "-o",
        folder.to_str().expect("text"),
        "--store",
        store.to_str().expect("text"),
    ];
    let mut command = Command::new(ventral());
    command.args(arguments).current_dir(repository()).env_remove("VENTRAL_COORDINATOR");
    succeeded(&arguments, &command.output().expect("the program can be run"));
    files_below(folder)
}

fn assert_as_on_one_machine(cluster: &Cluster, id: &str) {
    let job = Api::new(&cluster.url()).ended(id, JOB);
    assert_eq!(job.state(), JobState::Succeeded, "{}", job.reason);
    let counts = job.counts.expect("counts");
    // One reading of the natural images, and two restarts.
    assert_eq!((counts.total, counts.done + counts.cached, counts.failed), (3, 3, 0), "{counts:?}");
    assert_same_objects(&reference(SPEC), cluster.store());
    let directory = TempDir::new().expect("a folder");
    let folder = directory.path().join("there");
    cluster.run(&["export", id, "--what", "synthesis", "-o", folder.to_str().expect("text")]);
    let (there, here) = (files_below(&folder), exported(&directory.path().join("here")));
    assert!(there.keys().filter(|name| name.ends_with(".png")).count() >= 6, "{:?}", there.keys());
    assert!(there == here, "{:?} and {:?}", there.keys(), here.keys());
    assert!(
        !cluster.store().join("checkpoints").exists()
            || files_below(&cluster.store().join("checkpoints")).is_empty()
    );
}

#[test]
fn images_are_byte_equal_to_those_of_one_machine() {
    let Some(cluster) = Cluster::start(&Options { workers: 2, ..Options::default() }) else { return };
    let id = submit(&cluster, SPEC);
    assert_as_on_one_machine(&cluster, &id);
    let units = cluster.run(&["units", &id]);
    assert!(
        units.contains("synthesis") && units.contains("synthesising 6 images for convnet_trained, seed 1"),
        "{units}"
    );
    let plan = cluster.run(&["plan", SPEC]);
    assert!(plan.contains("2 synthesis") && plan.contains("3 found in the store"), "{plan}");
}

/// The worker dies with its slot; whoever takes the unit next goes on from the checkpoint in the store.
#[test]
fn a_unit_goes_on_where_its_worker_was_killed() {
    let Some(redis) = RedisServer::start_or_skip(RedisOptions::default()).expect("redis-server starts")
    else {
        return;
    };
    let mut cluster =
        Cluster::prepare(redis, &Options { workers: 1, ..Options::default() }).expect("a cluster");
    let victim = &mut cluster.workers[0];
    victim.set("VENTRAL_FAULT", "worker-after-checkpoint:2");
    cluster.start_all();
    let id = submit(&cluster, SPEC);
    let victim = &mut cluster.workers[0];
    let signal = victim.wait(SOON).signal();
    assert!(signal.is_some(), "{} ended otherwise: {}", victim.name(), victim.log());
    assert_eq!(files_below(&cluster.store().join("checkpoints")).len(), 1, "it had come somewhere");
    let victim = &mut cluster.workers[0];
    victim.unset("VENTRAL_FAULT");
    victim.clear_log().expect("a log");
    victim.start().expect("the program can be run");
    assert_as_on_one_machine(&cluster, &id);
    let log = cluster.workers[0].log();
    assert!(log.contains("done=10") || log.contains("\"done\":10"), "it began anew: {log}");
}
