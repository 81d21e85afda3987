//! gRPC services, admission and fairness, leases, autoscaling signal; owns no truth.
//!
//! - [`core`]: jobs, admission and fairness

pub mod core;
