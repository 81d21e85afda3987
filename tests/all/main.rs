//! Whole-system tests: real processes, a real Redis.

mod api;
mod chaos;
mod cluster;
mod fairness;
mod faults;
mod maps;
mod reference;
mod scale;
mod simulated;
mod synthesis;
