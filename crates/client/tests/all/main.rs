//! Tests of ventral-client.
