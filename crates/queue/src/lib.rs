//! One queue contract, two implementations: in memory, and Redis Streams with Lua.
//!
//! - [`contract`]: what a queue does
//! - [`types`]: entries, leases, outcomes, events

pub mod contract;
pub mod types;

pub use contract::Queue;
pub use types::*;
