//! Tests of the crate, one module per subject.

mod export;
mod leaderboard;
mod published;
mod selection;
mod support;
mod tree;
