//! The gRPC server: listens, decides who comes in, and runs the services until it is told to end.

mod config;
mod connections;
mod files;
mod listener;

pub use config::{ConfigError, ServerConfig, TlsFiles};
pub use connections::{Caps, Connections, Line, OnLine, Place};
pub use files::raise_open_files;
pub use listener::{Counted, Peer, accept};

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tonic::service::Routes;
use tonic::transport::ServerTlsConfig;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use ventral_proto::externalscaler::external_scaler_server::ExternalScalerServer;
use ventral_proto::limits::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, MAX_UPLOAD_MESSAGE_BYTES};
use ventral_proto::v1::artifacts_server::ArtifactsServer;
use ventral_proto::v1::catalog_server::CatalogServer;
use ventral_proto::v1::evaluations_server::EvaluationsServer;
use ventral_proto::v1::fleet_server::FleetServer;
use ventral_proto::v1::scores_server::ScoresServer;

use crate::auth::{Door, GuardLayer, Identities, Refusals};
use crate::limits::{Gate, Limits};
use crate::services::artifacts::{Files, Holdings};
use crate::services::catalog::Index;
use crate::services::evaluations::Jobs;
use crate::services::fleet::Machines;
use crate::services::page::Pages;
use crate::services::requests::Requests;
use crate::services::scaler::Scaler;
use crate::services::scores::Reports;
use crate::services::{CoreApi, MANIFESTS, Shared};

/// Time between pings of a silent connection.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Silence after a ping that ends a connection.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest head of a request in bytes.
const MAX_HEADER_BYTES: u32 = 16 << 10;
/// Longest TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Time between looks at the core's readiness.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long calls may go on after the server was told to end.
const GRACE: Duration = Duration::from_secs(10);

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<ServerTlsConfig>,
    door: Arc<Door>,
    core: Arc<dyn CoreApi>,
    profile: String,
    limits: Limits,
    connections: Arc<Connections>,
}

/// Why a server ends, other than well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The transport failed.
    #[error("the gRPC server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The system gives no random numbers, or the contract's descriptors are unusable.
    #[error("the gRPC server cannot start: {0}")]
    Start(String),
}

impl Server {
    /// Checks the configuration and listens.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(config: ServerConfig, core: Arc<dyn CoreApi>) -> Result<Self, ServeError> {
        config.check()?;
        let tls = config.tls.as_ref().map(TlsFiles::load).transpose()?.map(|tls| tls.timeout(HANDSHAKE_TIME));
        let identities =
            config.identities.as_deref().map(Identities::open).transpose().map_err(ConfigError::from)?;
        let failed = |source| ServeError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let door = Arc::new(Door {
            identities,
            open_scaler: config.open_scaler,
            link: config.link,
            gate: Gate::new(config.limits),
            call_time: config.limits.call_time,
            refusals: Refusals::default(),
        });
        let limits = config.limits;
        let connections = Connections::new(Caps {
            name: "grpc",
            most: files::connections(limits.connections),
            per_address: limits.connections_per_address,
            first_call: limits.first_call,
            idle: limits.idle,
        });
        Ok(Self { listener, address, tls, door, core, profile: config.profile, limits, connections })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done; streams then end, calls in progress are finished.
    ///
    /// # Errors
    /// [`ServeError::Transport`], [`ServeError::Start`].
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            core: self.core.clone(),
            pages: Pages::new().map_err(|error| ServeError::Start(error.to_string()))?,
            requests: Requests::default(),
            profile: self.profile,
            limits: self.limits,
            holdings: Arc::new(Holdings::new(self.core.store().clone())),
            manifests: Semaphore::new(MANIFESTS),
            stop: stopped.clone(),
        });
        let (health, health_service) = tonic_health::server::health_reporter();
        let files = Files::new(shared.clone());
        let tending = files.tending();
        let routes = routes(shared, files)?.add_service(health_service);
        let mut builder = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(PING_EVERY))
            .http2_keepalive_timeout(Some(PING_TIMEOUT))
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .max_concurrent_streams(self.limits.streams_per_connection)
            .tcp_nodelay(true);
        if let Some(tls) = self.tls {
            builder = builder.tls_config(tls)?;
        }
        let incoming = listener::incoming(self.listener, self.connections.clone());
        let serving = builder
            .layer(GuardLayer(self.door))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, wait(stopped.clone()));
        let background = async {
            tokio::join!(report_health(&health, self.core.as_ref()), tending.run(), self.connections.watch());
        };
        let ending = async {
            shutdown.await;
            tracing::info!("the gRPC server ends");
            let _ = stop.send(true);
            health.set_service_status("", ServingStatus::NotServing).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::pin!(serving, background, ending);
        tokio::select! {
            served = &mut serving => served?,
            () = &mut ending => tracing::warn!("calls were still going on after {GRACE:?}; they are cut"),
            () = &mut background => {}
        }
        Ok(())
    }
}

fn routes(shared: Arc<Shared>, files: Files) -> Result<Routes, ServeError> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(ventral_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| ServeError::Start(error.to_string()))?;
    macro_rules! limited {
        ($server:expr, $bytes:expr) => {
            $server.max_decoding_message_size($bytes).max_encoding_message_size(MAX_RESPONSE_BYTES)
        };
    }
    Ok(Routes::new(limited!(EvaluationsServer::new(Jobs(shared.clone())), MAX_REQUEST_BYTES))
        .add_service(limited!(ScoresServer::new(Reports(shared.clone())), MAX_REQUEST_BYTES))
        .add_service(limited!(CatalogServer::new(Index::new(shared.clone())), MAX_REQUEST_BYTES))
        .add_service(limited!(ArtifactsServer::new(files), MAX_UPLOAD_MESSAGE_BYTES))
        .add_service(limited!(FleetServer::new(Machines(shared.clone())), MAX_REQUEST_BYTES))
        .add_service(limited!(ExternalScalerServer::new(Scaler(shared)), MAX_REQUEST_BYTES))
        .add_service(reflection))
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Tells probes whether the core is ready.
async fn report_health(health: &HealthReporter, core: &dyn CoreApi) {
    let mut told = None;
    loop {
        let ready = core.ready().is_ok();
        // Watchers hear of every report, so only changes are reported.
        if told.replace(ready) != Some(ready) {
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            health.set_service_status("", status).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
