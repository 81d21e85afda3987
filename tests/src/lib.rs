//! Whole-system tests: real processes, a real Redis.
//!
//! - [`binary`]: the `ventral` program under test
//! - [`process`]: a role as a process that can be killed, stopped and started again, its log kept
//! - [`cluster`]: Redis, coordinator, aggregator and workers on free ports of this machine
//! - [`compare`]: whether two stores hold the same results, byte by byte

pub mod binary;
pub mod cluster;
pub mod compare;
pub mod process;

pub use cluster::{Cluster, Options};
pub use process::Process;
