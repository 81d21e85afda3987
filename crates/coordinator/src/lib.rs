//! gRPC services, admission and fairness, leases, autoscaling signal; owns no truth.
//!
//! - [`core`]: jobs, admission and fairness
//! - [`services`]: the gRPC services over the core
//! - [`auth`], [`limits`]: who may call what, and how often
//! - [`server`]: listening, TLS, shutdown

pub mod auth;
pub mod core;
pub mod limits;
pub mod server;
pub mod services;
