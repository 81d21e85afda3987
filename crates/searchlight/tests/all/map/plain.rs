//! The same quantities in the plainest f64, without sharing code with the crate.

use ndarray::Array2;
use ventral_searchlight::{Edge, Grid, Radius, Shape};

/// Uniform in [-0.5, 0.5): a 64-bit hash (splitmix64).
pub fn noise(i: usize, j: usize, stream: u64) -> f64 {
    let mut h = (i as u64) << 40 ^ (j as u64) << 8 ^ stream;
    h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h ^ (h >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

pub fn grid(shape: [usize; 3]) -> Grid {
    let affine = [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
    Grid::new(shape, affine).expect("grid")
}

pub fn ball(radius: f64, edge: Edge) -> Shape {
    Shape::Ball { radius: Radius::Voxels(radius), edge }
}

/// Voxels of an ellipsoid that fills the grid, some of them taken out.
pub fn mask(grid: &Grid) -> Vec<u32> {
    let inside = |voxel: usize| {
        let p = grid.position(voxel);
        let square: f64 = (0..3)
            .map(|axis| {
                let half = (grid.shape[axis] as f64 - 1.0) / 2.0;
                ((p[axis] as f64 - half) / (half + 0.6)).powi(2)
            })
            .sum();
        square <= 1.0 && noise(voxel, 0, 99) < 0.45
    };
    (0..grid.len()).filter(|&voxel| inside(voxel)).map(|voxel| voxel as u32).collect()
}

pub fn responses(voxels: usize, images: usize, offset: f64, stream: u64) -> Array2<f32> {
    let latent = |v: usize, i: usize| {
        (0..3).map(|k| noise(v / 5, k, stream + 1) * noise(i, k, stream + 2)).sum::<f64>()
    };
    Array2::from_shape_fn((voxels, images), |(v, i)| {
        (offset + 4.0 * latent(v, i) + noise(v, i, stream)) as f32
    })
}

pub fn layer_vectors(layers: usize, images: usize) -> Array2<f64> {
    Array2::from_shape_fn((layers, images * (images - 1) / 2), |(l, p)| noise(p, 0, 50) + noise(p, l, 51))
}

pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let dot = |f: &dyn Fn(usize) -> f64| (0..x.len()).map(f).sum::<f64>();
    let cross = dot(&|k| (x[k] - mx) * (y[k] - my));
    cross / (dot(&|k| (x[k] - mx).powi(2)) * dot(&|k| (y[k] - my).powi(2))).sqrt()
}

pub fn cosine(x: &[f64], y: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(x, y) / (dot(x, x) * dot(y, y)).sqrt()
}

pub fn ranks(x: &[f64]) -> Vec<f64> {
    let below = |v: f64| x.iter().filter(|&&u| u < v).count() as f64;
    let same = |v: f64| x.iter().filter(|&&u| u == v).count() as f64;
    x.iter().map(|&v| below(v) + (same(v) + 1.0) / 2.0).collect()
}

pub fn tau_a(x: &[f64], y: &[f64]) -> f64 {
    let sign = |d: f64| {
        if d > 0.0 {
            1.0
        } else if d < 0.0 {
            -1.0
        } else {
            0.0
        }
    };
    let n = x.len();
    let sum: f64 = (0..n)
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j)| sign(x[i] - x[j]) * sign(y[i] - y[j]))
        .sum();
    sum / (n * (n - 1) / 2) as f64
}

/// Upper triangle of `f(pattern i, pattern j)`.
pub fn triangle(patterns: &[Vec<f64>], f: impl Fn(&[f64], &[f64]) -> f64) -> Vec<f64> {
    let n = patterns.len();
    (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| f(&patterns[i], &patterns[j])).collect()
}

/// Patterns (image x voxel) of the members.
pub fn local(values: &Array2<f32>, members: &[u32]) -> Vec<Vec<f64>> {
    (0..values.ncols())
        .map(|i| members.iter().map(|&m| f64::from(values[[m as usize, i]])).collect())
        .collect()
}
