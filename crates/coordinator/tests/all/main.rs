//! Tests of ventral-coordinator.

mod core;
