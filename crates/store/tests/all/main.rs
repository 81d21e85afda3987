//! The store: create-only, verified, nothing half-written, nothing lost.

mod cache;
mod codec;
mod fake_s3;
mod full;
mod local;
mod maps;
mod remote;
mod suite;
mod synthesis;
