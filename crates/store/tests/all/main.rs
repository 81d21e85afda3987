//! The store: create-only, verified, nothing half-written, nothing lost.

mod cache;
mod codec;
mod fake_s3;
mod full;
mod local;
mod remote;
mod suite;
