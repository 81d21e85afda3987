//! Who may call what.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::Code;
use tonic::transport::Endpoint;
use ventral_client::request_id;
use ventral_coordinator::auth::table::{Access, METHODS, Shape};
use ventral_coordinator::auth::{Identities, MAX_IDENTITIES};
use ventral_coordinator::server::{Server, ServerConfig};
use ventral_coordinator::services::CoreApi as _;
use ventral_coordinator::services::status::Reason;
use ventral_proto::v1;
use ventral_proto::v1::evaluations_client::EvaluationsClient;
use ventral_proto::v1::fleet_client::FleetClient;
use ventral_proto::v1::scores_client::ScoresClient;
use ventral_testkit::wait_until_async;

use super::fake::{Fake, drill};
use super::support::{SOON, refused, refused_call, start, start_with, tokens};

/// Path → whether either side streams, of every RPC of the contract and of the standard services.
fn contract() -> BTreeMap<String, bool> {
    let sets = [
        ventral_proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    ];
    let mut methods = BTreeMap::new();
    for set in sets {
        for file in FileDescriptorSet::decode(set).expect("descriptors").file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    methods.insert(path, method.client_streaming() || method.server_streaming());
                }
            }
        }
    }
    methods
}

#[test]
fn every_rpc_has_a_role_and_its_shape() {
    let table: BTreeMap<String, bool> =
        METHODS.iter().map(|method| (method.path.to_owned(), method.shape == Shape::Stream)).collect();
    assert_eq!(table, contract());
    assert_eq!(table.len(), METHODS.len(), "an RPC is there twice");
    for method in METHODS.iter().filter(|method| method.access == Access::Open) {
        assert!(method.path.starts_with("/grpc.health.v1.Health/"), "{} is open", method.path);
    }
}

#[test]
fn every_reason_is_documented() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/errors.md");
    let text = std::fs::read_to_string(page).expect("the page");
    for reason in Reason::ALL {
        assert!(text.contains(&format!("\n## {}\n", reason.name())), "{} has no entry", reason.name());
    }
    assert_eq!(text.matches("\n## ").count(), Reason::ALL.len(), "an entry is of no reason");
}

#[tokio::test]
async fn without_a_known_token_nothing_but_health_answers() {
    let server = start().await;
    let channel = Endpoint::from_shared(server.url()).expect("a URL").connect_lazy();
    let get = || v1::GetJobRequest { job: "j".into() };
    let nobody = EvaluationsClient::new(channel.clone()).get(get()).await;
    refused(nobody, Code::Unauthenticated, "NO_TOKEN");
    let stranger = EvaluationsClient::new(server.wire("guess")).get(get()).await;
    refused(stranger, Code::Unauthenticated, "TOKEN_UNKNOWN");
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let check = || tonic_health::pb::HealthCheckRequest { service: String::new() };
    let serving = |health: tonic_health::pb::HealthCheckResponse| {
        health.status() == tonic_health::pb::health_check_response::ServingStatus::Serving
    };
    assert!(serving(health.check(check()).await.expect("open").into_inner()));
    server.core.ready.store(false, std::sync::atomic::Ordering::SeqCst);
    wait_until_async("health follows readiness", SOON, || {
        let mut health = health.clone();
        async move { !serving(health.check(check()).await.expect("open").into_inner()) }
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn roles_are_enforced() {
    let server = start().await;
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    let submit =
        v1::SubmitDrillRequest { request_id: request_id(), name: "d".into(), units: 1, ..Default::default() };
    let (reader, submitter, operator) =
        (server.client("reader-a"), server.client("submitter-a"), server.client("operator"));
    assert_eq!(reader.job(&job).await.expect("readers look").id, job);
    refused_call(reader.control(ventral_client::Control::Pause, &job, "x").await, "ROLE_TOO_LOW");
    refused_call(reader.missing([].into_iter()).await, "ROLE_TOO_LOW");
    submitter.control(ventral_client::Control::Pause, &job, "x").await.expect("submitters steer");
    refused_call(submitter.submit_drill(&submit).await, "ROLE_TOO_LOW");
    refused_call(submitter.drain("one", "y").await, "ROLE_TOO_LOW");
    refused_call(submitter.dead(1).await, "ROLE_TOO_LOW");
    assert_eq!(operator.submit_drill(&submit).await.expect("operators drill").tenant, "ops");
    operator.drain("one", "y").await.expect("operators drain");
    refused_call(operator.drain("nobody", "z").await, "WORKER_NOT_FOUND");
    assert_eq!(operator.dead(20).await.expect("operators see the dead").len(), 20);
    assert_eq!(operator.dead(1_000).await.expect("all").len(), 25);
    server.stop().await;
}

#[tokio::test]
async fn other_tenants_jobs_do_not_exist() {
    let server = start().await;
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    server.core.store.write_document(&job, "results.json", b"{}").expect("a document");
    server.core.store.write_document(&job, "plan.json", b"{}").expect("a document");
    let mut evaluations = EvaluationsClient::new(server.wire("submitter-b"));
    let mut scores = ScoresClient::new(server.wire("submitter-b"));
    let named = || v1::GetJobRequest { job: job.clone() };
    let control = || v1::ControlRequest { request_id: request_id(), job: job.clone() };
    let units = || v1::ListUnitsRequest { job: job.clone(), ..Default::default() };
    let watch = || v1::WatchRequest { job: job.clone(), ..Default::default() };
    let gone = (Code::NotFound, "JOB_NOT_FOUND");
    refused(evaluations.get(named()).await, gone.0, gone.1);
    refused(evaluations.watch(watch()).await, gone.0, gone.1);
    refused(evaluations.pause(control()).await, gone.0, gone.1);
    refused(evaluations.resume(control()).await, gone.0, gone.1);
    refused(evaluations.cancel(control()).await, gone.0, gone.1);
    refused(evaluations.retry(control()).await, gone.0, gone.1);
    refused(evaluations.list_units(units()).await, gone.0, gone.1);
    refused(evaluations.get_plan(named()).await, gone.0, gone.1);
    let document = v1::GetScoresRequest { job: job.clone(), ..Default::default() };
    refused(scores.get(document).await, gone.0, gone.1);
    let board = v1::LeaderboardRequest { job: job.clone(), ..Default::default() };
    refused(scores.leaderboard(board).await, gone.0, gone.1);
    for table in [v1::ExportTable::Layers, v1::ExportTable::Raw] {
        let export = v1::ExportRequest { job: job.clone(), table: table.into(), ..Default::default() };
        refused(scores.export(export).await, gone.0, gone.1);
    }
    let compare = v1::CompareRequest {
        job_a: job.clone(),
        model_a: "x".into(),
        model_b: "y".into(),
        ..Default::default()
    };
    refused(scores.compare(compare).await, gone.0, gone.1);
    let unit = server.core.units(None, &job, None, 0, 1).await.expect("units").remove(0).unit;
    refused_call(server.client("submitter-b").explain(&unit).await, "UNIT_NOT_FOUND");
    assert!(
        server.client("submitter-b").jobs(v1::JobState::Unspecified, 10).await.expect("a list").is_empty()
    );
    assert_eq!(server.core.steered.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(server.client("operator").job(&job).await.expect("operators see all").id, job);
    assert_eq!(server.client("submitter-a").explain(&unit[..8]).await.expect("own").len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_changed_file_of_identities_counts_and_a_broken_one_does_not() {
    let server = start().await;
    let works = async |token: &str| server.client(token).workers().await.is_ok();
    assert!(works("reader-a").await && !works("late").await);
    std::fs::write(&server.identities, "[[token]]\nname = 3").expect("a file");
    let table = Identities::open(&server.identities);
    assert!(table.is_err(), "a broken file is refused at the start");
    std::fs::write(&server.identities, tokens(&[("late", "a", "reader")])).expect("a file");
    wait_until_async("the new token counts", SOON, || works("late")).await;
    assert!(!works("reader-a").await, "the old token is gone");
    std::fs::write(&server.identities, "no toml at all").expect("a file");
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert!(works("late").await, "a broken file leaves things as they were");
    server.stop().await;
}

#[test]
fn files_of_identities_are_checked() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("identities.toml");
    let open = |text: &str| {
        std::fs::write(&path, text).expect("a file");
        Identities::open(&path)
    };
    let entry = |name: &str, tenant: &str, role: &str, sha256: &str| {
        format!("[[token]]\nname = '{name}'\ntenant = '{tenant}'\nrole = '{role}'\nsha256 = '{sha256}'\n")
    };
    let digest = "a".repeat(64);
    assert!(open(&entry("n", "t", "reader", &digest)).is_ok());
    for (bad, field) in [
        (entry("n", "t", "king", &digest), "king"),
        (entry("n", "t", "reader", &digest[1..]), "sha256"),
        (entry("n", "t", "reader", &"g".repeat(64)), "sha256"),
        (entry("n", "../t", "reader", &digest), "tenant"),
        (entry("", "t", "reader", &digest), "name"),
        (entry("n", "t", "reader", &digest).repeat(2), "twice"),
        (entry("n", "t", "reader", &digest) + "colour = 'red'\n", "colour"),
    ] {
        let error = open(&bad).err().expect(&bad).to_string();
        assert!(error.contains(field) && error.contains("identities.toml"), "{error}");
    }
    let many = |count: usize| {
        (0..count).map(|i| entry("n", "t", "reader", &format!("{i:064x}"))).collect::<String>()
    };
    assert!(open(&many(MAX_IDENTITIES)).is_ok());
    assert!(open(&many(MAX_IDENTITIES + 1)).is_err());
}

#[tokio::test]
async fn strangers_are_not_listened_to_by_accident() {
    let core = std::sync::Arc::new(Fake::new());
    let bind = |change: fn(&mut ServerConfig)| {
        let mut config = ServerConfig::local("p");
        config.listen.set_ip([0, 0, 0, 0].into());
        change(&mut config);
        Server::bind(config, core.clone())
    };
    let error = bind(|_| {}).await.err().expect("refused").to_string();
    assert!(error.contains("TLS and identities") && error.contains("--insecure"), "{error}");
    bind(|config| config.insecure = true).await.expect("the operator insists");
    bind(|config| config.listen.set_ip([127, 0, 0, 1].into())).await.expect("this machine alone");
}

#[tokio::test]
async fn without_identities_this_machine_is_the_operator() {
    let server = start_with(Fake::new(), |config| config.identities = None).await;
    let mut fleet = FleetClient::connect(server.url()).await.expect("a connection");
    assert_eq!(
        fleet.list_dead(v1::ListDeadRequest::default()).await.expect("operator").into_inner().units.len(),
        25
    );
    server.stop().await;
}
