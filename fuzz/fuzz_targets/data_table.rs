//! CSV tables.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = ventral_data::parse_table(&String::from_utf8_lossy(bytes));
});
