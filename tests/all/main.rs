//! Tests of ventral-tests.
