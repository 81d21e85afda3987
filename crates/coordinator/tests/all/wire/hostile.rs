//! Clients that mean no good: refused, and honest ones unaffected.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt as _;
use ventral_client::request_id;
use ventral_coordinator::services::CoreApi as _;
use ventral_proto::v1;
use ventral_proto::v1::evaluations_client::EvaluationsClient;
use ventral_proto::v1::fleet_client::FleetClient;
use ventral_proto::v1::scores_client::ScoresClient;
use ventral_testkit::wait_until_async;

use super::fake::{Fake, drill};
use super::support::{Running, SOON, reason, refused, start, start_with};

async fn honest(server: &Running) {
    assert_eq!(server.client("reader-b").workers().await.expect("an honest client").len(), 3);
}

#[tokio::test]
async fn page_tokens_cannot_be_forged_or_carried_over() {
    let server = start().await;
    for index in 0..5 {
        server.core.submit(drill("a", &index.to_string())).await.expect("a job");
        server.core.submit(drill("b", &index.to_string())).await.expect("a job");
    }
    let list = |page_size, token: &str| v1::ListJobsRequest {
        page_size,
        page_token: token.into(),
        ..Default::default()
    };
    let mut a = EvaluationsClient::new(server.wire("reader-a"));
    let mut b = EvaluationsClient::new(server.wire("reader-b"));
    let token = a.list(list(2, "")).await.expect("a page").into_inner().next_page_token;
    assert_eq!(a.list(list(2, &token)).await.expect("the next page").into_inner().jobs.len(), 2);
    let bad = (Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    refused(b.list(list(2, &token)).await, bad.0, bad.1);
    refused(a.list(list(3, &token)).await, bad.0, bad.1);
    let mut operator = EvaluationsClient::new(server.wire("operator"));
    refused(operator.list(list(2, &token)).await, bad.0, bad.1);
    let workers = v1::ListWorkersRequest { page_size: 2, page_token: token.clone() };
    refused(FleetClient::new(server.wire("reader-a")).list_workers(workers).await, bad.0, bad.1);
    for forged in
        ["x".to_owned(), "00.00".to_owned(), token.replace('.', ""), format!("{token}00"), "a".repeat(5_000)]
    {
        refused(a.list(list(2, &forged)).await, bad.0, bad.1);
    }
    server.stop().await;
}

#[tokio::test]
async fn ids_that_look_like_paths_reach_neither_core_nor_store() {
    let server = start().await;
    let mut evaluations = EvaluationsClient::new(server.wire("operator"));
    let mut scores = ScoresClient::new(server.wire("operator"));
    let long = "j".repeat(78);
    for id in
        ["", "..", ".", "../../etc/passwd", "a/b", "a\\b", "job\0", "j\n", "%2e%2e", "jöb", long.as_str()]
    {
        let bad = (Code::InvalidArgument, "FIELD_INVALID");
        refused(evaluations.get(v1::GetJobRequest { job: id.into() }).await, bad.0, bad.1);
        refused(evaluations.get_plan(v1::GetJobRequest { job: id.into() }).await, bad.0, bad.1);
        let watch = v1::WatchRequest { job: id.into(), ..Default::default() };
        refused(evaluations.watch(watch).await, bad.0, bad.1);
        let control = v1::ControlRequest { request_id: request_id(), job: id.into() };
        refused(evaluations.cancel(control).await, bad.0, bad.1);
        let document = v1::GetScoresRequest { job: id.into(), ..Default::default() };
        refused(scores.get(document).await, bad.0, bad.1);
        let submit = v1::SubmitDrillRequest {
            request_id: request_id(),
            name: format!("{id}/"),
            units: 1,
            ..Default::default()
        };
        refused(evaluations.submit_drill(submit).await, bad.0, bad.1);
    }
    for unit in ["abc", "../..", "ABCDEF", "zzzz"] {
        let explain = v1::ExplainRequest { unit: unit.into() };
        refused(evaluations.explain(explain).await, Code::InvalidArgument, "FIELD_INVALID");
    }
    let status = evaluations.get(v1::GetJobRequest { job: "..".into() }).await.expect_err("refused");
    let bad = status.get_details_bad_request().expect("the field is named");
    assert_eq!(bad.field_violations[0].field, "job");
    assert_eq!(server.core.asked.load(Ordering::SeqCst), 0);
    assert_eq!(server.core.count(), 0);
    server.stop().await;
}

#[tokio::test]
async fn bounds_of_fields_hold() {
    let server = start().await;
    let mut evaluations = EvaluationsClient::new(server.wire("operator"));
    let fit = || v1::SubmitDrillRequest {
        request_id: request_id(),
        name: "n".repeat(64),
        units: 1_000_000,
        milliseconds: 3_600_000,
        priority: -100,
    };
    evaluations.submit_drill(fit()).await.expect("at the bounds");
    for beyond in [
        v1::SubmitDrillRequest { name: "n".repeat(65), ..fit() },
        v1::SubmitDrillRequest { units: 1_000_001, ..fit() },
        v1::SubmitDrillRequest { units: 0, ..fit() },
        v1::SubmitDrillRequest { milliseconds: 3_600_001, ..fit() },
        v1::SubmitDrillRequest { priority: -101, ..fit() },
        v1::SubmitDrillRequest { priority: 101, ..fit() },
        v1::SubmitDrillRequest { request_id: String::new(), ..fit() },
        v1::SubmitDrillRequest { request_id: "r".repeat(65), ..fit() },
        v1::SubmitDrillRequest { request_id: "../r".into(), ..fit() },
    ] {
        refused(evaluations.submit_drill(beyond).await, Code::InvalidArgument, "FIELD_INVALID");
    }
    evaluations
        .submit_drill(v1::SubmitDrillRequest { request_id: "r".repeat(64), ..fit() })
        .await
        .expect("the bound");
    server.stop().await;
}

#[tokio::test]
async fn oversized_messages_are_not_decoded() {
    let server = start().await;
    let mut evaluations = EvaluationsClient::new(server.wire("submitter-a"));
    let request = v1::SubmitRequest { name: "n".repeat(2 << 20), ..Default::default() };
    let status = evaluations.submit(request).await.expect_err("refused");
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    let just = v1::SubmitRequest { name: "n".repeat((1 << 20) - 10), ..Default::default() };
    refused(evaluations.submit(just).await, Code::InvalidArgument, "FIELD_INVALID");
    honest(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn a_thousand_idle_streams_harm_nobody() {
    const ALLOWED: u32 = 20;
    let server = start_with(Fake::new(), |config| config.limits.streams = ALLOWED).await;
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    let of_b = server.core.submit(drill("b", "r")).await.expect("a job").id;
    let watch = |job: &str| v1::WatchRequest { job: job.into(), ..Default::default() };
    let mut streams = Vec::new();
    let mut turned_away = 0;
    for connection in 0..4 {
        let mut evaluations = EvaluationsClient::new(server.wire("reader-a"));
        for _ in 0..250 {
            match evaluations.watch(watch(&job)).await {
                Ok(stream) => streams.push(stream),
                Err(status) => {
                    assert_eq!(
                        (status.code(), reason(&status).as_str()),
                        (Code::ResourceExhausted, "TOO_MANY_CALLS"),
                        "{connection}"
                    );
                    assert!(status.get_details_retry_info().is_some());
                    turned_away += 1;
                }
            }
        }
    }
    assert_eq!((streams.len(), turned_away), (ALLOWED as usize, 1_000 - ALLOWED as usize));
    honest(&server).await;
    let mut b = EvaluationsClient::new(server.wire("reader-b"));
    let mut stream = b.watch(watch(&of_b)).await.expect("another tenant's stream").into_inner();
    assert!(stream.message().await.expect("no fault").is_some());
    streams.clear();
    wait_until_async("the streams are counted out", SOON, || {
        let mut a = EvaluationsClient::new(server.wire("reader-a"));
        let request = watch(&job);
        async move { a.watch(request).await.is_ok() }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_tenant_that_calls_too_often_is_slowed_down_alone() {
    let change = |config: &mut ventral_coordinator::server::ServerConfig| {
        (config.limits.calls_per_second, config.limits.burst) = (0.5, 10);
    };
    let server = start_with(Fake::new(), change).await;
    let mut fleet = FleetClient::new(server.wire("reader-a"));
    for _ in 0..10 {
        fleet.list_workers(v1::ListWorkersRequest::default()).await.expect("within the burst");
    }
    let status = fleet.list_workers(v1::ListWorkersRequest::default()).await.expect_err("too often");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay).expect("when to come again");
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(2), "{wait:?}");
    honest(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn guessing_tokens_is_slowed_down_and_known_callers_are_not() {
    let change = |config: &mut ventral_coordinator::server::ServerConfig| {
        (config.limits.anonymous_per_second, config.limits.anonymous_burst) = (0.5, 10);
    };
    let server = start_with(Fake::new(), change).await;
    let mut reasons = Vec::new();
    for guess in 0..12 {
        let mut fleet = FleetClient::new(server.wire(&format!("guess-{guess}")));
        let status = fleet.list_workers(v1::ListWorkersRequest::default()).await.expect_err("unknown");
        reasons.push(reason(&status));
    }
    assert!(reasons[..10].iter().all(|reason| reason == "TOKEN_UNKNOWN"), "{reasons:?}");
    assert!(reasons[10..].iter().all(|reason| reason == "RATE_LIMITED"), "{reasons:?}");
    honest(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn garbage_harms_nobody() {
    let server = start().await;
    let mut garbage = TcpStream::connect(server.address).await.expect("a connection");
    garbage.write_all(&[0xff; 4_096]).await.expect("sent");
    let mut rest = Vec::new();
    // The server hangs up on what is no HTTP/2; how it says so does not matter.
    let _ = tokio::time::timeout(SOON, garbage.read_to_end(&mut rest)).await.expect("hung up");
    honest(&server).await;
    server.stop().await;
}

/// Sends a message whose first field is a number to a method that expects text there.
async fn garbage<T: prost::Message + Default + 'static>(
    server: &Running,
    path: &'static str,
) -> tonic::Status {
    let mut client = tonic::client::Grpc::new(server.wire("operator"));
    client.ready().await.expect("ready");
    let path = http::uri::PathAndQuery::from_static(path);
    let codec = tonic_prost::ProstCodec::<prost_types::Duration, T>::default();
    let messages = tokio_stream::iter([prost_types::Duration { seconds: 7, nanos: 0 }]);
    let answer = client.streaming(tonic::Request::new(messages), path, codec).await;
    match answer {
        Err(status) => status,
        Ok(stream) => stream.into_inner().message().await.err().expect("it cannot be decoded"),
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_the_callers_fault() {
    let server = start().await;
    for status in [
        garbage::<v1::Job>(&server, "/ventral.v1.Evaluations/Get").await,
        garbage::<v1::Job>(&server, "/ventral.v1.Evaluations/Submit").await,
        garbage::<v1::WatchResponse>(&server, "/ventral.v1.Evaluations/Watch").await,
        garbage::<v1::UploadResponse>(&server, "/ventral.v1.Artifacts/Upload").await,
        garbage::<v1::Job>(&server, "/grpc.health.v1.Health/Check").await,
    ] {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "MESSAGE_INVALID"));
        assert!(status.message().contains("decode"), "{status:?}");
    }
    honest(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_told_to_known_callers_only() {
    let server = start().await;
    let call = async |token: &str| {
        let mut client = tonic::client::Grpc::new(server.wire(token));
        client.ready().await.expect("ready");
        let path = http::uri::PathAndQuery::from_static("/ventral.v1.Evaluations/DropEverything");
        let codec = tonic_prost::ProstCodec::<v1::GetJobRequest, v1::Job>::default();
        client.unary(tonic::Request::new(v1::GetJobRequest::default()), path, codec).await
    };
    refused(call("reader-a").await, Code::Unimplemented, "METHOD_UNKNOWN");
    refused(call("nobody").await, Code::Unauthenticated, "TOKEN_UNKNOWN");
    server.stop().await;
}
