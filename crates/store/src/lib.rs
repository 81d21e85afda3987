//! Content-addressed, create-only objects, verified on every read.
//!
//! An object is named by the digest of everything that can change its bytes (`ventral_plan::Digest`),
//! so the result cache and the result store are one thing: resume and retry need no further code.
//!
//! - [`Store`]: the store itself, a directory or a bucket of S3, Google Cloud Storage or Azure
//! - [`blobs`]: uploaded files, named by their own bytes
//! - [`documents`]: the small files of a job
//! - [`jobs`]: what was asked for, and how it went
//! - [`codec`]: results as bytes: a JSON header and named arrays in a safetensors container
//! - [`maps`]: pieces of brain maps as bytes
//! - [`synthesis`]: sets of synthesised images as bytes
//! - [`checkpoints`]: how far a long unit has come
//! - [`lock`]: who computes a job
//! - [`verify`]: everything in a store, looked through

mod backend;
pub mod blobs;
mod cache;
pub mod checkpoints;
pub mod codec;
pub mod documents;
mod error;
mod frame;
mod holdings;
pub mod jobs;
mod key;
mod local;
pub mod lock;
pub mod maps;
mod remote;
mod seal;
mod store;
pub mod synthesis;
pub mod verify;

pub use blobs::{MAX_BLOB_BYTES, MAX_BLOB_IN_MEMORY_BYTES};
pub use codec::{CodecError, LayerGramRecord, ScoreRecord};
pub use documents::MAX_DOCUMENT_BYTES;
pub use error::Error;
pub use holdings::Holding;
pub use jobs::{Failure, JobEntry, JobRecord, Usage};
pub use key::MAX_NAME_BYTES;
pub use lock::{JobLock, Locked, Owner};
pub use maps::{MapRecord, PermutationRecord};
pub use remote::{MAX_REMOTE_OBJECT_BYTES, Settings};
pub use store::{MAX_OBJECT_BYTES, Put, Store};
pub use synthesis::SynthesisRecord;
