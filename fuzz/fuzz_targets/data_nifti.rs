//! NIfTI volumes, compressed or not.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = std::path::Path::new("fuzz");
    let Ok(mut reader) = ventral_data::NiftiReader::from_bytes(bytes.to_vec(), path) else { return };
    let mut values = Vec::new();
    while reader.next(None, &mut values).is_ok() {
        values.clear();
    }
    let _ = reader.finish();
});
