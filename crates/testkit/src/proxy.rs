//! A TCP proxy with faults.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes forwarded at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// What is wrong with the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Faults {
    refuse: bool,
    half_open: bool,
    delay_ms: u64,
    /// Connections made before the line was cut last carry a lower number.
    cuts: u64,
    /// Connections made before the line forgot its connections last carry a lower number.
    forgets: u64,
    /// Counts the repairs: a connection that lost bytes ends with the next.
    repairs: u64,
}

/// Forwards a port of 127.0.0.1 to a target, and misbehaves on demand. Ends when it is dropped. Needs a running tokio runtime.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    accepted: Arc<AtomicU64>,
    target: Arc<Mutex<SocketAddr>>,
    listener: JoinHandle<()>,
}

impl TcpProxy {
    /// Listens on a free port and forwards every connection to `target`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (faults, seen) = watch::channel(Faults::default());
        let accepted = Arc::new(AtomicU64::new(0));
        let target = Arc::new(Mutex::new(target));
        let accepting = accept(listener, Arc::clone(&target), seen, Arc::clone(&accepted));
        Ok(Self { address, faults, accepted, target, listener: tokio::spawn(accepting) })
    }

    /// As [`TcpProxy::start`], to a port of 127.0.0.1.
    ///
    /// # Errors
    /// As [`TcpProxy::start`].
    pub async fn to_port(port: u16) -> io::Result<Self> {
        Self::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections accepted so far, refused ones too.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Sends new connections elsewhere.
    pub fn retarget(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Resets all connections; new ones are accepted.
    pub fn cut(&self) {
        self.faults.send_modify(|faults| faults.cuts += 1);
    }

    /// Resets new connections at once.
    pub fn refuse(&self) {
        self.faults.send_modify(|faults| faults.refuse = true);
    }

    /// Holds every chunk of bytes back for `delay_ms`, in either direction.
    pub fn delay(&self, delay_ms: u64) {
        self.faults.send_modify(|faults| faults.delay_ms = delay_ms);
    }

    /// Swallows all bytes silently, in either direction; connections stay open.
    pub fn half_open(&self) {
        self.faults.send_modify(|faults| faults.half_open = true);
    }

    /// Swallows all bytes of the connections there are, silently, as a router that has lost its table; new connections work.
    pub fn forget(&self) {
        self.faults.send_modify(|faults| faults.forgets += 1);
    }

    /// Ends all faults. Connections that lost bytes are reset, as a router that forgot them would.
    pub fn heal(&self) {
        self.faults.send_modify(|faults| {
            let Faults { cuts, forgets, repairs, .. } = *faults;
            *faults = Faults { cuts, forgets, repairs: repairs + 1, ..Faults::default() };
        });
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

async fn accept(
    listener: TcpListener,
    target: Arc<Mutex<SocketAddr>>,
    faults: watch::Receiver<Faults>,
    accepted: Arc<AtomicU64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        accepted.fetch_add(1, Ordering::Relaxed);
        let target = *target.lock().unwrap_or_else(PoisonError::into_inner);
        let now = *faults.borrow();
        if now.refuse {
            // A failure to reset means that the other side is gone already.
            let _ = client.set_zero_linger();
            continue;
        }
        tokio::spawn(connection(client, target, faults.clone(), now));
    }
}

async fn connection(
    mut client: TcpStream,
    target: SocketAddr,
    faults: watch::Receiver<Faults>,
    begin: Faults,
) {
    let Ok(mut server) = TcpStream::connect(target).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = pump(from_client, to_server, faults.clone(), begin);
        let down = pump(from_server, to_client, faults.clone(), begin);
        let mut watched = faults;
        tokio::select! {
            ended = futures::future::try_join(up, down) => ended.is_ok(),
            _ = watched.wait_for(|faults| faults.cuts > begin.cuts) => false,
        }
    };
    if !ended {
        // Closed in this state, the sockets send a reset.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut faults: watch::Receiver<Faults>,
    begin: Faults,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut chunk).await?;
        let Faults { delay_ms, half_open, forgets, repairs, .. } = *faults.borrow();
        if half_open || forgets > begin.forgets {
            swallow(from, &mut faults, repairs).await;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if length == 0 {
            return to.shutdown().await;
        }
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        to.write_all(&chunk[..length]).await?;
    }
}

/// Reads and drops what comes, the end of the connection too, until the line is repaired.
async fn swallow(mut from: ReadHalf<'_>, faults: &mut watch::Receiver<Faults>, repairs: u64) {
    let mut sink = tokio::io::sink();
    let read = async {
        let _ = tokio::io::copy(&mut from, &mut sink).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = read => (),
        _ = faults.wait_for(|faults| faults.repairs > repairs) => (),
    }
}
