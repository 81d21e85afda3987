//! Generated wire types and their conversions.
//!
//! - [`v1`]: messages, clients and servers of package `ventral.v1` (`proto/ventral/v1/`)
//! - [`externalscaler`]: the interface of KEDA's external scaler
//! - [`DESCRIPTORS`]: the contract itself, for reflection and for checks
//! - [`limits`]: the limits that the contract names
//! - [`text`]: names of enum values, for people and JSON

pub mod limits;
pub mod text;

/// The encoded `FileDescriptorSet` of the contract.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Package `ventral.v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::too_many_lines,
    reason = "generated; documented in proto/ventral/v1"
)]
pub mod v1 {
    tonic::include_proto!("ventral.v1");
}

/// KEDA's external scaler.
#[allow(
    missing_docs,
    clippy::all,
    clippy::too_many_lines,
    reason = "generated; documented in proto/externalscaler.proto"
)]
pub mod externalscaler {
    tonic::include_proto!("externalscaler");
}

/// Domain of the reasons in error details.
pub const ERROR_DOMAIN: &str = "ventral";
