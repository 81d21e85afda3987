//! MATLAB level-5 files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = ventral_data::parse_mat(bytes) else { return };
    for (name, _) in &file.variables {
        let _ = file.lookup(name);
        let _ = file.texts(name);
        let _ = file.lookup(&format!("{name}[*]"));
    }
});
