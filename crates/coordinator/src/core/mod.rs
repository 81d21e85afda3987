//! Jobs, admission and fairness: what the services stand on.

mod types;

pub use types::*;
