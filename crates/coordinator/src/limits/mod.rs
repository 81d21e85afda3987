//! How much one caller may ask: rates and concurrent calls, per tenant and, for callers without identity, per address.

mod bucket;
mod gate;

pub use bucket::Bucket;
pub use gate::{Gate, Pass, Refusal};

use std::time::Duration;

/// Days that blobs stay which no job needs, unless the operator says otherwise.
pub const BLOB_DAYS: u32 = 30;
/// Connections at a time, unless the operator says otherwise.
pub const MAX_CONNECTIONS: usize = 4_096;
/// Connections of one address at a time, unless the operator says otherwise. Everybody behind one NAT or load balancer is one address.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 1_024;

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
    /// Connections at a time; fewer where fewer files may be open.
    pub connections: usize,
    /// Connections of one address at a time (of one /64 in IPv6).
    pub connections_per_address: usize,
    /// Time until a connection's first call must have been let in: handshake, preface and headers are part of it.
    pub first_call: Duration,
    /// Time that a connection may be without a call in progress.
    pub idle: Duration,
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
    /// Uploaded blobs that a tenant may keep.
    pub stored_blobs: usize,
    /// How long blobs stay that nobody asks for and no job needs, and how long an ended job needs its blobs.
    pub blob_age: Duration,
    /// Time between collections of such blobs; the first is not before it has passed once.
    pub collect_every: Duration,
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
            connections: MAX_CONNECTIONS,
            connections_per_address: MAX_CONNECTIONS_PER_ADDRESS,
            first_call: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            streams_per_connection: 512,
            call_time: Duration::from_secs(60),
            upload_silence: Duration::from_secs(60),
            partial_bytes: 256 << 30,
            partial_age: Duration::from_secs(24 * 3600),
            stored_blobs: 250_000,
            blob_age: Duration::from_secs(u64::from(BLOB_DAYS) * 24 * 3600),
            collect_every: Duration::from_secs(6 * 3600),
        }
    }
}
