//! Cards of every kind, manifests and specs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (text, path) = (String::from_utf8_lossy(bytes), std::path::Path::new("fuzz"));
    let _ = ventral_data::BenchmarkCard::parse(&text, path);
    let _ = ventral_data::ScanCard::parse(&text, path);
    let _ = ventral_data::DatasetManifest::parse(&text, path);
    let _ = ventral_models::ModelCard::parse(&text, path, Some(path));
    let _ = ventral_plan::JobSpec::from_toml(&text, "fuzz");
});
