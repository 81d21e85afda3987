//! Tests of ventral-coordinator.

mod collect;
mod core;
mod evaluation;
mod maps;
mod synthesis;
mod wire;
