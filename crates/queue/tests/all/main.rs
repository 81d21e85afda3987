//! Tests of ventral-queue.
