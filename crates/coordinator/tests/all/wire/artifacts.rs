//! Uploads and downloads.

use std::time::Duration;

use bytes::Bytes;
use tokio_stream::iter;
use tonic::Code;
use ventral_client::upload::{Item, Progress, Source};
use ventral_plan::Digest;
use ventral_proto::v1;
use ventral_proto::v1::artifacts_client::ArtifactsClient;
use ventral_proto::v1::upload_request::Part;
use ventral_testkit::{TcpProxy, wait_until_async};

use super::fake::Fake;
use super::support::{SOON, client_at, refused, refused_call, start, start_with};

const MIB: usize = 1 << 20;

fn content(bytes: usize) -> (Vec<u8>, Digest) {
    let content: Vec<u8> = (0..bytes).map(|i| (i * 31 % 251) as u8).collect();
    let digest = Digest::of_bytes(&content);
    (content, digest)
}

pub fn header(digest: &Digest, total: usize, offset: usize) -> v1::UploadRequest {
    let header =
        v1::UploadHeader { digest: digest.to_string(), total_bytes: total as u64, offset: offset as u64 };
    v1::UploadRequest { part: Some(Part::Header(header)) }
}

pub fn data(bytes: &[u8]) -> v1::UploadRequest {
    v1::UploadRequest { part: Some(Part::Data(Bytes::copy_from_slice(bytes))) }
}

#[tokio::test]
async fn an_upload_that_was_cut_goes_on_where_it_stopped() {
    let server = start().await;
    let (content, digest) = content(3 * MIB);
    let mut artifacts = ArtifactsClient::new(server.wire("submitter-a"));
    let first = vec![header(&digest, content.len(), 0), data(&content[..MIB])];
    refused(artifacts.upload(iter(first)).await, Code::Aborted, "UPLOAD_CUT");
    let query = || v1::QueryUploadRequest { digest: digest.to_string() };
    let state = artifacts.query_upload(query()).await.expect("a state").into_inner();
    assert_eq!((state.offset, state.complete), (MIB as u64, false));
    let of_b = ArtifactsClient::new(server.wire("submitter-b")).query_upload(query()).await.expect("a state");
    assert_eq!(of_b.into_inner().offset, 0, "unfinished uploads are private");
    let elsewhere = vec![header(&digest, content.len(), 5), data(&content[5..MIB])];
    refused(artifacts.upload(iter(elsewhere)).await, Code::FailedPrecondition, "UPLOAD_OFFSET");
    assert!(!server.core.store.has_blob(&digest).expect("a store"));
    let rest =
        vec![header(&digest, content.len(), MIB), data(&content[MIB..2 * MIB]), data(&content[2 * MIB..])];
    assert!(!artifacts.upload(iter(rest)).await.expect("complete").into_inner().existed);
    assert_eq!(server.core.store.blob(&digest).expect("a store"), Some(content.clone()));
    let again = vec![header(&digest, content.len(), 0)];
    assert!(artifacts.upload(iter(again)).await.expect("complete").into_inner().existed);
    assert!(artifacts.query_upload(query()).await.expect("a state").into_inner().complete);
    server.stop().await;
}

#[tokio::test]
async fn bytes_of_another_digest_are_refused_and_forgotten() {
    let server = start().await;
    let (content, digest) = content(1_000);
    let mut artifacts = ArtifactsClient::new(server.wire("submitter-a"));
    let wrong = vec![header(&digest, 1_000, 0), data(&[0; 1_000])];
    refused(artifacts.upload(iter(wrong)).await, Code::InvalidArgument, "DIGEST_MISMATCH");
    assert!(!server.core.store.has_blob(&digest).expect("a store"));
    let query = v1::QueryUploadRequest { digest: digest.to_string() };
    assert_eq!(artifacts.query_upload(query).await.expect("a state").into_inner().offset, 0);
    for bad in [
        vec![data(&content)],
        vec![],
        vec![header(&digest, 1_000, 0), header(&digest, 1_000, 0)],
        vec![header(&digest, 1_000, 0), data(&[])],
        vec![header(&digest, 999, 0), data(&content)],
        vec![header(&digest, 1_000, 0), data(&content), data(&[1])],
        vec![header(&digest, (64 << 30) + 1, 0)],
        vec![header(&digest, 2 * MIB, 0), data(&vec![0; MIB + 1])],
        vec![v1::UploadRequest { part: None }],
    ] {
        refused(artifacts.upload(iter(bad)).await, Code::InvalidArgument, "FIELD_INVALID");
    }
    let huge = vec![header(&digest, 4 * MIB, 0), data(&vec![0; 2 * MIB + 1])];
    assert_eq!(artifacts.upload(iter(huge)).await.expect_err("too large").code(), Code::OutOfRange);
    assert!(!server.core.store.has_blob(&digest).expect("a store"));
    server.stop().await;
}

#[tokio::test]
async fn one_stream_writes_a_blob_and_silence_ends_it() {
    let server =
        start_with(Fake::new(), |config| config.limits.upload_silence = Duration::from_millis(800)).await;
    let (content, digest) = content(1_000);
    let mut first = ArtifactsClient::new(server.wire("submitter-a"));
    let silent = futures::StreamExt::chain(
        iter(vec![header(&digest, 1_000, 0), data(&content[..10])]),
        futures::stream::pending(),
    );
    let stalled = tokio::spawn(async move { first.upload(silent).await });
    let mut second = ArtifactsClient::new(server.wire("submitter-a"));
    let query = || v1::QueryUploadRequest { digest: digest.to_string() };
    let mut asking = second.clone();
    wait_until_async("the first stream has begun", SOON, || {
        let (mut asking, query) = (asking.clone(), query());
        async move { asking.query_upload(query).await.expect("a state").into_inner().offset == 10 }
    })
    .await;
    let whole = || iter(vec![header(&digest, 1_000, 0), data(&content)]);
    refused(second.upload(whole()).await, Code::Aborted, "UPLOAD_BUSY");
    refused(stalled.await.expect("no panic"), Code::DeadlineExceeded, "UPLOAD_STALLED");
    second.upload(whole()).await.expect("the way is free");
    assert!(asking.query_upload(query()).await.expect("a state").into_inner().complete);
    server.stop().await;
}

#[tokio::test]
async fn unfinished_uploads_have_a_quota() {
    let server = start_with(Fake::new(), |config| config.limits.partial_bytes = 1_500).await;
    let mut artifacts = ArtifactsClient::new(server.wire("submitter-a"));
    let (content, digest) = content(1_000);
    let cut = vec![header(&digest, 1_000, 0), data(&content[..900])];
    refused(artifacts.upload(iter(cut)).await, Code::Aborted, "UPLOAD_CUT");
    let other = vec![header(&Digest::of_bytes(b"x"), 1_000, 0)];
    refused(artifacts.upload(iter(other)).await, Code::ResourceExhausted, "UPLOAD_QUOTA");
    let of_b = vec![header(&digest, 1_000, 0), data(&content)];
    ArtifactsClient::new(server.wire("submitter-b")).upload(iter(of_b)).await.expect("quotas are per tenant");
    server.stop().await;
}

#[tokio::test]
async fn the_client_uploads_what_is_missing_through_a_bad_line() {
    let server = start().await;
    let folder = tempfile::tempdir().expect("a directory");
    let proxy = TcpProxy::start(server.address).await.expect("a proxy");
    let client = client_at(proxy.address(), "submitter-a");
    let mut items = Vec::new();
    for index in 0..6_usize {
        let (mut bytes, _) = content(2 * MIB + index);
        bytes.push(index as u8);
        let path = folder.path().join(index.to_string());
        std::fs::write(&path, &bytes).expect("a file");
        items.push(Item {
            digest: Digest::of_bytes(&bytes),
            bytes: bytes.len() as u64,
            source: Source::File(path),
        });
    }
    server.client("submitter-a").upload(vec![items[0].clone()], &|_| {}).await.expect("uploaded before");
    let memory = Bytes::from_static(b"in memory");
    let digest = Digest::of_bytes(&memory);
    items.push(Item { digest, bytes: 9, source: Source::Memory(memory) });
    items.push(items[1].clone());
    let last = std::sync::Mutex::new(Progress::default());
    let cuts = std::sync::atomic::AtomicUsize::new(0);
    let on = |progress: Progress| {
        *last.lock().expect("no panic") = progress;
        // Two cuts, each when a file more is done.
        if progress.files_done > 0 && cuts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
            proxy.cut();
        }
    };
    client.upload(items.clone(), &on).await.expect("all is there in the end");
    let last = *last.lock().expect("no panic");
    assert_eq!((last.files, last.files_done, last.bytes_done), (6, 6, last.bytes));
    for item in &items {
        assert!(server.core.store.has_blob(&item.digest).expect("a store"));
    }
    let changed = folder.path().join("changed");
    std::fs::write(&changed, b"new").expect("a file");
    let item = Item { digest: Digest::of_bytes(b"old"), bytes: 3, source: Source::File(changed.clone()) };
    refused_call(client.upload(vec![item.clone()], &|_| {}).await, "DIGEST_MISMATCH");
    let shorter = Item { bytes: 4, ..item };
    let error = client.upload(vec![shorter], &|_| {}).await.expect_err("cut short").to_string();
    assert!(error.contains("changed"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn blobs_and_results_come_down() {
    let server = start().await;
    let (content, digest) = content(600_000);
    let whole = vec![header(&digest, content.len(), 0), data(&content)];
    ArtifactsClient::new(server.wire("submitter-a")).upload(iter(whole)).await.expect("uploaded");
    let object = Digest::of_bytes(b"name of a result");
    server.core.store.put(&object, &content).expect("an object");
    let client = server.client("reader-a");
    assert_eq!(client.download(&digest, v1::ArtifactKind::Blob).await.expect("the blob"), content);
    assert_eq!(client.download(&object, v1::ArtifactKind::Object).await.expect("the result"), content);
    refused_call(client.download(&object, v1::ArtifactKind::Blob).await, "ARTIFACT_NOT_FOUND");
    refused_call(client.download(&digest, v1::ArtifactKind::Object).await, "ARTIFACT_NOT_FOUND");
    let mut artifacts = ArtifactsClient::new(server.wire("reader-a"));
    for kind in [v1::ArtifactKind::Blob, v1::ArtifactKind::Object] {
        let name = if kind == v1::ArtifactKind::Blob { &digest } else { &object };
        let from = |offset: u64| v1::DownloadRequest { digest: name.to_string(), kind: kind.into(), offset };
        let mut stream = artifacts.download(from(599_999)).await.expect("a stream").into_inner();
        let chunk = stream.message().await.expect("no fault").expect("a chunk");
        assert_eq!((&chunk.data[..], chunk.total_bytes), (&content[599_999..], Some(600_000)));
        assert!(stream.message().await.expect("no fault").is_none());
        let mut stream = artifacts.download(from(600_000)).await.expect("a stream").into_inner();
        assert_eq!(stream.message().await.expect("no fault").expect("its size").total_bytes, Some(600_000));
        refused(artifacts.download(from(600_001)).await, Code::InvalidArgument, "FIELD_INVALID");
    }
    let bad = v1::DownloadRequest { digest: "../x".into(), ..Default::default() };
    refused(artifacts.download(bad).await, Code::InvalidArgument, "FIELD_INVALID");
    let mut submitter = ArtifactsClient::new(server.wire("submitter-a"));
    let many = |count: usize| v1::FindMissingRequest { digests: vec!["0".repeat(64); count] };
    assert_eq!(
        submitter.find_missing(many(1_000)).await.expect("the bound").into_inner().missing.len(),
        1_000
    );
    refused(submitter.find_missing(many(1_001)).await, Code::InvalidArgument, "FIELD_INVALID");
    server.stop().await;
}
