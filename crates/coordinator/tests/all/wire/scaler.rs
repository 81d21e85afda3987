//! KEDA asks how many workers are wanted.

use std::collections::HashMap;

use tonic::Code;
use ventral_coordinator::core::PoolView;
use ventral_proto::externalscaler as keda;
use ventral_proto::externalscaler::external_scaler_client::ExternalScalerClient;

use super::fake::Fake;
use super::support::{refused, start, start_with};

fn object(metadata: &[(&str, &str)]) -> keda::ScaledObjectRef {
    let scaler_metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    keda::ScaledObjectRef { name: "workers".into(), namespace: "lab".into(), scaler_metadata }
}

fn pool(name: &str, waiting: u64, backlog_seconds: f64) -> PoolView {
    PoolView { waiting, backlog_seconds, ..PoolView::empty(name) }
}

#[tokio::test]
async fn the_backlog_is_what_the_pools_say() {
    let server = start_with(Fake::new(), |config| config.open_scaler = true).await;
    let mut scaler = ExternalScalerClient::connect(server.url()).await.expect("a connection");
    let value = async |scaler: &mut ExternalScalerClient<_>, metadata: &[(&str, &str)]| {
        let request = keda::GetMetricsRequest {
            scaled_object_ref: Some(object(metadata)),
            metric_name: "s0-backlog-seconds".into(),
        };
        let answer = scaler.get_metrics(request).await.expect("a value").into_inner().metric_values.remove(0);
        (answer.metric_name, answer.metric_value, answer.metric_value_float)
    };
    assert!(!scaler.is_active(object(&[])).await.expect("an answer").into_inner().result);
    let mut stream = scaler.stream_is_active(object(&[])).await.expect("a stream").into_inner();
    assert!(!stream.message().await.expect("no fault").expect("at once").result);
    let pools = vec![
        pool("x/m28", 10, 1_000.25),
        pool("y/m30", 7, 0.5),
        pool("assemble", 3, 9.0),
        pool("drill", 5, 9.0),
    ];
    *server.core.pools.lock().expect("no panic") = pools;
    assert!(stream.message().await.expect("no fault").expect("a change").result);
    assert!(scaler.is_active(object(&[])).await.expect("an answer").into_inner().result);
    assert!(!scaler.is_active(object(&[("pools", "z/")])).await.expect("an answer").into_inner().result);
    assert_eq!(value(&mut scaler, &[]).await, ("s0-backlog-seconds".into(), 1_008, 1_007.25));
    assert_eq!(value(&mut scaler, &[("pools", "x/")]).await.2, 1_000.25);
    assert_eq!(value(&mut scaler, &[("pools", "assemble")]).await.2, 9.0);
    let spec = scaler.get_metric_spec(object(&[])).await.expect("a spec").into_inner().metric_specs.remove(0);
    assert_eq!(
        (spec.metric_name.as_str(), spec.target_size, spec.target_size_float),
        ("backlog-seconds", 300, 300.0)
    );
    let spec =
        scaler.get_metric_spec(object(&[("targetSeconds", "60.5")])).await.expect("a spec").into_inner();
    assert_eq!((spec.metric_specs[0].target_size, spec.metric_specs[0].target_size_float), (61, 60.5));
    for bad in ["0", "-1", "many", "inf", "NaN"] {
        let answer = scaler.get_metric_spec(object(&[("targetSeconds", bad)])).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID");
    }
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn the_scaler_is_closed_to_strangers_unless_opened() {
    let server = start().await;
    let mut stranger = ExternalScalerClient::connect(server.url()).await.expect("a connection");
    refused(stranger.is_active(object(&[])).await, Code::Unauthenticated, "NO_TOKEN");
    let mut reader = ExternalScalerClient::new(server.wire("reader-a"));
    assert!(!reader.is_active(object(&[])).await.expect("an answer").into_inner().result);
    server.stop().await;
}
