//! Compiles the wire contract without protoc.

use std::path::PathBuf;
use std::{env, error::Error, fs};

use prost::Message as _;

const FILES: [&str; 6] = [
    "ventral/v1/evaluations.proto",
    "ventral/v1/scores.proto",
    "ventral/v1/catalog.proto",
    "ventral/v1/artifacts.proto",
    "ventral/v1/fleet.proto",
    "externalscaler.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", folder.display());
    let descriptors = protox::compile(FILES, [&folder])?;
    let output = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(output.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".ventral.v1.UploadRequest")
        .bytes(".ventral.v1.DataChunk")
        .compile_fds(descriptors)?;
    Ok(())
}
