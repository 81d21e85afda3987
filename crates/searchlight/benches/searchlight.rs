//! Whole-brain maps: 64 x 64 x 36 voxels, an ellipsoid mask of 39,968, 12 layers, inclusive balls of radius 3.
//!
//! `cargo bench -p ventral-searchlight --bench searchlight -- DIR`
//!
//! Writes mask, patterns and layer RSMs to DIR, where `scripts/bench/searchlight.py` finds them, and our maps beside them;
//! prints one line of JSON per measurement, in CPU seconds of one thread unless it says otherwise.
//!
//! The data: a value is splitmix64 of (voxel or latent, image, stream), uniform in [-0.5, 0.5). Layer l has 64 units per
//! image, each .9 of a latent shared with the layer before it and .44 of a new one; a voxel at share y of the grid's
//! second axis sees 3 units of layer floor(12 y), plus noise, plus 10.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use ndarray::Array2;
use ventral_searchlight::{
    Comparison, Edge, Grid, LayerRsms, Neighbourhoods, Options, Patterns, Radius, RsmKind, Shape, map_range,
    map_range_parallel,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SHAPE: [usize; 3] = [64, 64, 36];
/// Half axes of the mask's ellipsoid in voxels.
const HALF_AXES: [f64; 3] = [27.0, 24.0, 14.717];
const LAYERS: usize = 12;
const UNITS: usize = 64;

fn noise(i: usize, j: usize, stream: u64) -> f64 {
    let mut h = (i as u64) << 40 ^ (j as u64) << 8 ^ stream;
    h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h ^ (h >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

fn grid() -> Result<Grid> {
    let affine = [[3.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
    Ok(Grid::new(SHAPE, affine)?)
}

/// The ellipsoid that has 39,968 voxels.
fn mask(grid: &Grid) -> Vec<u32> {
    let inside = |voxel: &usize| {
        let p = grid.position(*voxel);
        let centre = |axis: usize| (SHAPE[axis] as f64 - 1.0) / 2.0;
        let share = |axis: usize| ((p[axis] as f64 - centre(axis)) / HALF_AXES[axis]).powi(2);
        (0..3).map(share).sum::<f64>() <= 1.0
    };
    (0..grid.len()).filter(inside).map(|voxel| voxel as u32).collect()
}


struct Data {
    grid: Grid,
    patterns: Patterns,
    vectors: Array2<f64>,
    units: Vec<Array2<f64>>,
}

impl Data {
    fn new(images: usize, with_pairs: bool) -> Result<Self> {
        let grid = grid()?;
        let voxels = mask(&grid);
        let mut units = Vec::new();
        let mut latent = Array2::from_shape_fn((images, UNITS), |(i, k)| noise(k, i, 1));
        for layer in 0..LAYERS {
            let fresh = Array2::from_shape_fn((images, UNITS), |(i, k)| noise(k, i, 2 + layer as u64));
            latent = 0.9 * latent + 0.44 * fresh;
            units.push(latent.clone());
        }
        let values = Array2::from_shape_fn((voxels.len(), images), |(v, i)| {
            let [x, y, z] = grid.position(voxels[v] as usize);
            let seen = &units[y * LAYERS / SHAPE[1]];
            let unit = |k: usize| seen[[i, (x / 2 * 31 + y / 2 * 7 + z / 2 * 13 + k * 17) % UNITS]];
            (10.0 + (0..3).map(unit).sum::<f64>() + 2.0 * noise(v, i, 100)) as f32
        });
        let patterns = Patterns::new(voxels, values.view())?;
        let pairs = if with_pairs { images * (images - 1) / 2 } else { 0 };
        let mut vectors = Array2::zeros((LAYERS, pairs));
        if with_pairs {
            for (mut row, units) in vectors.rows_mut().into_iter().zip(&units) {
                let rsm = correlations(units);
                let pairs = (0..images).flat_map(|i| (i + 1..images).map(move |j| (i, j)));
                row.iter_mut().zip(pairs).for_each(|(slot, pair)| *slot = rsm[pair]);
            }
        }
        Ok(Self { grid, patterns, vectors, units })
    }

    fn neighbourhoods(&self, radius: f64) -> Result<Neighbourhoods> {
        let shape = Shape::Ball { radius: Radius::Voxels(radius), edge: Edge::Inclusive };
        Ok(Neighbourhoods::in_volume(&self.grid, self.patterns.voxels(), &shape)?)
    }

    fn layers(&self, comparison: Comparison) -> Result<LayerRsms> {
        let names = (0..LAYERS).map(|layer| format!("layer{layer}")).collect();
        Ok(LayerRsms::new(names, self.patterns.images(), self.vectors.clone(), comparison)?)
    }

    fn write(&self, directory: &Path) -> Result<()> {
        let n = self.patterns.images();
        let values = Array2::from_shape_fn((self.patterns.voxels().len(), n), |(v, i)| self.patterns.response(v, 0)[i]);
        ndarray_npy::write_npy(directory.join(format!("patterns{n}.npy")), &values)?;
        ndarray_npy::write_npy(directory.join(format!("layers{n}.npy")), &self.vectors)?;
        let voxels = ndarray::Array1::from(self.patterns.voxels().to_vec());
        Ok(ndarray_npy::write_npy(directory.join("voxels.npy"), &voxels)?)
    }
}

fn correlations(units: &Array2<f64>) -> Array2<f64> {
    let mut rows = units.clone();
    for mut row in rows.rows_mut() {
        let mean = row.sum() / row.len() as f64;
        row -= mean;
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    rows.dot(&rows.t())
}

/// CPU seconds of all threads of this process so far (Linux).
fn cpu_seconds() -> f64 {
    let nanoseconds = |entry: std::fs::DirEntry| -> Option<f64> {
        let text = std::fs::read_to_string(entry.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.filter_map(nanoseconds).sum::<f64>() / 1e9
}

/// Peak resident memory in MB (Linux).
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1e3
}

/// CPU and wall seconds of the quickest of `repeats`.
fn measure<T>(repeats: usize, mut work: impl FnMut() -> Result<T>) -> Result<(f64, f64, T)> {
    let mut best: Option<(f64, f64, T)> = None;
    for _ in 0..repeats.max(1) {
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        let value = work()?;
        let (cpu, wall) = (cpu_seconds() - cpu, wall.elapsed().as_secs_f64());
        if best.as_ref().is_none_or(|best| cpu < best.0) {
            best = Some((cpu, wall, value));
        }
    }
    best.ok_or_else(|| "nothing measured".into())
}

/// f32 products of 1,024 x 1,024 matrices on one thread, in Gflop/s.
fn gemm_peak() -> Result<f64> {
    let n = 1024;
    let a = Mat::<f32>::from_fn(n, n, |i, j| noise(i, j, 200) as f32);
    let mut c = Mat::<f32>::zeros(n, n);
    let (seconds, ..) = measure(10, || {
        matmul(c.as_mut(), Accum::Replace, a.as_ref(), a.as_ref(), 1.0, Par::Seq);
        Ok(())
    })?;
    Ok(2.0 * (n as f64).powi(3) / seconds / 1e9)
}

fn map_line(data: &Data, radius: f64, comparison: Comparison, peak: f64, out: Option<&Path>) -> Result<()> {
    let images = data.patterns.images();
    let neighbourhoods = data.neighbourhoods(radius)?;
    let layers = data.layers(comparison)?;
    let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 2 };
    let all = 0..neighbourhoods.centres();
    let (cpu, wall, map) =
        measure(3, || Ok(map_range(&data.patterns, &neighbourhoods, all.clone(), &layers, &options)?))?;
    let voxels: f64 = map.voxels.iter().map(|&v| f64::from(v)).sum();
    let flop = voxels * (images * (images + 1)) as f64;
    println!(
        "{}",
        serde_json::json!({"map": format!("{comparison:?}").to_lowercase(), "images": images, "radius": radius, "centres": all.len(),
            "layers": LAYERS, "voxels": neighbourhoods.largest(), "cpu_s": cpu, "wall_s": wall,
            "gflop_per_s": flop / cpu / 1e9, "share_of_gemm": flop / cpu / 1e9 / peak, "peak_mb": peak_mb()})
    );
    if let Some(directory) = out {
        let name = format!("ours_{}_{images}.npy", format!("{comparison:?}").to_lowercase());
        ndarray_npy::write_npy(directory.join(name), &map.values)?;
    }
    Ok(())
}

fn threads_line(data: &Data, threads: usize) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let neighbourhoods = data.neighbourhoods(3.0)?;
    let layers = data.layers(Comparison::Pearson)?;
    let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 2 };
    let all = 0..neighbourhoods.centres();
    let run = || map_range_parallel(&data.patterns, &neighbourhoods, all.clone(), &layers, &options, &|_| ());
    let (cpu, wall, _) = measure(3, || Ok(pool.install(run)?))?;
    let images = data.patterns.images();
    println!("{}", serde_json::json!({"threads": threads, "images": images, "cpu_s": cpu, "wall_s": wall}));
    Ok(())
}

fn main() -> Result<()> {
    let directory = std::env::args().skip(1).find(|argument| argument != "--bench");
    let directory = PathBuf::from(directory.ok_or("name a directory")?);
    std::fs::create_dir_all(&directory)?;
    let peak = gemm_peak()?;
    println!("{}", serde_json::json!({"gemm_gflop_per_s": peak}));
    for images in [16, 92] {
        let before = peak_mb();
        let data = Data::new(images, true)?;
        println!("{}", serde_json::json!({"data": images, "voxels": data.patterns.voxels().len(), "peak_mb_before": before, "peak_mb": peak_mb()}));
        data.write(&directory)?;
        map_line(&data, 3.0, Comparison::Pearson, peak, Some(&directory))?;
        map_line(&data, 3.0, Comparison::Spearman, peak, Some(&directory))?;
        map_line(&data, 5.0, Comparison::Pearson, peak, None)?;
        threads_line(&data, 1)?;
        threads_line(&data, 2)?;
        let _ = &data.units;
    }
    Ok(())
}
