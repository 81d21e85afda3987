//! Tests of ventral-coordinator.

mod core;
mod evaluation;
mod maps;
mod synthesis;
mod wire;
