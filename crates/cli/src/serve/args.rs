//! Arguments of `ventral serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use ventral_aggregator::service::ASSEMBLE_SECONDS;
use ventral_coordinator::limits::{BLOB_DAYS, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS};
use ventral_queue::{BACKOFF_MS, LEASE_MS, MAX_BACKOFF_MS, Timing, TlsFiles};
use ventral_worker::service::{FACTOR, LEAST_SECONDS, PLAN_SECONDS, TimeLimits};

use crate::telemetry::LogFormat;

/// Longest limit of time: a year.
const MAX_LIMIT_SECONDS: u64 = 365 * 24 * 3_600;

/// Roles of a cluster.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// Take jobs over gRPC, decide whose turn it is, hear what happened.
    Coordinator(CoordinatorArgs),
    /// Take units, compute them, store the results.
    Worker(WorkerArgs),
    /// Assemble the results of jobs whose units are done.
    Aggregator(AggregatorArgs),
    /// Coordinator, aggregator and one worker in one process: a small lab's cluster, or a try.
    All(AllArgs),
    /// Compute the units of one slot of a worker, which starts this itself.
    #[command(hide = true)]
    WorkerSlot(SlotArgs),
}

/// What all roles have.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Address of metrics (`/metrics`) and probes (`/healthz`, `/readyz`), such as 0.0.0.0:7071; none when absent.
    #[arg(long, env = "VENTRAL_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// How log lines on standard error look; VENTRAL_LOG chooses what is logged (info).
    #[arg(long, env = "VENTRAL_LOG_FORMAT", value_enum, default_value = "human")]
    pub log_format: LogFormat,
    /// Send OpenTelemetry traces to this collector (OTLP over gRPC), such as http://collector:4317.
    #[arg(long, env = "VENTRAL_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

/// The job queue.
#[derive(Debug, Clone, Args)]
pub struct QueueArgs {
    /// Redis: redis[s]://[user:password@]host:port[/db]. `serve all` without it keeps its queue in memory.
    #[arg(long, env = "VENTRAL_REDIS", hide_env_values = true, value_name = "URL")]
    pub redis: Option<String>,
    /// Name of the queue: clusters of other names can share a Redis.
    #[arg(long, env = "VENTRAL_QUEUE", default_value = "ventral", value_name = "NAME")]
    pub queue: String,
    /// Certificates (PEM) of the authorities that vouch for Redis.
    #[arg(long, env = "VENTRAL_REDIS_CA", value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
    /// Certificate (PEM) to show to Redis.
    #[arg(long, env = "VENTRAL_REDIS_CERT", requires = "redis_key", value_name = "FILE")]
    pub redis_cert: Option<PathBuf>,
    /// Key (PEM) of that certificate.
    #[arg(long, env = "VENTRAL_REDIS_KEY", requires = "redis_cert", value_name = "FILE")]
    pub redis_key: Option<PathBuf>,
    /// Length of a lease in milliseconds, the same for all roles; beats and reaps come six times as often.
    #[arg(long, hide = true, env = "VENTRAL_LEASE_MS", default_value_t = LEASE_MS)]
    pub lease_ms: u64,
    /// First pause before a failed unit is tried again, in milliseconds, the same for all roles.
    #[arg(long, hide = true, env = "VENTRAL_BACKOFF_MS", default_value_t = BACKOFF_MS)]
    pub backoff_ms: u64,
}

impl QueueArgs {
    /// Times of the queue.
    pub fn timing(&self) -> Timing {
        let max_backoff_ms = MAX_BACKOFF_MS.max(self.backoff_ms);
        Timing { lease_ms: self.lease_ms, backoff_ms: self.backoff_ms, max_backoff_ms }
    }

    /// Time between two beats, and between two reaps.
    pub fn beat(&self) -> Duration {
        Duration::from_millis((self.lease_ms / 6).max(1))
    }

    /// Files for TLS.
    pub fn tls(&self) -> TlsFiles {
        TlsFiles { ca: self.redis_ca.clone(), cert: self.redis_cert.clone(), key: self.redis_key.clone() }
    }
}

/// Taking and giving back.
#[derive(Debug, Clone, Args)]
pub struct ConsumerArgs {
    /// Name of this process, unique in the cluster; host name and random characters when absent.
    #[arg(long, env = "VENTRAL_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// On SIGTERM or a drain, units may go on for so long before they are given back.
    #[arg(long, env = "VENTRAL_DRAIN_SECONDS", default_value_t = 30, value_name = "N")]
    pub drain_seconds: u64,
    /// End, with an error, when the queue could not be reached for so long.
    #[arg(long, env = "VENTRAL_GIVE_UP_SECONDS", default_value_t = 600, value_name = "N")]
    pub give_up_seconds: u64,
}

/// Files kept on this machine.
#[derive(Debug, Clone, Args)]
pub struct CacheArgs {
    /// Directory of files kept on this machine; ventral in the user's cache directory when absent.
    #[arg(long, env = "VENTRAL_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Size that this directory is kept below, but for files in use.
    #[arg(long, env = "VENTRAL_CACHE_BYTES", default_value = "20GiB", value_name = "SIZE", value_parser = crate::units::parse_bytes)]
    pub cache_bytes: u64,
}

/// A worker.
#[derive(Debug, Clone, Args)]
pub struct WorkerArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub queue: QueueArgs,
    #[command(flatten)]
    pub consumer: ConsumerArgs,
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Units computed at a time; they share --threads and --memory evenly.
    #[arg(long, env = "VENTRAL_SLOTS", default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub slots: u16,
    /// How long a unit waits for a store that does not answer before it fails.
    #[arg(long, env = "VENTRAL_STORE_PATIENCE_SECONDS", default_value_t = 300, value_name = "N")]
    pub store_patience_seconds: u64,
    /// A unit that runs for longer than this and than --time-limit-factor times its predicted time is ended: a failed attempt.
    #[arg(long, env = "VENTRAL_TIME_LIMIT_SECONDS", default_value_t = LEAST_SECONDS, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_LIMIT_SECONDS))]
    pub time_limit_seconds: u64,
    /// How many times its predicted time a unit may take.
    #[arg(long, env = "VENTRAL_TIME_LIMIT_FACTOR", default_value_t = FACTOR, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub time_limit_factor: u32,
    /// Planning a job that runs for longer than this is ended.
    #[arg(long, env = "VENTRAL_PLAN_LIMIT_SECONDS", default_value_t = PLAN_SECONDS, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_LIMIT_SECONDS))]
    pub plan_limit_seconds: u64,
}

impl WorkerArgs {
    /// How long units may run.
    pub fn limits(&self) -> TimeLimits {
        TimeLimits {
            least: Duration::from_secs(self.time_limit_seconds),
            factor: self.time_limit_factor,
            plan: Duration::from_secs(self.plan_limit_seconds),
        }
    }
}

/// An aggregator.
#[derive(Debug, Clone, Args)]
pub struct AggregatorArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub queue: QueueArgs,
    #[command(flatten)]
    pub consumer: ConsumerArgs,
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Jobs assembled at a time.
    #[arg(long, env = "VENTRAL_SLOTS", default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub slots: u16,
    /// Assembling a job that runs for longer than this is given up.
    #[arg(long, env = "VENTRAL_ASSEMBLE_LIMIT_SECONDS", default_value_t = ASSEMBLE_SECONDS, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_LIMIT_SECONDS))]
    pub assemble_limit_seconds: u64,
}

/// The gRPC server and what tenants may use.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Address of the gRPC services.
    #[arg(long, env = "VENTRAL_LISTEN", default_value = "127.0.0.1:7070", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// File of identities (TOML): tokens as SHA-256, certificate names, roles, tenants; everybody is the operator `local` when absent.
    #[arg(long, env = "VENTRAL_TOKENS", value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// File of tenants (TOML): weight, max_in_flight, max_jobs, max_stored_bytes under [default] and [tenant.NAME].
    #[arg(long, env = "VENTRAL_TENANTS", value_name = "FILE")]
    pub tenants: Option<PathBuf>,
    /// Certificate (PEM) of the server.
    #[arg(long, env = "VENTRAL_TLS_CERT", requires = "tls_key", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Key (PEM) of that certificate.
    #[arg(long, env = "VENTRAL_TLS_KEY", requires = "tls_cert", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Certificates (PEM) of the authorities that vouch for clients.
    #[arg(long, env = "VENTRAL_CLIENT_CA", requires = "tls_cert", value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Turn away clients without a certificate, also those with a token.
    #[arg(long, env = "VENTRAL_REQUIRE_CLIENT_CERT", requires = "client_ca")]
    pub require_client_cert: bool,
    /// Listen beyond this machine even without TLS or identities.
    #[arg(long, env = "VENTRAL_INSECURE")]
    pub insecure: bool,
    /// Connections at a time; fewer where fewer files may be open (`ulimit -n`).
    #[arg(long, env = "VENTRAL_MAX_CONNECTIONS", default_value_t = MAX_CONNECTIONS as u32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
    /// Connections of one address at a time; everybody behind one NAT or load balancer is one address.
    #[arg(long, env = "VENTRAL_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = MAX_CONNECTIONS_PER_ADDRESS as u32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections_per_address: u32,
    /// Days that uploaded files stay which no job needs, and that an ended job needs its files.
    #[arg(long, env = "VENTRAL_BLOB_DAYS", default_value_t = BLOB_DAYS, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub blob_days: u32,
    /// Let anybody ask for the backlog as KEDA's external scaler does, which has no tokens.
    #[arg(long, env = "VENTRAL_OPEN_SCALER")]
    pub open_scaler: bool,
}

/// A coordinator.
#[derive(Debug, Clone, Args)]
pub struct CoordinatorArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub queue: QueueArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// All roles.
#[derive(Debug, Clone, Args)]
pub struct AllArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// A slot of a worker.
#[derive(Debug, Clone, Args)]
pub struct SlotArgs {
    /// Name of the worker, for logs.
    #[arg(long)]
    pub worker: String,
    /// Directory of files kept on this machine.
    #[arg(long)]
    pub cache_dir: PathBuf,
    /// Size that it is kept below.
    #[arg(long)]
    pub cache_bytes: u64,
    /// How long a store that does not answer is tried again, in seconds.
    #[arg(long)]
    pub store_patience_seconds: u64,
    /// How log lines look.
    #[arg(long, value_enum)]
    pub log_format: LogFormat,
}
