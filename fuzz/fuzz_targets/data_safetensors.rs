//! Safetensors files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = ventral_data::parse_safetensors(bytes);
});
