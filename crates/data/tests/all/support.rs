//! Where the files are.

use std::path::PathBuf;

/// A fixture made by `scripts/goldens/data.py`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The directory of real data; without it the caller returns, and says so.
pub fn real_data() -> Option<PathBuf> {
    let directory = std::env::var_os("VENTRAL_DATA").map(PathBuf::from);
    if directory.is_none() {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
    }
    directory
}

/// A golden file as JSON.
pub fn golden(name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

/// Numbers of a JSON array; null is NaN.
pub fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Equal, NaN to NaN included.
pub fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()))
}
