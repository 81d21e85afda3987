//! Connections that say nothing, or too little: they end, and keep no honest caller out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use ventral_coordinator::server::ServerConfig;
use ventral_coordinator::services::CoreApi as _;
use ventral_proto::v1;
use ventral_proto::v1::evaluations_client::EvaluationsClient;

use super::certificates::{Authority, client, server_with};
use super::fake::{Fake, drill};
use super::support::{Running, SOON, start_with};

/// Within this an honest caller is answered.
const HONEST: Duration = Duration::from_secs(1);
/// Connections that the tests' servers take, in all and of one address.
const CAPS: (usize, usize) = (60, 40);
/// Connections of an attack.
const ATTACK: usize = 300;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The beginning of a HEADERS frame of 100 bytes, without END_HEADERS.
const SOME_HEADERS: &[u8] = &[0, 0, 100, 1, 0, 0, 0, 0, 1, 0x83];

/// What a silent connection says before it falls silent.
const BEGINNINGS: [&[&[u8]]; 4] =
    [&[], &[PREFACE.split_at(10).0], &[PREFACE, SETTINGS], &[PREFACE, SETTINGS, SOME_HEADERS]];

fn caps(config: &mut ServerConfig) {
    (config.limits.connections, config.limits.connections_per_address) = CAPS;
}

/// A connection from `from` that has said `beginning`.
async fn silent(to: SocketAddr, from: Ipv4Addr, beginning: &[&[u8]]) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((from, 0))).expect("an address of this machine");
    let mut stream = socket.connect(to).await.expect("a connection");
    for part in beginning {
        // Those that were closed already to make room cannot write.
        let _ = stream.write_all(part).await;
    }
    stream
}

/// Connections from one address, or from as many as there are.
async fn attack(to: SocketAddr, beginning: &[&[u8]], many: bool) -> Vec<TcpStream> {
    let from = |index: usize| {
        if many { Ipv4Addr::new(127, 0, 1, (index % 250) as u8 + 1) } else { Ipv4Addr::LOCALHOST }
    };
    let connecting = (0..ATTACK).map(|index| silent(to, from(index), beginning));
    futures::stream::iter(connecting).buffer_unordered(16).collect().await
}

async fn honest(server: &Running) {
    let asked = Instant::now();
    let caller = server.client("reader-b");
    assert_eq!(
        tokio::time::timeout(SOON, caller.workers()).await.expect("in time").expect("an answer").len(),
        3
    );
    assert!(asked.elapsed() < HONEST, "an honest caller waited {:?}", asked.elapsed());
}

/// Waits until the server has closed the connection.
async fn closed(mut stream: TcpStream) -> Duration {
    let asked = Instant::now();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await.expect("it is closed");
    asked.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_keep_nobody_out() {
    let server = start_with(Fake::new(), caps).await;
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    let mut watcher = EvaluationsClient::new(server.wire("reader-a"));
    let watch = v1::WatchRequest { job: job.clone(), ..Default::default() };
    let mut watched = watcher.watch(watch).await.expect("a stream").into_inner();
    watched.message().await.expect("no fault").expect("the first view");
    for many in [false, true] {
        for beginning in BEGINNINGS {
            let attack = attack(server.address, beginning, many).await;
            honest(&server).await;
            drop(attack);
        }
    }
    server.core.change(&job, |view| view.priority = 7);
    let view = watched.message().await.expect("the stream outlived the attacks").expect("a view");
    assert_eq!(view.job.expect("a job").priority, 7);
    server.stop().await;
}

#[tokio::test]
async fn silence_ends_a_connection_wherever_it_begins() {
    let limits = |config: &mut ServerConfig| config.limits.first_call = Duration::from_millis(600);
    let server = start_with(Fake::new(), limits).await;
    for beginning in BEGINNINGS {
        let waited = closed(silent(server.address, Ipv4Addr::LOCALHOST, beginning).await).await;
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    }
    // A refused call is none.
    assert!(server.client("nobody").workers().await.is_err());
    honest(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn a_connection_without_calls_is_closed_and_opened_again_when_needed() {
    let limits = |config: &mut ServerConfig| config.limits.idle = Duration::from_millis(300);
    let server = start_with(Fake::new(), limits).await;
    let caller = server.client("reader-b");
    for _ in 0..3 {
        assert_eq!(caller.workers().await.expect("an answer").len(), 3);
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    server.stop().await;
}

/// A connection that falls silent after the TLS handshake.
fn after_handshake(to: SocketAddr, ca: &Authority) -> std::net::TcpStream {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&ca.pem).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols.push(b"h2".to_vec());
    let name = ServerName::try_from("localhost").expect("a name");
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).expect("a connection");
    let mut stream = std::net::TcpStream::connect(to).expect("a connection");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).expect("a handshake");
    }
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_after_a_tls_handshake_ends_too_and_keeps_nobody_out() {
    let folder = tempfile::tempdir().expect("a directory");
    let limits = |config: &mut ServerConfig| {
        caps(config);
        config.limits.first_call = Duration::from_secs(2);
    };
    let (server, ca) = server_with(folder.path(), None, false, limits).await;
    let to = server.address;
    let (attack, ca) = tokio::task::spawn_blocking(move || {
        ((0..2 * CAPS.0).map(|_| after_handshake(to, &ca)).collect::<Vec<_>>(), ca)
    })
    .await
    .expect("no panic");
    let asked = Instant::now();
    let caller = client(&server, Some(&ca), |target| {
        (target.token, target.patience) = (Some("reader-a".into()), SOON);
    });
    assert_eq!(caller.workers().await.expect("an answer").len(), 3);
    assert!(asked.elapsed() < HONEST, "an honest caller waited {:?}", asked.elapsed());
    let mut last = attack.into_iter().next_back().expect("a connection");
    let ended = tokio::task::spawn_blocking(move || {
        last.set_read_timeout(Some(SOON)).expect("a limit");
        std::io::copy(&mut last, &mut std::io::sink())
    });
    ended.await.expect("no panic").expect("the server hangs up before the time is over");
    server.stop().await;
}
