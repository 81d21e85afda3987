//! NetCDF assemblies.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(assembly) = ventral_data::parse_assembly(bytes.to_vec(), "fuzz") {
        let _ = assembly.average_repetitions();
        let _ = assembly.repeats(0);
    }
});
