//! Model files: decoding within limits, and rewriting for the engine.
#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = ventral_models::OnnxFile::from_bytes(Path::new("fuzz.onnx"), bytes) {
        let _ = file.executable();
    }
});
