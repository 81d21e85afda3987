//! Tests of ventral-coordinator.
