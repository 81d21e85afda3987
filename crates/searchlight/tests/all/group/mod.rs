//! Group statistics against published numbers, slow definitions and properties.

mod clusters;
mod distribution;
mod fdr;
mod properties;
mod sign_flips;
mod tfce;

use ndarray::Array2;
use ventral_searchlight::group::Adjacency;

/// Voxels in a row, each touching the one before and after.
pub fn chain(voxels: u32) -> Adjacency {
    let lists: Vec<Vec<u32>> =
        (0..voxels).map(|v| if v + 1 < voxels { vec![v + 1] } else { vec![] }).collect();
    Adjacency::from_lists(&lists).unwrap()
}

pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let same = f == e || (f - e).abs() <= tolerance * e.abs().max(1.0) || (f.is_nan() && e.is_nan());
        assert!(same, "value {i}: {f} is not {e}\n{found:?}\n{expected:?}");
    }
}

/// Reproducible numbers around 0, different for every place.
pub fn noise(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut random = rand_mt::Mt64::new(seed);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    Array2::from_shape_simple_fn((rows, columns), || (0..6).map(|_| uniform()).sum::<f64>() - 3.0)
}
