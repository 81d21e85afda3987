//! How much one caller may ask: rates and concurrent calls, per tenant and, for callers without identity, per address.

mod bucket;
mod gate;

pub use bucket::Bucket;
pub use gate::{Gate, Pass, Refusal};

use std::time::Duration;

/// The limits of a server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Calls per second of a tenant in the long run.
    pub calls_per_second: f64,
    /// Calls a tenant may make at once after a rest.
    pub burst: u32,
    /// Unary calls of a tenant at a time.
    pub calls: u32,
    /// Streams of a tenant at a time.
    pub streams: u32,
    /// Calls per second of an address without identity.
    pub anonymous_per_second: f64,
    /// Calls an address without identity may make at once.
    pub anonymous_burst: u32,
    /// Calls and streams of an address without identity at a time.
    pub anonymous_calls: u32,
    /// Connections at a time.
    pub connections: usize,
    /// HTTP/2 streams of a connection.
    pub streams_per_connection: u32,
    /// Longest unary call.
    pub call_time: Duration,
    /// Longest silence within an upload.
    pub upload_silence: Duration,
    /// Bytes of unfinished uploads of a tenant.
    pub partial_bytes: u64,
    /// Age at which an unfinished upload is removed.
    pub partial_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_second: 500.0,
            burst: 2_000,
            calls: 256,
            streams: 128,
            anonymous_per_second: 50.0,
            anonymous_burst: 200,
            anonymous_calls: 32,
            connections: 4_096,
            streams_per_connection: 512,
            call_time: Duration::from_secs(60),
            upload_silence: Duration::from_secs(60),
            partial_bytes: 256 << 30,
            partial_age: Duration::from_secs(24 * 3600),
        }
    }
}
