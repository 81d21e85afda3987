//! The worker as a service: a supervisor that takes units, and a child process per slot that computes them.
//!
//! A unit that aborts, or is killed for its memory, takes only its child with it, and is reported at once with evidence. To stop a unit is to end
//! its child.
//!
//! - `executor`: the supervisor's side: units are handed to children
//! - `child`: a child process as the supervisor sees it
//! - `protocol`: what the two say to each other
//! - `slot`: the child's side
//! - `compute`: one unit of any kind
//! - `limits`: how long a unit may run
//! - `probe`: whether a machine that failed units can be trusted again
//! - `jobs`: plans and benchmarks that a slot keeps
//! - `bundles`: the files of jobs on this machine

mod bundles;
mod child;
mod compute;
mod executor;
mod jobs;
mod limits;
mod probe;
mod protocol;
mod slot;

pub(crate) use child::describe;
pub use executor::{SlotCommand, SlotExecutor};
pub use limits::{FACTOR, LEAST_SECONDS, PLAN_SECONDS, TimeLimits};
pub use probe::Probe;
pub use protocol::{Reply, Request};
pub use slot::{SlotConfig, serve_slot};
