//! Whole-system tests: real processes, a real Redis.
