//! Tests of ventral-testkit.

mod proxy;
mod redis;
mod wait;
