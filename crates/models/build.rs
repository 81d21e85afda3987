//! Compiles the ONNX file format to Rust types; protox is pure Rust, so no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/onnx-ml.proto");
    let descriptors = protox::compile(["proto/onnx-ml.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    config.disable_comments(["."]);
    config.compile_fds(descriptors)?;
    Ok(())
}
