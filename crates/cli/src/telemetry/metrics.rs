//! Prometheus metrics, and the two questions of a probe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use ventral_coordinator::server::{Caps, Connections, Counted, accept};

use crate::exit::{Exit, Outcome};

/// Connections at a time: the oldest goes when another one comes.
const MAX_CONNECTIONS: usize = 256;

/// Longest connection: a scrape takes milliseconds, and what is slower is no scraper.
const MAX_CONNECTION_TIME: Duration = Duration::from_secs(10);

/// Bounds of durations of units, in seconds.
const SECONDS: [f64; 12] = [0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0];

/// Bounds of the time of one request to the store or to Redis, in seconds.
const REQUEST_SECONDS: [f64; 9] = [0.0005, 0.002, 0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 60.0];

/// Bounds of memory of units, in bytes.
const BYTES: [f64; 9] = [
    (1u64 << 27) as f64,
    (1u64 << 28) as f64,
    (1u64 << 29) as f64,
    (1u64 << 30) as f64,
    (1u64 << 31) as f64,
    (1u64 << 32) as f64,
    (1u64 << 33) as f64,
    (1u64 << 34) as f64,
    (1u64 << 35) as f64,
];

/// Begins to count.
///
/// # Errors
/// When something else counts already.
pub fn install() -> Outcome<PrometheusHandle> {
    let internal = |error: metrics_exporter_prometheus::BuildError| Exit::Internal(error.into());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_request_seconds".to_owned()), &REQUEST_SECONDS)
        .map_err(internal)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES))
        .map_err(internal)?;
    let handle = builder.install_recorder().map_err(internal)?;
    describe();
    metrics::gauge!("ventral_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("ventral_units_taken_total", "Units taken from the queue, by kind.");
    describe_counter!("ventral_units_finished_total", "Units that succeeded, by kind.");
    describe_counter!("ventral_units_failed_total", "Units that did not, by kind and whose fault it was.");
    describe_counter!("ventral_lease_losses_total", "Leases lost, by cause.");
    describe_counter!("ventral_cache_hits_total", "Results that were in the store already, by kind of unit.");
    describe_counter!("ventral_cache_misses_total", "Results that were computed, by kind of unit.");
    describe_counter!(
        "ventral_alarms_total",
        "Units that gave other bytes than before: look into it at once."
    );
    describe_gauge!("ventral_connections", "Connections, by listener (grpc, metrics).");
    describe_counter!(
        "ventral_connections_closed_total",
        "Connections closed by the server, by listener and reason (NO_CALL, IDLE, ROOM)."
    );
    describe_counter!("ventral_machine_faults_total", "Units that this machine failed, by cause.");
    describe_gauge!(
        "ventral_quarantined",
        "1 while this process takes nothing because its machine failed units."
    );
    describe_gauge!("ventral_slots", "Units this process runs at a time.");
    describe_gauge!("ventral_slots_busy", "Units in hand.");
    describe_gauge!("ventral_leader", "1 while this coordinator leads.");
    describe_gauge!("ventral_tenant_backlog", "Units that have not ended, by tenant, of the 100 largest.");
    describe_gauge!("ventral_unit_oldest_seconds", "Time since the oldest unit in flight was admitted.");
    describe_gauge!("ventral_build_info", "1, with the version of the program.");
    describe_histogram!(
        "ventral_queue_request_seconds",
        "Time of one request to Redis in seconds, by script."
    );
    describe_histogram!(
        "ventral_store_request_seconds",
        "Time of one request to the store in seconds, by action."
    );
    describe_histogram!(
        "ventral_unit_wait_seconds",
        "Time of a unit in the queue before it was taken, by kind."
    );
    describe_histogram!("ventral_unit_seconds", "Time of a unit from take to result in seconds, by kind.");
    describe_histogram!("ventral_unit_peak_bytes", "Peak memory of the process of a unit in bytes, by kind.");
}

/// Answers `/metrics`, `/healthz` (the process lives) and `/readyz` (it can do its work) until the process ends.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn serve(
    listen: SocketAddr,
    handle: PrometheusHandle,
    ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
) -> Outcome<SocketAddr> {
    let cannot = |error| Exit::Machine(anyhow::anyhow!("--metrics-listen {listen}: {error}"));
    let listener = TcpListener::bind(listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let metrics = move || {
        handle.run_upkeep();
        let text = handle.render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    let readiness = move || {
        let answer = match ready() {
            Ok(()) => (StatusCode::OK, "ready".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}")),
        };
        async move { answer }
    };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readiness))
        .layer(map_response(last_of_its_connection));
    tracing::info!(%address, "metrics and probes");
    let connections = Connections::new(Caps {
        name: "metrics",
        most: MAX_CONNECTIONS,
        per_address: MAX_CONNECTIONS,
        first_call: MAX_CONNECTION_TIME,
        idle: MAX_CONNECTION_TIME,
    });
    let watched = connections.clone();
    tokio::spawn(async move { watched.watch().await });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(Probes { listener, connections }, router).await {
            tracing::error!(%error, "metrics and probes have ended");
        }
    });
    Ok(address)
}

/// Nobody needs to keep a connection between two scrapes.
async fn last_of_its_connection(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The listener of metrics and probes: it has a budget of its own, and no connection lives long.
struct Probes {
    listener: TcpListener,
    connections: Arc<Connections>,
}

impl axum::serve::Listener for Probes {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        accept(&self.listener, &self.connections).await
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
