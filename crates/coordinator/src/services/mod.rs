//! The gRPC services: they check, ask the [core](CoreApi), and translate.
//!
//! - [`CoreApi`]: what they stand on
//! - [`status`]: errors on the wire; [`check`]: untrusted fields; [`page`]: page tokens; [`requests`]: request ids
//! - [`evaluations`], [`scores`], [`catalog`], [`artifacts`], [`fleet`], [`scaler`]: the services themselves

pub mod artifacts;
mod bundle;
pub mod catalog;
pub mod check;
mod convert;
mod core_api;
mod documents;
pub mod evaluations;
mod export;
pub mod fleet;
pub mod hex;
pub mod page;
pub mod requests;
mod results;
pub mod scaler;
pub mod scores;
mod shared;
pub mod status;
mod stream;

pub use core_api::CoreApi;
pub use shared::{MANIFESTS, Shared};
