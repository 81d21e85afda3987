//! One queue contract, two implementations: in memory, and Redis Streams with Lua.
//!
//! - [`contract`]: what a queue does
//! - [`consumer`]: takes units, has them executed, beats, finishes: the loop of workers and aggregators
//! - [`fault`]: faults on request, for tests
//! - [`types`]: entries, leases, outcomes, events

pub mod contract;
pub mod fault;
pub mod types;

pub use contract::Queue;
pub use types::*;
