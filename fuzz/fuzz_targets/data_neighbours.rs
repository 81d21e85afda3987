//! Supplied neighbourhoods: tables and sparse matrices.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for name in ["fuzz.csv", "fuzz.tsv", "fuzz.npz"] {
        let _ = ventral_data::parse_neighbourhoods(bytes, std::path::Path::new(name), 1000);
    }
});
