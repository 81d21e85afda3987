//! The child's side of a slot: requests in, answers out, one line each.

use std::io::Cursor;
use std::time::Duration;

use ventral_bundle::collect;
use ventral_plan::{Assignment, Digest, PLAN_DOCUMENT, PlannedJob, Work};
use ventral_queue::FailureKind;
use ventral_store::Store;
use ventral_worker::service::{Reply, Request, SlotConfig, serve_slot};

use super::root;

pub struct Slot {
    dir: tempfile::TempDir,
    pub store: Store,
}

impl Slot {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path().join("store")).expect("a store");
        Self { dir, store }
    }

    /// Uploads a job of one model and one benchmark of the demo.
    fn upload(&self, benchmark: &str) -> Digest {
        self.upload_with(benchmark, "")
    }

    fn upload_with(&self, benchmark: &str, extra: &str) -> Digest {
        let spec = self.dir.path().join(format!("{benchmark}.toml"));
        let card = |part: &str| root().join("examples/demo").join(part).canonicalize().expect("a card");
        let (model, benchmark) = (card("models/convnet_random"), card(&format!("benchmarks/{benchmark}")));
        let text = format!("name = 'test'\nmodels = [{model:?}]\nbenchmarks = [{benchmark:?}]\n{extra}");
        std::fs::write(&spec, text).expect("writable");
        self.upload_spec(&spec)
    }

    /// Uploads the job of a spec.
    pub fn upload_spec(&self, spec: &std::path::Path) -> Digest {
        let collected = collect(spec, None).expect("a bundle");
        for (entry, source) in collected.manifest.files.iter().zip(&collected.sources) {
            self.store.put_blob_file(source, &entry.digest).expect("stored");
        }
        self.store.put_blob(&collected.manifest.to_bytes()).expect("stored")
    }

    pub fn path(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// File of a blob of the store.
    pub fn blob(&self, digest: &Digest) -> std::path::PathBuf {
        self.store.root().join("blobs").join(&digest.as_str()[..2]).join(digest.as_str())
    }

    pub fn bundles(&self) -> std::path::PathBuf {
        self.dir.path().join("bundles")
    }

    /// Answers to requests, by a slot that begins with them.
    pub fn ask(&self, memory_bytes: u64, bundle_bytes: u64, work: &[(&str, Work)]) -> Vec<Reply> {
        let mut input = Vec::new();
        for (job, work) in work {
            let assignment = Assignment {
                job: (*job).to_owned(),
                work: work.clone(),
                traceparent: None,
                predicted_seconds: None,
            };
            let request = Request { unit: "u".to_owned(), epoch: 1, assignment };
            serde_json::to_writer(&mut input, &request).expect("plain data");
            input.push(b'\n');
        }
        let config = SlotConfig {
            worker: "w".to_owned(),
            store: self.store.clone(),
            bundles: self.bundles(),
            bundle_bytes,
            memory_bytes,
            threads: 2,
            patience: Duration::ZERO,
        };
        let mut output = Vec::new();
        serve_slot(config, Cursor::new(input), &mut output, || ()).expect("served");
        let lines = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("a reply")).collect()
    }

    pub fn plan(&self, job: &str) -> PlannedJob {
        let bytes = self.store.document(job, PLAN_DOCUMENT).expect("readable").expect("a plan");
        serde_json::from_slice(&bytes).expect("a plan")
    }
}

pub fn failed(reply: &Reply) -> (FailureKind, &str) {
    match reply {
        Reply::Failed { kind, reason, alarm: false } => (*kind, reason),
        other => panic!("{other:?}"),
    }
}

pub fn finished(reply: &Reply) -> (usize, usize) {
    match reply {
        Reply::Finished { report } => (report.computed, report.cached),
        other => panic!("{other:?}"),
    }
}

pub const ROOMY: u64 = 2 << 30;

#[test]
fn failures_say_whose_fault_they_are() {
    let slot = Slot::new();
    let bundle = slot.upload("v4");
    let replies = slot.ask(
        ROOMY,
        u64::MAX,
        &[
            ("j", Work::Score { index: 0 }),
            ("j", Work::Plan { bundle: bundle.clone() }),
            ("j", Work::Plan { bundle }),
            ("j", Work::Score { index: 0 }),
            ("j", Work::Score { index: 1_000_000 }),
            ("j", Work::Features { index: 1_000_000 }),
            ("j", Work::Assemble),
            ("j", Work::Plan { bundle: Digest::of_bytes(b"nothing") }),
            ("k", Work::Plan { bundle: Digest::of_bytes(b"nothing") }),
        ],
    );
    assert_eq!(failed(&replies[0]).0, FailureKind::Attempt, "the plan may come yet");
    assert_eq!(finished(&replies[1]), (1, 0));
    assert_eq!(finished(&replies[2]), (0, 1), "the first plan counts");
    let (kind, reason) = failed(&replies[3]);
    assert!(kind == FailureKind::Input && reason.contains("is not in the store"), "{reason}");
    for beyond in &replies[4..6] {
        assert_eq!(failed(beyond).0, FailureKind::Permanent);
    }
    assert_eq!(failed(&replies[6]).0, FailureKind::Attempt, "another role takes it");
    assert_eq!(finished(&replies[7]), (0, 1));
    let (kind, reason) = failed(&replies[8]);
    assert!(kind == FailureKind::Permanent && reason.contains("manifest"), "{reason}");
}

#[test]
fn a_unit_over_the_memory_of_a_slot_is_refused_with_the_number() {
    let slot = Slot::new();
    let bundle = slot.upload("v4");
    slot.ask(ROOMY, u64::MAX, &[("j", Work::Plan { bundle })]);
    let least = slot.plan("j").plan.features[0].estimate.least_bytes;
    let replies = slot.ask(least - 1, u64::MAX, &[("j", Work::Features { index: 0 })]);
    let (kind, reason) = failed(&replies[0]);
    assert!(kind == FailureKind::Attempt && reason.contains("MiB"), "{reason}");
    let layers = slot.plan("j").plan.features[0].layers.len();
    let replies = slot.ask(least, u64::MAX, &[("j", Work::Features { index: 0 })]);
    assert_eq!(finished(&replies[0]), (layers, 0), "at the bound: {replies:?}");
}

#[test]
fn a_damaged_gram_is_discarded_and_computed_again() {
    let slot = Slot::new();
    let bundle = slot.upload_with("v4", "[features]\nscoring = 'apart'\n");
    slot.ask(ROOMY, u64::MAX, &[("j", Work::Plan { bundle }), ("j", Work::Features { index: 0 })]);
    let plan = slot.plan("j").plan;
    let gram = plan.scores[0].gram.clone();
    let path = slot.store.path(&gram);
    let whole = std::fs::read(&path).expect("an object");
    let mut damaged = whole.clone();
    if let Some(last) = damaged.last_mut() {
        *last ^= 1;
    }
    std::fs::write(&path, damaged).expect("writable");
    let replies = slot.ask(ROOMY, u64::MAX, &[("j", Work::Score { index: 0 })]);
    assert_eq!(failed(&replies[0]).0, FailureKind::Input);
    assert!(!slot.store.contains(&gram), "a damaged Gram is discarded");
    let again = [("j", Work::Features { index: 0 }), ("j", Work::Score { index: 0 })];
    let replies = slot.ask(ROOMY, u64::MAX, &again);
    assert_eq!(
        (finished(&replies[0]).0, finished(&replies[1]).0),
        (1, 1),
        "only that Gram was computed again"
    );
    assert_eq!(std::fs::read(&path).expect("an object"), whole);
}

#[test]
fn files_of_jobs_that_nobody_uses_make_room() {
    for (limit, expected) in [(1, [false, true]), (1 << 30, [true, true])] {
        let slot = Slot::new();
        let bundles = [slot.upload("v4"), slot.upload("it")];
        let jobs = ["a", "b"].into_iter().zip(&bundles);
        let units: Vec<_> = jobs.map(|(job, bundle)| (job, Work::Plan { bundle: bundle.clone() })).collect();
        slot.ask(ROOMY, limit, &units).iter().for_each(|reply| assert_eq!(finished(reply), (1, 0)));
        let there = bundles.map(|bundle| slot.bundles().join(bundle.as_str()).is_dir());
        assert_eq!(there, expected, "the one that was used last stays, whatever its size");
    }
}

#[test]
fn a_line_that_is_no_request_ends_the_slot() {
    let slot = Slot::new();
    let config = SlotConfig {
        worker: "w".to_owned(),
        store: slot.store.clone(),
        bundles: slot.bundles(),
        bundle_bytes: 0,
        memory_bytes: ROOMY,
        threads: 1,
        patience: Duration::ZERO,
    };
    let served = serve_slot(config, Cursor::new(b"nonsense\n".to_vec()), Vec::new(), || ());
    assert!(served.is_err());
}
