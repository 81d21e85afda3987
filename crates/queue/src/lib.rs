//! One queue contract, two implementations: in memory, and Redis Streams with Lua.
//!
//! - module [`contract`]: what a queue does
//! - module [`types`]: entries, leases, outcomes, events, limits
//! - module [`consumer`]: takes units, has them executed, beats, reports: the loop of workers and aggregators
//! - module [`fault`]: faults at named points, for drills
//! - module [`machine`]: the queue as a pure state machine; what every implementation must equal
//! - module [`memory`]: that machine behind a lock and a clock
//! - module [`redis`]: the same in Redis, one Lua script for each operation

mod check;
pub mod consumer;
pub mod contract;
pub mod fault;
pub mod machine;
pub mod memory;
pub mod redis;
pub mod types;

pub use contract::Queue;
pub use memory::{Clock, Memory};
pub use redis::{Redis, TlsFiles};
pub use types::*;
