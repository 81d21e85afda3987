//! Typed client of the cluster.
//!
//! - [`Target`]: where the coordinator is and who calls
//! - [`Client`]: the calls; what a lost connection breaks is tried again with the same request id
//! - [`Watch`]: the states of a job, resumed by itself
//! - [`upload`]: files by digest, in parallel, going on where a cut transfer stopped
//! - [`Error`]: what was refused, by whom, and whether waiting helps

mod client;
mod error;
mod paging;
mod retry;
mod target;
pub mod upload;
mod watch;

pub use client::{Client, Control};
pub use error::Error;
pub use target::{Target, TargetError};
pub use watch::Watch;

/// A request id that nobody has used.
pub fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
