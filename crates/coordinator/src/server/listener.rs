//! Accepting connections, each with its place among the others.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::server::Connected;

use super::connections::{Connections, Line, Place};

/// Pause after a failed accept: too many open files, as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// No file descriptors left, of this process and of the machine (POSIX `errno.h`, the same numbers on every Unix).
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;
/// Sockets beyond the most connections that may wait for their task to close them.
pub(super) const CLOSING: usize = 128;

/// A connection that counts until it is closed.
pub struct Counted {
    stream: TcpStream,
    place: Place,
}

/// What calls learn of their connection.
#[derive(Clone)]
pub struct Peer {
    /// The other end.
    pub address: Option<SocketAddr>,
    /// The connection.
    pub line: Line,
}

/// Accepts connections for as long as there is somebody to ask for them: whatever fails is tried again.
pub fn incoming(
    listener: TcpListener,
    connections: Arc<Connections>,
) -> impl Stream<Item = io::Result<Counted>> {
    futures::stream::unfold((listener, connections), |(listener, connections)| async move {
        let (stream, _) = accept(&listener, &connections).await;
        Some((Ok(stream), (listener, connections)))
    })
}

/// The next connection that there is room for; others are closed at once, so that nobody waits without knowing.
pub async fn accept(listener: &TcpListener, connections: &Arc<Connections>) -> (Counted, SocketAddr) {
    loop {
        if connections.sockets() >= connections.caps().most + CLOSING {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(place) = connections.enter(peer.ip()) else { continue };
                let _ = stream.set_nodelay(true);
                return (Counted { stream, place }, peer);
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection");
                if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) {
                    connections.make_room();
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Counted {
    /// An error once the connection must end.
    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        if self.place.is_closed(context) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Connected for Counted {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer { address: self.stream.peer_addr().ok(), line: self.place.line() }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}
