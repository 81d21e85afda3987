//! Ports that nobody listens on.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// First port tried. The range ends below the ports that the kernel gives to outgoing connections (32768 and up), so that a server can be
/// restarted on its port.
const FIRST_PORT: u32 = 10_000;
/// Ports in the range.
const PORTS: u32 = 22_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port of 127.0.0.1 that nobody listens on; no other call in this process gets it before the whole range was given out.
///
/// # Errors
/// When every port of the range is taken.
pub fn free_port() -> io::Result<u16> {
    let offset = process::id().wrapping_mul(7_919);
    for _ in 0..PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST_PORT + offset.wrapping_add(step) % PORTS;
        let port = u16::try_from(port).map_err(io::Error::other)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("no free port from {FIRST_PORT} on, {PORTS} were tried"),
    ))
}
