//! Content-addressed, create-only objects, verified on every read.
//!
//! An object is named by the digest of everything that can change its bytes (`ventral_plan::Digest`),
//! so the result cache and the result store are one thing: resume and retry need no further code.
//!
//! - [`Store`]: the store itself, a directory
//! - [`jobs`]: what was asked for, and how it went
//! - [`codec`]: results as bytes: a JSON header and named f64 arrays in a safetensors container

pub mod codec;
mod error;
pub mod jobs;
mod objects;

pub use codec::{CodecError, LayerGramRecord, ScoreRecord};
pub use error::Error;
pub use jobs::{Failure, JobEntry, JobRecord, Usage};
pub use objects::{MAX_OBJECT_BYTES, Put, Store};
