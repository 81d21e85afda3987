//! The services on the wire: a real server on a free port over a core of plain lists.

mod access;
mod artifacts;
mod certificates;
mod fake;
mod hostile;
mod jobs;
mod reflection;
mod scaler;
mod scores;
mod silent;
mod support;
mod tenants;

pub use tenants::manifest;
