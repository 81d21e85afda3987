//! What workers and aggregators share: connection, probes, signals, the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use ventral_queue::consumer::{self, Config, Connect, Control, Executor};
use ventral_queue::{Queue, Redis};

use super::args::{CacheArgs, Common, ConsumerArgs, QueueArgs};
use crate::exit::{Exit, Outcome};
use crate::telemetry;

/// Threads of a supervisor: it only waits.
const THREADS: usize = 2;

/// How long what still runs in the background may take at the end.
const LAST: Duration = Duration::from_secs(1);

/// Longest host name in a worker's name.
const MAX_HOST_CHARS: usize = 100;

/// A consumer about to serve.
pub struct Consumer<'a> {
    /// The role, for traces and messages.
    pub role: &'static str,
    /// Logs, metrics, traces.
    pub common: &'a Common,
    /// The queue.
    pub queue: &'a QueueArgs,
}

impl Consumer<'_> {
    /// Serves until drained, by SIGTERM or SIGINT among others.
    pub fn serve(&self, config: Config, executor: Arc<dyn Executor>) -> Outcome {
        let runtime = runtime()?;
        let outcome = runtime.block_on(async {
            let _traces =
                telemetry::init(self.role, self.common.log_format, self.common.otlp_endpoint.as_deref())?;
            let connect = connect(self.queue);
            // An address that cannot be used will not become better; a server that is away may come.
            if let Err(error @ ventral_queue::Error::Invalid { .. }) = connect().await {
                return Err(Exit::input(error));
            }
            let metrics = telemetry::metrics::install()?;
            let control = Control::default();
            if let Some(listen) = self.common.metrics_listen {
                let ready = control.clone();
                telemetry::metrics::serve(listen, metrics, Arc::new(move || ready.ready())).await?;
            }
            let draining = control.clone();
            stop_on_signal(move || {
                let first = !draining.is_draining();
                draining.drain();
                first
            })?;
            tracing::info!(worker = config.worker, pools = ?config.pools, slots = config.slots, "serving");
            let served = consumer::run(config, connect, executor, control).await;
            served.map_err(|error| Exit::Machine(error.into()))?;
            tracing::info!("drained, ending");
            Ok(())
        });
        runtime.shutdown_timeout(LAST);
        outcome
    }
}

/// The usual configuration of a consumer of these pools.
pub fn config(queue: &QueueArgs, arguments: &ConsumerArgs, pools: Vec<String>, slots: usize) -> Config {
    let name = arguments.name.clone().unwrap_or_else(own_name);
    Config {
        slots,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        beat: queue.beat(),
        reap: queue.beat(),
        drain: Duration::from_secs(arguments.drain_seconds),
        give_up: Duration::from_secs(arguments.give_up_seconds),
        ..Config::new(name, pools)
    }
}

/// A runtime for a process that mostly waits.
pub fn runtime() -> Outcome<Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    built.map_err(|error| Exit::Machine(anyhow::anyhow!("cannot start threads: {error}")))
}

/// Opens connections to the queue.
pub fn connect(arguments: &QueueArgs) -> Connect {
    let arguments = arguments.clone();
    Arc::new(move || {
        let arguments = arguments.clone();
        Box::pin(async move {
            let (timing, tls) = (arguments.timing(), arguments.tls());
            let missing = || ventral_queue::Error::Invalid {
                field: "--redis",
                problem: "name the Redis of the cluster with --redis or VENTRAL_REDIS".to_owned(),
            };
            let url = arguments.redis.as_deref().ok_or_else(missing)?;
            let queue = Redis::connect(url, &arguments.queue, timing, &tls).await?;
            Ok(Arc::new(queue) as Arc<dyn Queue>)
        })
    })
}

/// Calls `stop` on SIGTERM and SIGINT; when it says that this was not the first signal, the process ends at once.
pub fn stop_on_signal(stop: impl Fn() -> bool + Send + 'static) -> Outcome {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| Exit::Machine(anyhow::anyhow!("signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !stop() {
                std::process::exit(130);
            }
        }
    });
    Ok(())
}

/// The cache directory: the one that is named, or the user's.
pub fn cache_dir(arguments: &CacheArgs) -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let users = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let usual = || users().unwrap_or_else(std::env::temp_dir).join("ventral");
    arguments.cache_dir.clone().unwrap_or_else(usual)
}

/// Host name and random characters.
fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let host: String = host.trim().chars().filter(allowed).take(MAX_HOST_CHARS).collect();
    let random = uuid::Uuid::new_v4().simple().to_string();
    let host = if host.is_empty() { "worker" } else { &host };
    format!("{host}-{}", &random[..8])
}
