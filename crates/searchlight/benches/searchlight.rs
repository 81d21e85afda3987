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
    Comparison, Edge, FactoredLayers, Grid, LayerDesign, LayerRsms, Neighbourhoods, Options, Patterns,
    Permutations, Radius, Residual, RsmKind, Shape, image_permutations, map_range, map_range_factored,
    map_range_parallel, permute_range,
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
        let mut data = Self { grid, patterns, vectors: Array2::zeros((0, 0)), units };
        if with_pairs {
            data.fill_vectors();
        }
        Ok(data)
    }

    /// RSM vectors of the layers whose units are here.
    fn fill_vectors(&mut self) {
        let images = self.patterns.images();
        self.vectors = Array2::zeros((self.units.len(), images * (images - 1) / 2));
        for (mut row, units) in self.vectors.rows_mut().into_iter().zip(&self.units) {
            let rsm = correlations(units);
            let pairs = (0..images).flat_map(|i| (i + 1..images).map(move |j| (i, j)));
            row.iter_mut().zip(pairs).for_each(|(slot, pair)| *slot = rsm[pair]);
        }
    }

    fn neighbourhoods(&self, radius: f64, edge: Edge) -> Result<Neighbourhoods> {
        let shape = Shape::Ball { radius: Radius::Voxels(radius), edge };
        Ok(Neighbourhoods::in_volume(&self.grid, self.patterns.voxels(), &shape)?)
    }

    fn layers(&self, comparison: Comparison) -> Result<LayerRsms> {
        let names = (0..LAYERS).map(|layer| format!("layer{layer}")).collect();
        Ok(LayerRsms::new(names, self.patterns.images(), self.vectors.clone(), comparison)?)
    }

    fn write(&self, directory: &Path) -> Result<()> {
        let n = self.patterns.images();
        let values = Array2::from_shape_fn((self.patterns.voxels().len(), n), |(v, i)| {
            self.patterns.response(v, 0)[i]
        });
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

/// CPU seconds of this thread so far (Linux).
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).map_or(f64::NAN, |ns| ns / 1e9)
}

/// A line of /proc/self/status in MB (Linux).
fn memory_mb(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1e3
}

/// What a piece of work on one thread took.
struct Cost {
    cpu_s: f64,
    wall_s: f64,
    /// Peak memory beyond what was there before.
    extra_mb: f64,
}

/// The quickest of `repeats`.
fn measure<T>(repeats: usize, mut work: impl FnMut() -> Result<T>) -> Result<(Cost, T)> {
    let mut best: Option<(Cost, T)> = None;
    for _ in 0..repeats.max(1) {
        // Resets the peak.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let before = memory_mb("VmRSS");
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        let value = work()?;
        let (cpu_s, wall_s) = (cpu_seconds() - cpu, wall.elapsed().as_secs_f64());
        let extra_mb = memory_mb("VmHWM") - before;
        if best.as_ref().is_none_or(|(best, _)| cpu_s < best.cpu_s) {
            best = Some((Cost { cpu_s, wall_s, extra_mb }, value));
        }
    }
    best.ok_or_else(|| "nothing measured".into())
}

/// f32 products of 1,024 x 1,024 matrices on one thread, in Gflop/s.
fn gemm_rate() -> Result<f64> {
    let n = 1024;
    let a = Mat::<f32>::from_fn(n, n, |i, j| noise(i, j, 200) as f32);
    let mut c = Mat::<f32>::zeros(n, n);
    let (cost, ()) = measure(10, || {
        matmul(c.as_mut(), Accum::Replace, a.as_ref(), a.as_ref(), 1.0, Par::Seq);
        Ok(())
    })?;
    Ok(2.0 * (n as f64).powi(3) / cost.cpu_s / 1e9)
}

const OPTIONS: Options = Options { rsm: RsmKind::Pearson, minimum_voxels: 2 };

/// One map on one thread; the first `centres` centres.
fn map_line(
    (data, directory): (&Data, Option<&Path>),
    (radius, edge): (f64, Edge),
    comparison: Comparison,
    centres: usize,
    gemm: f64,
) -> Result<()> {
    let images = data.patterns.images();
    let neighbourhoods = data.neighbourhoods(radius, edge)?;
    let layers = data.layers(comparison)?;
    let range = 0..centres.min(neighbourhoods.centres());
    let (cost, map) =
        measure(3, || Ok(map_range(&data.patterns, &neighbourhoods, range.clone(), &layers, &OPTIONS)?))?;
    let voxels: f64 = map.voxels.iter().map(|&v| f64::from(v)).sum();
    let rate = voxels * (images * (images + 1)) as f64 / cost.cpu_s / 1e9;
    let (comparison, edge) = (format!("{comparison:?}").to_lowercase(), format!("{edge:?}").to_lowercase());
    println!(
        "{}",
        serde_json::json!({
            "map": comparison, "edge": edge, "images": images, "radius": radius, "centres": range.len(),
            "layers": LAYERS, "cpu_s": cost.cpu_s, "wall_s": cost.wall_s, "extra_mb": cost.extra_mb,
            "gflop_per_s": rate, "share_of_gemm": rate / gemm,
        })
    );
    if let Some(directory) = directory {
        ndarray_npy::write_npy(
            directory.join(format!("ours_{comparison}_{edge}_{images}.npy")),
            &map.values,
        )?;
    }
    Ok(())
}

fn threads_line(data: &Data, threads: usize) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let neighbourhoods = data.neighbourhoods(3.0, Edge::Inclusive)?;
    let layers = data.layers(Comparison::Pearson)?;
    let all = 0..neighbourhoods.centres();
    let run = || map_range_parallel(&data.patterns, &neighbourhoods, all.clone(), &layers, &OPTIONS, &|_| ());
    let mut wall_s = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        pool.install(run)?;
        wall_s = wall_s.min(start.elapsed().as_secs_f64());
    }
    println!(
        "{}",
        serde_json::json!({"threads": threads, "images": data.patterns.images(), "wall_s": wall_s})
    );
    Ok(())
}

/// Semi-partial nulls on one thread.
fn permutation_line(data: &Data, centres: usize, count: usize) -> Result<()> {
    let images = data.patterns.images();
    let neighbourhoods = data.neighbourhoods(3.0, Edge::Inclusive)?;
    let layers = data.layers(Comparison::Pearson)?;
    let range = 0..centres.min(neighbourhoods.centres());
    let method = LayerDesign::new(&layers)?.prepare(Residual::SemiPartial)?;
    let map = map_range(&data.patterns, &neighbourhoods, range.clone(), &layers, &OPTIONS)?;
    let observed = method.apply(map.values.view())?;
    let permutations = Permutations::new(&layers, &method, image_permutations(images, count, 1)?)?;
    let (cost, _) = measure(1, || {
        Ok(permute_range(
            &data.patterns,
            &neighbourhoods,
            range.clone(),
            &permutations,
            observed.view(),
            &OPTIONS,
        )?)
    })?;
    println!(
        "{}",
        serde_json::json!({
            "permutations": count, "images": images, "centres": range.len(), "layers": LAYERS,
            "cpu_s": cost.cpu_s, "wall_s": cost.wall_s, "extra_mb": cost.extra_mb,
        })
    );
    Ok(())
}

/// 3,000 images: 12 layers of 64 factors, and for comparison one layer's RSM pair by pair.
fn many_images(images: usize) -> Result<()> {
    let mut data = Data::new(images, false)?;
    let neighbourhoods = data.neighbourhoods(3.0, Edge::Inclusive)?;
    let middle = neighbourhoods.centres() / 2;
    let names: Vec<String> = (0..LAYERS).map(|layer| format!("layer{layer}")).collect();
    let views: Vec<_> = data.units.iter().map(|units| units.view()).collect();
    let factored = FactoredLayers::from_features(names.clone(), &views)?;
    let range = middle..middle + 256;
    let (cost, map) = measure(2, || {
        Ok(map_range_factored(&data.patterns, &neighbourhoods, range.clone(), &factored, &OPTIONS, &|_| ())?)
    })?;
    println!(
        "{}",
        serde_json::json!({"factored": images, "layers": LAYERS, "factors": UNITS, "ms_per_centre": cost.cpu_s * 1e3 / 256.0,
            "extra_mb": cost.extra_mb})
    );
    data.units.truncate(1);
    data.fill_vectors();
    let layers = LayerRsms::new(names[..1].to_vec(), images, data.vectors, Comparison::Pearson)?;
    let range = middle..middle + 8;
    let (cost, direct) =
        measure(2, || Ok(map_range(&data.patterns, &neighbourhoods, range.clone(), &layers, &OPTIONS)?))?;
    let pairs = direct.values.column(0).to_vec().into_iter().zip(map.values.column(0).to_vec());
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!(
        "{}",
        serde_json::json!({"direct": images, "layers": 1, "ms_per_centre": cost.cpu_s * 1e3 / 8.0, "extra_mb": cost.extra_mb,
            "largest_difference": difference})
    );
    Ok(())
}

fn main() -> Result<()> {
    let directory = std::env::args().skip(1).find(|argument| argument != "--bench");
    let directory = PathBuf::from(directory.ok_or("name a directory")?);
    std::fs::create_dir_all(&directory)?;
    // What uses the current pool is measured on the thread that calls it.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()?;
    let gemm = gemm_rate()?;
    println!("{}", serde_json::json!({"gemm_gflop_per_s": gemm}));
    for images in [16, 92] {
        let data = Data::new(images, true)?;
        data.write(&directory)?;
        let all = usize::MAX;
        for edge in [Edge::Inclusive, Edge::Strict] {
            for comparison in [Comparison::Pearson, Comparison::Spearman] {
                map_line((&data, Some(&directory)), (3.0, edge), comparison, all, gemm)?;
            }
        }
        for (radius, centres) in [(4.0, all), (5.0, all), (3.0, 10_000), (3.0, 20_000)] {
            map_line((&data, None), (radius, Edge::Inclusive), Comparison::Pearson, centres, gemm)?;
        }
        threads_line(&data, 1)?;
        threads_line(&data, std::thread::available_parallelism()?.get())?;
        if images == 16 {
            permutation_line(&data, all, 1000)?;
        } else {
            permutation_line(&data, 4096, 100)?;
        }
    }
    for images in [32, 64, 128, 256, 512] {
        let data = Data::new(images, true)?;
        map_line((&data, None), (3.0, Edge::Inclusive), Comparison::Pearson, 4096, gemm)?;
    }
    many_images(3000)
}
