//! What a service tells about itself: logs, metrics, traces.

mod logs;
pub mod metrics;
mod traces;

use clap::ValueEnum;

pub use logs::init;
pub use traces::link;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON document per line.
    Json,
}
