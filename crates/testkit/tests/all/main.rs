//! Tests of ventral-testkit.
