//! Tests of ventral-queue.

mod budgets;
mod conformance;
mod faults;
mod limits;
mod random;
mod support;
mod tls;
