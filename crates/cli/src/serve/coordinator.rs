//! `ventral serve coordinator`: takes jobs, decides whose turn it is.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use ventral_coordinator::core::{Core, Policies};
use ventral_coordinator::limits::Limits;
use ventral_coordinator::server::{Server, ServerConfig, TlsFiles};
use ventral_queue::Queue;
use ventral_queue::consumer::Connect;
use ventral_store::Store;
use ventral_worker::numeric_profile;

use super::args::{CoordinatorArgs, ServerArgs};
use super::consumer::{connect, runtime, stop_on_signal};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::telemetry;

/// Pause between tries to reach the queue for the first time.
const RETRY: Duration = Duration::from_secs(1);

/// How long giving up the lead may take at the end.
const RELEASE: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub fn serve(context: &Context, arguments: &CoordinatorArgs) -> Outcome {
    let store = context.shared_store()?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let common = &arguments.common;
        let _traces = telemetry::init("coordinator", common.log_format, common.otlp_endpoint.as_deref())?;
        let (stop, stopped) = watch::channel(false);
        stop_on_signal(move || !stop.send_replace(true))?;
        let Some(queue) = reach(&connect(&arguments.queue), stopped.clone()).await? else { return Ok(()) };
        let core = core(store, queue, &arguments.server, arguments.queue.beat())?;
        if let Some(listen) = common.metrics_listen {
            let ready = core.clone();
            let metrics = telemetry::metrics::install()?;
            let ready = move || ready.ready().map_err(|error| error.to_string());
            telemetry::metrics::serve(listen, metrics, Arc::new(ready)).await?;
        }
        run(core, &arguments.server, stopped).await
    })
}

/// Waits for a queue that is away; `None` when it is to end before.
async fn reach(connect: &Connect, mut stopped: watch::Receiver<bool>) -> Outcome<Option<Arc<dyn Queue>>> {
    let mut complained = false;
    loop {
        match connect().await {
            Ok(queue) => return Ok(Some(queue)),
            Err(error @ ventral_queue::Error::Invalid { .. }) => return Err(Exit::input(error)),
            Err(error) if !complained => {
                tracing::warn!(%error, "waiting for the queue");
                complained = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(None),
        }
    }
}

/// The core, with what tenants may use.
pub fn core(store: Store, queue: Arc<dyn Queue>, server: &ServerArgs, reap: Duration) -> Outcome<Core> {
    let policies = server.tenants.as_deref().map_or_else(|| Ok(Policies::default()), policies)?;
    Ok(Core::new(store, queue, policies, reap))
}

fn policies(file: &Path) -> Outcome<Policies> {
    let refuse = |problem: String| Exit::input(format!("{}: {problem}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    Policies::from_toml(&text).map_err(refuse)
}

/// Serves gRPC and drives the core until told to stop.
pub async fn run(core: Core, arguments: &ServerArgs, stopped: watch::Receiver<bool>) -> Outcome {
    let config = config(arguments);
    let exposed = exposed(&config);
    let server = Server::bind(config, Arc::new(core.clone())).await;
    let server = server.map_err(Exit::input)?;
    tracing::info!(address = %server.address(), "serving");
    if let Some(exposed) = exposed {
        tracing::warn!("{exposed}");
    }
    let driving = {
        let stopped = stopped.clone();
        tokio::spawn(async move { core.drive(stopped).await })
    };
    let mut shutdown = stopped;
    let served = server
        .run(async move {
            let _ = shutdown.wait_for(|stopped| *stopped).await;
        })
        .await;
    // It gives up the lead, so that another coordinator need not wait for that to run out.
    if tokio::time::timeout(RELEASE, driving).await.is_err() {
        tracing::warn!("the lead was not given up in time");
    }
    served.map_err(|error| Exit::Machine(error.into()))?;
    tracing::info!("ending; workers go on");
    Ok(())
}

/// What strangers can do, if anything.
fn exposed(config: &ServerConfig) -> Option<&'static str> {
    match (&config.tls, &config.identities) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some(
            "without TLS whoever is on the way can read along, tokens included; add --tls-cert and --tls-key",
        ),
        (_, None) => Some("without --tokens whoever reaches this address can do anything"),
    }
}

fn config(arguments: &ServerArgs) -> ServerConfig {
    let tls =
        arguments.tls_cert.as_ref().zip(arguments.tls_key.as_ref()).map(|(certificate, key)| TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: arguments.client_ca.clone(),
            require_client_certificate: arguments.require_client_cert,
        });
    ServerConfig {
        listen: arguments.listen,
        profile: numeric_profile(),
        tls,
        identities: arguments.tokens.clone(),
        insecure: arguments.insecure,
        open_scaler: arguments.open_scaler,
        limits: Limits {
            connections: arguments.max_connections as usize,
            connections_per_address: arguments.max_connections_per_address as usize,
            blob_age: Duration::from_secs(u64::from(arguments.blob_days) * 24 * 3600),
            ..Limits::default()
        },
        link: Some(telemetry::link),
    }
}
