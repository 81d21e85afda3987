//! Blobs that no job needs any more.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use ventral_coordinator::core::{JobRequest, Submission};
use ventral_coordinator::limits::Limits;
use ventral_coordinator::services::artifacts::{Holdings, Partials, collect};
use ventral_plan::Digest;
use ventral_store::{Holding, Store};

use crate::wire::manifest;

const DAY: u64 = 24 * 3_600;
const AGE: Duration = Duration::from_secs(30 * DAY);

struct Bench {
    store: Store,
    holdings: Arc<Holdings>,
    partials: Arc<Partials>,
    _folder: TempDir,
}

fn days_ago(days: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() - days * DAY
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let store = Store::open(folder.path()).expect("a store");
        let holdings = Arc::new(Holdings::new(store.clone()));
        let partials = Arc::new(Partials::new(store.temporary().join("uploads"), Limits::default()));
        Self { store, holdings, partials, _folder: folder }
    }

    /// A blob that a tenant has uploaded so long ago.
    fn uploaded(&self, tenant: &str, bytes: &[u8], days: u64) -> Digest {
        let blob = self.store.put_blob(bytes).expect("a blob");
        let (tenant, seconds) = (Digest::of_bytes(tenant.as_bytes()), days_ago(days));
        let holding = Holding { tenant, blob: blob.clone(), bytes: bytes.len() as u64, seconds };
        self.store.hold(&holding).expect("noted");
        blob
    }

    /// A job of a bundle of one file; the manifest and the file, uploaded 90 days ago.
    fn job(&self, id: &str, ended_days: Option<u64>) -> [Digest; 2] {
        let file = format!("file of {id}");
        let bundle = self.uploaded("a", &manifest(file.as_bytes()), 90);
        let submission = Submission {
            tenant: "a".into(),
            request_id: id.into(),
            request: JobRequest::Evaluation { name: id.into(), bundle: bundle.clone() },
            priority: 0,
            profile: "p".into(),
            dry_run: false,
            submitted_ms: 1,
            traceparent: None,
        };
        let write = |name: &str, bytes: Vec<u8>| {
            self.store.write_document(id, name, &bytes).expect("a document");
        };
        write("submission.json", serde_json::to_vec(&submission).expect("JSON"));
        if let Some(days) = ended_days {
            let control = format!(
                r#"{{"paused":false,"round":0,"end":{{"state":"succeeded","reason":"","ended_ms":{},
                "counts":{{"total":0,"cached":0,"done":0,"admitted":0,"waiting":0,"failed":0}}}}}}"#,
                days_ago(days) * 1_000
            );
            write("control.json", control.into_bytes());
        }
        [bundle, self.uploaded("a", file.as_bytes(), 90)]
    }

    async fn collect(&self) -> Result<usize, ventral_coordinator::core::Error> {
        self.holdings.reload().await.expect("a store");
        collect(&self.store, &self.holdings, &self.partials, AGE)
    }

    fn there(&self, blob: &Digest) -> bool {
        self.store.has_blob(blob).expect("a store")
    }
}

#[tokio::test]
async fn what_no_job_needs_goes_and_everything_else_stays() {
    let bench = Bench::new();
    let forgotten = bench.uploaded("a", b"forgotten", 31);
    let new = bench.uploaded("a", b"uploaded for a job to be submitted", 29);
    let [running, of_running] = bench.job("running", None);
    let [recent, of_recent] = bench.job("recent", Some(29));
    let [ended, of_ended] = bench.job("ended", Some(31));
    let output = bench.uploaded("a", b"uploaded, and a file of results too", 90);
    bench
        .store
        .write_document("old", "maps.json", format!(r#"{{"files":[{{"digest":"{output}"}}]}}"#).as_bytes())
        .expect("a document");
    let of_worker = bench.store.put_blob(b"never uploaded").expect("a blob");
    assert_eq!(bench.collect().await.expect("collected"), 3);
    for gone in [&forgotten, &ended, &of_ended] {
        assert!(!bench.there(gone));
    }
    for kept in [&new, &running, &of_running, &recent, &of_recent, &output, &of_worker] {
        assert!(bench.there(kept));
    }
    assert_eq!(bench.store.holdings().expect("a listing").len(), 6);
    assert_eq!(bench.collect().await.expect("again"), 0);
}

#[tokio::test]
async fn what_was_just_asked_for_stays() {
    let bench = Bench::new();
    let [asked, named, whole] = [b"asked", b"named", b"whole"].map(|bytes| bench.uploaded("a", bytes, 90));
    let retried = bench.uploaded("b", b"of a job that is retried", 90);
    bench.holdings.load().await.expect("a store");
    assert!(bench.holdings.lacking("a", std::slice::from_ref(&asked)).is_empty());
    assert_eq!(bench.holdings.bytes("a", &named), Some(5));
    bench.holdings.touch_all("b");
    assert_eq!(bench.collect().await.expect("collected"), 1);
    assert!(bench.there(&asked) && bench.there(&named) && bench.there(&retried) && !bench.there(&whole));
}

#[tokio::test]
async fn bytes_stay_for_as_long_as_a_tenant_has_them_or_sends_them() {
    let bench = Bench::new();
    let shared = bench.uploaded("a", b"shared", 90);
    bench.uploaded("b", b"shared", 1);
    let arriving = bench.uploaded("a", b"arriving", 90);
    let claim = bench.partials.claim("c", &arriving, 8, 100, || (0, 0)).expect("room");
    assert_eq!(bench.collect().await.expect("collected"), 1);
    assert!(bench.there(&shared) && bench.there(&arriving));
    assert_eq!(bench.holdings.totals("a"), (8, 1), "it is no longer a tenant's that forgot it");
    assert_eq!(bench.holdings.totals("b"), (6, 1));
    drop(claim);
    let leaving = bench.partials.leave(&arriving).expect("nobody sends it");
    assert!(
        bench.partials.claim("c", &arriving, 8, 100, || (0, 0)).is_err(),
        "not while it is being removed"
    );
    drop(leaving);
    assert_eq!(bench.collect().await.expect("collected"), 1);
    assert!(!bench.there(&arriving));
}

#[tokio::test]
async fn nothing_goes_while_a_submission_cannot_be_read() {
    let bench = Bench::new();
    let forgotten = bench.uploaded("a", b"forgotten", 90);
    bench.store.write_document("damaged", "submission.json", b"{").expect("a document");
    let error = bench.collect().await.expect_err("nobody knows what it needs").to_string();
    assert!(error.contains("jobs/damaged/submission.json"), "{error}");
    assert!(bench.there(&forgotten));
}
