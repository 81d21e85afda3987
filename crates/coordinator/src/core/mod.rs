//! Jobs, admission and fairness: what the services stand on.
//!
//! - [`types`]: submissions, and jobs, units and pools as users see them
//! - [`handle`]: [`Core`], what the services ask
//! - [`views`]: why a unit waits
//! - [`state`], [`job`], [`units`], [`fair`]: all jobs in memory, pure
//! - [`window`]: how much of a pool is in the queue
//! - [`documents`]: the truth in the store
//! - [`drive`]: the loop that hears events, admits and reaps

mod documents;
mod drive;
mod fair;
mod handle;
mod job;
mod lost;
mod state;
mod types;
mod units;
mod views;
mod window;

pub use documents::{Bundle, ControlDocument, End, bundles};
pub use fair::{MAX_STORED_BYTES, MAX_WEIGHT, Policies, Policy, Turns};
pub use handle::{Core, MAX_DRILL_UNITS, MAX_NAME_BYTES, MAX_REQUEST_ID_BYTES, job_id};
pub use job::{Job, MAX_INPUT_RETURNS, Phase};
pub use state::State;
pub use types::*;
pub use units::UnitRef;
pub use views::{MAX_UNITS_PER_PAGE, MIN_PREFIX_CHARS};
pub use window::{MAX_WINDOW, MIN_UNIT_MS, MIN_WINDOW, WINDOW_MS, WINDOW_PER_SLOT};
