//! Jobs over the wire.

use std::sync::atomic::Ordering;

use tonic::Code;
use ventral_client::{Control, request_id};
use ventral_coordinator::core::JobState;
use ventral_coordinator::services::CoreApi as _;
use ventral_proto::v1;
use ventral_proto::v1::evaluations_client::EvaluationsClient;
use ventral_testkit::TcpProxy;

use super::fake::{Fake, UNITS, drill};
use super::support::{client_at, refused, refused_call, start, start_with};
use super::tenants::upload_bundle;

pub fn submission(bundle: &str) -> v1::SubmitRequest {
    v1::SubmitRequest {
        request_id: request_id(),
        name: "job".into(),
        bundle: bundle.into(),
        priority: 7,
        profile: String::new(),
    }
}

#[tokio::test]
async fn a_submission_reaches_the_core_once() {
    let server = start().await;
    let client = server.client("submitter-a");
    let bundle = upload_bundle(&server, "submitter-a", b"spec").await.to_string();
    upload_bundle(&server, "submitter-b", b"spec").await;
    let request = submission(&bundle);
    let job = client.submit(&request).await.expect("accepted");
    assert_eq!((job.tenant.as_str(), job.profile.as_str(), job.priority), ("a", "p", 7));
    assert_eq!(client.submit(&request).await.expect("again"), job);
    assert_eq!(server.core.count(), 1);
    for other in [
        v1::SubmitRequest { name: "other".into(), ..request.clone() },
        v1::SubmitRequest { priority: 8, ..request.clone() },
    ] {
        refused_call(client.submit(&other).await, "REQUEST_ID_REUSED");
    }
    refused_call(client.plan(&request).await, "REQUEST_ID_REUSED");
    assert_eq!(server.core.count(), 1);
    let of_b = server.client("submitter-b").submit(&request).await.expect("ids are per tenant");
    assert_ne!(of_b.id, job.id);
    let missing = submission(&"0".repeat(64));
    refused_call(client.submit(&missing).await, "ARTIFACT_NOT_FOUND");
    let planned = client.plan(&submission(&bundle)).await.expect("a dry run");
    assert_eq!(planned.state(), v1::JobState::Planned);
    server.stop().await;
}

#[tokio::test]
async fn controls_are_carried_out_once_per_request_id() {
    let server = start().await;
    let client = server.client("submitter-a");
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    assert_eq!(
        client.control(Control::Pause, &job, "one").await.expect("paused").state(),
        v1::JobState::Paused
    );
    client.control(Control::Pause, &job, "one").await.expect("again");
    assert_eq!(server.core.steered.load(Ordering::SeqCst), 1);
    refused_call(client.control(Control::Cancel, &job, "one").await, "REQUEST_ID_REUSED");
    assert_eq!(
        client.control(Control::Resume, &job, "two").await.expect("on").state(),
        v1::JobState::Running
    );
    assert_eq!(server.core.steered.load(Ordering::SeqCst), 2);
    server.stop().await;
}

#[tokio::test]
async fn lists_come_whole_whatever_the_page() {
    let server = start().await;
    for index in 0..25 {
        let mut submission = drill(if index % 5 == 0 { "b" } else { "a" }, &index.to_string());
        submission.submitted_ms = 1_000 + index / 3;
        server.core.submit(submission).await.expect("a job");
    }
    let mut evaluations = EvaluationsClient::new(server.wire("reader-a"));
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListJobsRequest { page_size: 7, page_token: token, ..Default::default() };
        let page = evaluations.list(request).await.expect("a page").into_inner();
        assert!(page.jobs.windows(2).all(|pair| pair[0].submitted_ms >= pair[1].submitted_ms));
        ids.extend(page.jobs.into_iter().map(|job| job.id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((ids.len(), unique.len()), (20, 20));
    let every = v1::JobState::Unspecified;
    assert_eq!(server.client("operator").jobs(every, 100).await.expect("all tenants").len(), 25);
    assert_eq!(server.client("reader-a").jobs(v1::JobState::Paused, 100).await.expect("filtered").len(), 0);
    let units =
        server.client("reader-a").units(&ids[0], v1::UnitState::Unspecified, 10_000).await.expect("units");
    assert_eq!(units.len(), UNITS);
    let done = server.client("reader-a").units(&ids[0], v1::UnitState::Done, 10_000).await.expect("units");
    assert_eq!(done.len(), UNITS / 2);
    assert_eq!(server.client("reader-a").workers().await.expect("workers").len(), 3);
    let too_many = v1::ListJobsRequest { page_size: 1_001, ..Default::default() };
    refused(evaluations.list(too_many).await, Code::InvalidArgument, "FIELD_INVALID");
    let foreign = v1::ListJobsRequest { tenant: "b".into(), ..Default::default() };
    refused(evaluations.list(foreign).await, Code::InvalidArgument, "FIELD_INVALID");
    server.stop().await;
}

#[tokio::test]
async fn a_watch_resumes_from_its_token() {
    let server = start().await;
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    let mut evaluations = EvaluationsClient::new(server.wire("reader-a"));
    let watch = |token: &str| v1::WatchRequest { job: job.clone(), resume_token: token.into() };
    let mut stream = evaluations.watch(watch("")).await.expect("a stream").into_inner();
    let first = stream.message().await.expect("no fault").expect("the state at once");
    drop(stream);
    server.core.change(&job, |view| view.counts.done = 1);
    let mut stream = evaluations.watch(watch(&first.resume_token)).await.expect("a stream").into_inner();
    let second = stream.message().await.expect("no fault").expect("the change that was missed");
    assert_eq!(second.job.clone().and_then(|job| job.counts).expect("counts").done, 1);
    drop(stream);
    let mut stream = evaluations.watch(watch(&second.resume_token)).await.expect("a stream").into_inner();
    let silent = tokio::time::timeout(std::time::Duration::from_millis(300), stream.message()).await;
    assert!(silent.is_err(), "what was seen is not told again: {silent:?}");
    server.core.change(&job, |view| view.state = JobState::Succeeded);
    let last = stream.message().await.expect("no fault").expect("the end");
    assert_eq!(last.job.expect("a job").state(), v1::JobState::Succeeded);
    assert!(stream.message().await.expect("no fault").is_none(), "the stream ends with the job");
    let mut stream = evaluations.watch(watch("other-life:99/".to_owned().as_str())).await.err();
    refused(Err::<(), _>(stream.take().expect("refused")), Code::InvalidArgument, "RESUME_TOKEN_INVALID");
    let old = format!("other-life:99/{job}");
    let mut stream =
        evaluations.watch(watch(&old)).await.expect("a token from before a restart").into_inner();
    assert!(stream.message().await.expect("no fault").is_some());
    server.stop().await;
}

#[tokio::test]
async fn the_clients_watch_survives_cuts_and_the_servers_end() {
    let server = start().await;
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    let proxy = TcpProxy::start(server.address).await.expect("a proxy");
    let mut watch = client_at(proxy.address(), "reader-a").watch(&job);
    assert_eq!(watch.next().await.expect("no fault").expect("a state").revision, 1);
    proxy.cut();
    server.core.change(&job, |view| view.counts.done = 3);
    let after = watch.next().await.expect("resumed").expect("a state");
    assert_eq!(after.counts.expect("counts").done, 3);
    // Another life of the coordinator at another address, with the same job.
    let mut core = Fake::new();
    core.generation = "second".into();
    let second = start_with(core, |_| {}).await;
    second.core.submit(drill("a", "r")).await.expect("the job");
    second.core.change(&job, |view| view.state = JobState::Succeeded);
    proxy.retarget(second.address);
    server.stop().await;
    proxy.cut();
    let last = watch.next().await.expect("resumed").expect("a state");
    assert_eq!(last.state(), v1::JobState::Succeeded);
    assert!(watch.next().await.expect("no fault").is_none());
    second.stop().await;
}

#[tokio::test]
async fn what_is_not_there_yet_is_said_so() {
    let server = start().await;
    let client = server.client("reader-a");
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    refused_call(client.plan_document(&job).await, "PLAN_NOT_READY");
    refused_call(client.document(&job, v1::ScoresDocument::Results).await, "RESULTS_NOT_READY");
    let plan = vec![7; 1 << 20];
    server.core.store.write_document(&job, "plan.json", &plan).expect("a document");
    assert_eq!(client.plan_document(&job).await.expect("the plan"), plan);
    server.stop().await;
}

#[tokio::test]
async fn while_jobs_are_loaded_nobody_is_told_that_one_does_not_exist() {
    let server = start().await;
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    server.core.ready.store(false, Ordering::SeqCst);
    let mut evaluations = EvaluationsClient::new(server.wire("reader-a"));
    let named = |job: &str| v1::GetJobRequest { job: job.into() };
    assert_eq!(evaluations.get(named(&job)).await.expect("what is known is told").into_inner().id, job);
    refused(evaluations.get(named("other-1")).await, Code::Unavailable, "NOT_READY");
    let watch = v1::WatchRequest { job: "other-1".into(), ..Default::default() };
    refused(evaluations.watch(watch).await, Code::Unavailable, "NOT_READY");
    let explain = || v1::ExplainRequest { unit: "0123456789".into() };
    refused(evaluations.explain(explain()).await, Code::Unavailable, "NOT_READY");
    server.core.ready.store(true, Ordering::SeqCst);
    refused(evaluations.get(named("other-1")).await, Code::NotFound, "JOB_NOT_FOUND");
    refused(evaluations.explain(explain()).await, Code::NotFound, "UNIT_NOT_FOUND");
    server.stop().await;
}
