//! A cluster on this machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use ventral_testkit::{RedisOptions, RedisServer, RedisUsers, free_port, wait_until};

use crate::binary::{repository, ventral};
use crate::process::Process;

/// Longest wait for a role to be ready, or for anything else that takes moments on an idle machine.
pub const SOON: Duration = Duration::from_secs(60);
/// Longest wait for a job of a test.
pub const JOB: Duration = Duration::from_secs(240);
/// Lines of each log that a failed test prints.
const LOG_LINES: usize = 12;

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker processes.
    pub workers: usize,
    /// Slots of each.
    pub slots: usize,
    /// Length of a lease; beats and reaps follow from it.
    pub lease_ms: u64,
    /// Whether Redis keeps an append-only file, behind the users that are shipped for Kubernetes.
    pub append_only: bool,
    /// Redis as the workers see it: another port than its own, such as a proxy's. Port by worker; Redis' own beyond the end.
    pub worker_redis_ports: Vec<u16>,
    /// The store; a folder of the cluster's own when `None`.
    pub store: Option<PathBuf>,
    /// Folder of the workers' caches; in the cluster's own when `None`.
    pub cache: Option<PathBuf>,
    /// More arguments of the coordinator.
    pub coordinator: Vec<String>,
    /// More arguments of the aggregator.
    pub aggregator: Vec<String>,
    /// More arguments of the workers.
    pub worker: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 3,
            slots: 1,
            lease_ms: 2_000,
            append_only: false,
            worker_redis_ports: Vec::new(),
            store: None,
            cache: None,
            coordinator: Vec::new(),
            aggregator: Vec::new(),
            worker: Vec::new(),
        }
    }
}

/// Redis, a coordinator, an aggregator and workers; all of them end with it. When the test fails, its folder is kept and the ends of the
/// logs are printed.
#[derive(Debug)]
pub struct Cluster {
    /// Its Redis.
    pub redis: RedisServer,
    /// Its coordinator.
    pub coordinator: Process,
    /// Its aggregator.
    pub aggregator: Process,
    /// Its workers.
    pub workers: Vec<Process>,
    store: PathBuf,
    port: u16,
    metrics_ports: Vec<(String, u16)>,
    dir: Option<TempDir>,
}

impl Cluster {
    /// Starts all of it and waits until it is ready; `None`, and a line that says so, where redis-server is missing.
    ///
    /// # Panics
    /// When a part does not start.
    pub fn start(options: &Options) -> Option<Self> {
        let users =
            options.append_only.then(|| RedisUsers::shipped().expect("deploy/secrets.sh makes users"));
        let redis = RedisOptions { append_only: options.append_only, users, ..RedisOptions::default() };
        let redis = RedisServer::start_or_skip(redis).expect("redis-server starts")?;
        let mut cluster = Self::prepare(redis, options).expect("a folder and ports");
        cluster.start_all();
        Some(cluster)
    }

    /// As [`Cluster::start`], around a Redis that runs; nothing is started yet.
    ///
    /// # Errors
    /// When there is no folder or no port to be had.
    pub fn prepare(redis: RedisServer, options: &Options) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("ventral").tempdir()?;
        let store = options.store.clone().unwrap_or_else(|| dir.path().join("store"));
        fs::create_dir_all(&store)?;
        let port = free_port()?;
        let mut metrics_ports = Vec::new();
        let mut role = |role: &str, name: &str, redis_port: u16, more: Vec<String>| -> io::Result<Process> {
            let metrics = free_port()?;
            metrics_ports.push((name.to_owned(), metrics));
            let mut arguments = vec!["serve".to_owned(), role.to_owned()];
            arguments.push(format!("--metrics-listen=127.0.0.1:{metrics}"));
            arguments.push(format!("--redis={}", redis.url_at(redis_port)));
            arguments.push(format!("--store={}", store.display()));
            arguments.extend(more);
            let log = dir.path().join(format!("{name}.log"));
            let mut process = Process::new(name, ventral(), arguments, log);
            process.set("VENTRAL_LEASE_MS", &options.lease_ms.to_string());
            Ok(process)
        };
        let here = redis.port();
        let mut listen = vec![format!("--listen=127.0.0.1:{port}"), "--insecure".to_owned()];
        listen.extend(options.coordinator.iter().cloned());
        let coordinator = role("coordinator", "coordinator", here, listen)?;
        let cache = options.cache.clone().unwrap_or_else(|| dir.path().join("cache"));
        let mut more = cache_of(&cache, "aggregator");
        more.extend(options.aggregator.iter().cloned());
        let aggregator = role("aggregator", "aggregator", here, more)?;
        let mut workers = Vec::new();
        for index in 0..options.workers {
            let name = format!("worker-{index}");
            let redis_port = options.worker_redis_ports.get(index).copied().unwrap_or(here);
            let mut more = cache_of(&cache, &name);
            more.extend([format!("--slots={}", options.slots), format!("--name={name}")]);
            more.extend(["--memory=2GiB".to_owned(), "--drain-seconds=20".to_owned()]);
            more.extend(options.worker.iter().cloned());
            workers.push(role("worker", &name, redis_port, more)?);
        }
        Ok(Self { redis, coordinator, aggregator, workers, store, port, metrics_ports, dir: Some(dir) })
    }

    /// Starts all processes and waits until they are ready.
    ///
    /// # Panics
    /// When one does not start.
    pub fn start_all(&mut self) {
        for process in self.processes() {
            process.start().expect("the program can be run");
        }
        self.wait_ready();
    }

    /// Waits until every process that was started says that it is ready.
    ///
    /// # Panics
    /// When one does not.
    #[track_caller]
    pub fn wait_ready(&mut self) {
        let started: Vec<String> = self
            .processes()
            .filter(|process| process.id().is_some())
            .map(|process| process.name().to_owned())
            .collect();
        for (name, port) in self.metrics_ports.iter().filter(|(name, _)| started.contains(name)) {
            wait_until(&format!("{name} is ready"), SOON, || answers_ok(*port, "/readyz"));
        }
    }

    /// All processes of it.
    pub fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        [&mut self.coordinator, &mut self.aggregator].into_iter().chain(&mut self.workers)
    }

    /// Its store.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new(""), TempDir::path)
    }

    /// URL of its coordinator.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether a role says that it is ready.
    pub fn is_ready(&self, name: &str) -> bool {
        self.metrics_ports.iter().any(|(other, port)| other == name && answers_ok(*port, "/readyz"))
    }

    /// Metrics of a role, as Prometheus reads them.
    pub fn metrics(&self, name: &str) -> String {
        let port = self.metrics_ports.iter().find(|(other, _)| other == name).map(|(_, port)| *port);
        port.and_then(|port| get(port, "/metrics").ok()).unwrap_or_default()
    }

    /// A user's command against this cluster, from the repository, its output caught.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ventral());
        command.args(arguments).current_dir(repository()).stdin(Stdio::null());
        command
            .env("VENTRAL_COORDINATOR", self.url())
            .env_remove("VENTRAL_STORE")
            .env_remove("VENTRAL_TOKEN");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a user's command; its standard output.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the program can be run");
        succeeded(arguments, &output)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        for process in self.processes() {
            let log = process.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            eprintln!("== {}, the end of its log:\n{end}", process.name());
        }
        if let Some(dir) = self.dir.take() {
            eprintln!("== kept: {}", dir.keep().display());
        }
    }
}

/// Standard output of a command that has to succeed.
///
/// # Panics
/// When it failed.
#[track_caller]
pub fn succeeded(arguments: &[&str], output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "ventral {}: {}\n{out}\n{err}", arguments.join(" "), output.status);
    out.into_owned()
}

/// Whether a GET of `path` on a port of this machine is answered with 200.
pub fn answers_ok(port: u16, path: &str) -> bool {
    get(port, path).is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
}

fn get(port: u16, path: &str) -> io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

fn cache_of(cache: &Path, name: &str) -> Vec<String> {
    vec![format!("--cache-dir={}", cache.join(name).display())]
}
