//! Tests of ventral-proto.
