//! What several modules need: golden files, the hash the reference goldens are made of, the directory of real data.

use std::path::PathBuf;

use ndarray::Array2;

/// A golden file written by `scripts/goldens/metrics.py`.
pub fn golden(name: &str) -> serde_json::Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The integer hash of spec §9.2, uniform in [0, 1).
pub fn u(i: usize, j: usize, stream: usize) -> f64 {
    let word = |value: usize, factor: u32| (value as u32).wrapping_mul(factor);
    let mut h = word(i, 73_856_093) ^ word(j, 19_349_663) ^ word(stream, 83_492_791);
    for _ in 0..2 {
        h ^= h >> 16;
        h = h.wrapping_mul(0x045d_9f3b);
    }
    h ^= h >> 16;
    f64::from(h) / 4_294_967_296.0
}

/// Features of spec §9.2: 60 stimuli x 40.
pub fn golden_features() -> Array2<f64> {
    Array2::from_shape_fn((60, 40), |(i, j)| u(i, j, 1))
}

/// Responses of spec §9.2: 60 stimuli x 8 neuroids.
pub fn golden_responses() -> Array2<f64> {
    let weights = Array2::from_shape_fn((40, 8), |(j, k)| u(j, k, 2) - 0.5);
    golden_features().dot(&weights) + Array2::from_shape_fn((60, 8), |(i, k)| 0.3 * u(i, k, 3))
}

/// The directory of real data, or `None` after saying that the test is skipped.
pub fn real_data() -> Option<PathBuf> {
    let directory = std::env::var_os("VENTRAL_DATA").map(PathBuf::from);
    if directory.is_none() {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
    }
    directory
}

#[test]
fn the_hash_and_what_is_made_of_it_are_those_of_the_reference() {
    assert_eq!([u(0, 0, 1), u(1, 2, 3)], [0.858_670_120_825_991, 0.628_545_587_416_738_3]);
    assert_eq!(u(59, 39, 1), 0.852_825_061_418_116_1);
    let y = golden_responses();
    assert!(
        (y[[0, 1]] - 1.304_274_502_86).abs() < 1e-11 && (y[[59, 7]] - 0.848_554_988_686_728_3).abs() < 1e-14
    );
}
