//! Connections that say nothing to a real process: gRPC and metrics go on answering.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use ventral_plan::Digest;
use ventral_testkit::{free_port, wait_until};

use crate::support::{finish, ventral};

const SOON: Duration = Duration::from_secs(120);
/// Within this an honest caller is answered; a new process of it must start within that time, too.
const HONEST: Duration = Duration::from_secs(3);
/// More than the listener of metrics takes, and more than gRPC is told to.
const ATTACK: usize = 400;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn scrape(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.starts_with("HTTP/1.1 200").then_some(text)
}

#[test]
fn silent_connections_take_neither_grpc_nor_metrics_down() {
    let dir = tempfile::tempdir().expect("a directory");
    let local = || SocketAddr::from(([127, 0, 0, 1], free_port().expect("a port")));
    let (grpc, metrics) = (local(), local());
    let sha256 = Digest::of_bytes(b"ada");
    let tokens = dir.path().join("tokens.toml");
    let entry = format!("[[token]]\nname = 'ada'\ntenant = 'lab'\nrole = 'operator'\nsha256 = '{sha256}'\n");
    fs::write(&tokens, entry).expect("a file");
    let log = dir.path().join("log");
    let mut command = ventral(&dir.path().join("store"));
    command.args(["serve", "all", "--max-connections", "100", "--max-connections-per-address", "60"]);
    command.arg("--listen").arg(grpc.to_string()).arg("--metrics-listen").arg(metrics.to_string());
    command
        .arg("--tokens")
        .arg(&tokens)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("a file"));
    let _role = Ended(command.spawn().expect("the program starts"));
    let call = || {
        let mut command = ventral(&dir.path().join("unused"));
        command.env("VENTRAL_COORDINATOR", grpc.to_string()).env("VENTRAL_TOKEN", "ada").arg("jobs");
        finish(&mut command).2 == 0
    };
    wait_until("the coordinator answers", SOON, call);
    let begin = |address: SocketAddr, beginning: &[u8]| -> Vec<TcpStream> {
        let connect = |_| {
            let mut stream = TcpStream::connect(address).expect("a connection");
            let _ = stream.write_all(beginning);
            stream
        };
        (0..ATTACK).map(connect).collect()
    };
    let _silent = begin(grpc, b"");
    let mut slow = begin(metrics, b"GET /metrics HTTP/1.1\r\nx-slow: ");
    let asked = Instant::now();
    let text = scrape(metrics).expect("metrics are there");
    assert!(asked.elapsed() < HONEST, "a scrape took {:?}", asked.elapsed());
    let asked = Instant::now();
    assert!(call());
    assert!(asked.elapsed() < HONEST, "a call took {:?}", asked.elapsed());
    assert!(text.contains("ventral_connections_closed_total"), "{text}");
    // Slow headers end, too.
    let mut last = slow.pop().expect("a connection");
    last.set_read_timeout(Some(SOON)).expect("a limit");
    let asked = Instant::now();
    let _ = last.read(&mut [0; 64]);
    assert!(asked.elapsed() < Duration::from_secs(15), "slow headers lasted {:?}", asked.elapsed());
    let log = fs::read_to_string(&log).expect("a log");
    assert!(log.contains("connections were closed"), "{log}");
    assert!(log.contains("without TLS whoever is on the way") && !log.contains("can do anything"), "{log}");
}
