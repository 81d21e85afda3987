//! What a tenant can learn of another's files, and how much it may keep.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio_stream::iter;
use tonic::{Code, Status};
use ventral_bundle::{FileEntry, Manifest, REVISION};
use ventral_client::upload::{Item, Source};
use ventral_plan::Digest;
use ventral_proto::v1;
use ventral_proto::v1::artifacts_client::ArtifactsClient;
use ventral_proto::v1::evaluations_client::EvaluationsClient;
use ventral_testkit::wait_until_async;

use super::artifacts::{data, header};
use super::fake::Fake;
use super::jobs::submission;
use super::support::{Running, SOON, reason, refused, start, start_with};

fn item(bytes: &'static [u8]) -> Item {
    let digest = Digest::of_bytes(bytes);
    Item { digest, bytes: bytes.len() as u64, source: Source::Memory(Bytes::from_static(bytes)) }
}

/// A manifest of one file.
pub fn manifest(file: &[u8]) -> Vec<u8> {
    let path = "files/spec.toml".to_owned();
    let entry = FileEntry { path: path.clone(), digest: Digest::of_bytes(file), bytes: file.len() as u64 };
    Manifest { revision: REVISION, spec: path, files: vec![entry], cards: Vec::new() }.to_bytes()
}

/// Uploads a bundle of one file; returns the manifest's digest.
pub async fn upload_bundle(server: &Running, token: &str, file: &'static [u8]) -> Digest {
    let bytes = Bytes::from(manifest(file));
    let digest = Digest::of_bytes(&bytes);
    let manifest = Item { digest: digest.clone(), bytes: bytes.len() as u64, source: Source::Memory(bytes) };
    server.client(token).upload(vec![item(file), manifest], &|_| {}).await.expect("uploaded");
    digest
}

/// What a status tells, without the digest that was asked for.
fn told(status: &Status, digest: &Digest) -> (Code, String, String) {
    (status.code(), reason(status), status.message().replace(digest.as_str(), "DIGEST"))
}

#[tokio::test]
async fn what_others_have_uploaded_is_not_told() {
    let server = start().await;
    let bundle = upload_bundle(&server, "submitter-a", b"private").await;
    let private = Digest::of_bytes(b"private");
    let nothing = Digest::of_bytes(b"nobody has this");
    let mut of_b = ArtifactsClient::new(server.wire("submitter-b"));
    let mut jobs_of_b = EvaluationsClient::new(server.wire("submitter-b"));
    let mut answers = Vec::new();
    for digest in [&private, &nothing, &bundle] {
        let missing = v1::FindMissingRequest { digests: vec![digest.to_string()] };
        let missing = of_b.find_missing(missing).await.expect("an answer").into_inner().missing.len();
        let query = v1::QueryUploadRequest { digest: digest.to_string() };
        let state = of_b.query_upload(query).await.expect("an answer").into_inner();
        let upload = of_b.upload(iter(vec![header(digest, 7, 0)])).await.expect_err("no bytes were sent");
        let download = v1::DownloadRequest { digest: digest.to_string(), ..Default::default() };
        let download = of_b.download(download).await.expect_err("it is not theirs");
        let submitted = jobs_of_b.submit(submission(digest.as_str())).await.expect_err("it is not theirs");
        let all = [upload, download, submitted].map(|status| told(&status, digest));
        answers.push((missing, state.offset, state.complete, all));
    }
    assert_eq!(answers[0], answers[1], "a file of another tenant is like one that is not there");
    assert_eq!(answers[2], answers[1]);
    assert_eq!((answers[0].0, answers[0].2), (1, false));
    // A manifest of one's own that names it tells no more.
    let own = manifest(b"private");
    assert_eq!(Digest::of_bytes(&own), bundle);
    let mut upload = async |bytes: &[u8]| {
        let whole = vec![header(&Digest::of_bytes(bytes), bytes.len(), 0), data(bytes)];
        of_b.upload(iter(whole)).await.expect("uploaded").into_inner().existed
    };
    assert!(!upload(&own).await, "whether it existed is not told either");
    refused(jobs_of_b.submit(submission(bundle.as_str())).await, Code::NotFound, "ARTIFACT_NOT_FOUND");
    assert!(!upload(b"private").await);
    jobs_of_b.submit(submission(bundle.as_str())).await.expect("who has all its bytes may submit it");
    assert!(upload(b"private").await, "of one's own it is told");
    assert_eq!(server.core.store.blob(&private).expect("a store").as_deref(), Some(&b"private"[..]));
    let of_operator = server.client("operator").download(&private, v1::ArtifactKind::Blob).await;
    assert_eq!(of_operator.expect("operators see all"), b"private");
    let no_manifest = upload_bundle(&server, "submitter-a", b"x").await;
    assert_ne!(no_manifest, bundle);
    refused(
        EvaluationsClient::new(server.wire("submitter-a")).submit(submission(private.as_str())).await,
        Code::InvalidArgument,
        "FIELD_INVALID",
    );
    server.stop().await;
}

/// Announces so many files of 1,000 bytes at once and sends none; returns how many were let in.
async fn announce(server: &Running, count: usize, wanted: usize, refusal: &str) {
    let mut calls = Vec::new();
    for index in 0..count {
        let mut artifacts = ArtifactsClient::new(server.wire("submitter-a"));
        let first = header(&Digest::of_bytes(&index.to_le_bytes()), 1_000, 0);
        let silent = futures::StreamExt::chain(iter(vec![first]), futures::stream::pending());
        calls.push(tokio::spawn(async move { artifacts.upload(silent).await }));
    }
    wait_until_async("all but those let in are refused", SOON, || {
        let refused = calls.iter().filter(|call| call.is_finished()).count();
        async move { refused >= count - wanted }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (done, open): (Vec<_>, Vec<_>) = calls.into_iter().partition(tokio::task::JoinHandle::is_finished);
    assert_eq!(open.len(), wanted, "announcements that were let in");
    for call in done {
        refused(call.await.expect("no panic"), Code::ResourceExhausted, refusal);
    }
    open.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn announcements_at_once_cannot_pass_a_quota() {
    let server = start_with(Fake::new(), |config| config.limits.partial_bytes = 10_999).await;
    announce(&server, 40, 10, "UPLOAD_QUOTA").await;
    server.stop().await;
    let server = start().await;
    server.core.max_stored_bytes.store(5_000, Ordering::SeqCst);
    announce(&server, 40, 5, "STORAGE_QUOTA").await;
    server.stop().await;
    let server = start_with(Fake::new(), |config| config.limits.stored_blobs = 3).await;
    announce(&server, 40, 3, "STORAGE_QUOTA").await;
    server.stop().await;
}

#[tokio::test]
async fn uploads_that_were_cut_count_in_the_quota() {
    let server = start().await;
    server.core.max_stored_bytes.store(5_000, Ordering::SeqCst);
    let mut artifacts = ArtifactsClient::new(server.wire("submitter-a"));
    for index in 0..8_usize {
        let first = header(&Digest::of_bytes(&index.to_le_bytes()), 1_000, 0);
        let cut = artifacts.upload(iter(vec![first, data(&[7; 900])])).await;
        match index {
            0..5 => refused(cut, Code::Aborted, "UPLOAD_CUT"),
            _ => refused(cut, Code::ResourceExhausted, "STORAGE_QUOTA"),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_stored_has_a_quota_that_outlives_the_coordinator() {
    let first = start().await;
    first.core.max_stored_bytes.store(2_500, Ordering::SeqCst);
    let upload = async |server: &Running, token: &str, byte: u8, size: usize| {
        let bytes = vec![byte; size];
        let whole = vec![header(&Digest::of_bytes(&bytes), size, 0), data(&bytes)];
        ArtifactsClient::new(server.wire(token)).upload(iter(whole)).await
    };
    upload(&first, "submitter-a", 1, 1_000).await.expect("room");
    upload(&first, "submitter-a", 2, 1_000).await.expect("room");
    upload(&first, "submitter-a", 2, 1_000).await.expect("what is there counts once");
    refused(upload(&first, "submitter-a", 3, 501).await, Code::ResourceExhausted, "STORAGE_QUOTA");
    let second = start_with(Fake::over(&first.core.store), |_| {}).await;
    second.core.max_stored_bytes.store(2_500, Ordering::SeqCst);
    refused(upload(&second, "submitter-a", 3, 501).await, Code::ResourceExhausted, "STORAGE_QUOTA");
    upload(&second, "submitter-a", 3, 500).await.expect("the bound");
    refused(upload(&second, "submitter-a", 4, 1).await, Code::ResourceExhausted, "STORAGE_QUOTA");
    upload(&second, "submitter-b", 1, 1_000).await.expect("quotas are per tenant");
    second.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn a_blob_that_nobody_asks_for_goes_away() {
    let limits = |config: &mut ventral_coordinator::server::ServerConfig| {
        config.limits.blob_age = Duration::ZERO;
        config.limits.collect_every = Duration::from_millis(500);
    };
    let server = start_with(Fake::new(), limits).await;
    server.client("submitter-a").upload(vec![item(b"forgotten")], &|_| {}).await.expect("uploaded");
    let digest = Digest::of_bytes(b"forgotten");
    assert!(server.core.store.has_blob(&digest).expect("a store"));
    wait_until_async("it is collected", SOON, || async {
        !server.core.store.has_blob(&digest).expect("a store")
    })
    .await;
    server.client("submitter-a").upload(vec![item(b"forgotten")], &|_| {}).await.expect("uploaded again");
    assert!(server.core.store.has_blob(&digest).expect("a store"));
    server.stop().await;
}
