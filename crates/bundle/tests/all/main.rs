//! Tests of ventral-bundle.
