//! Tests of the crate, one module per subject.

mod export;
mod leaderboard;
mod maps;
mod published;
mod report;
mod selection;
mod sets;
mod site;
mod support;
mod synthesis;
mod tree;
mod undefined;
