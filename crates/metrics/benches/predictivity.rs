//! Neural predictivity of one layer: 2,560 stimuli of 64 objects, 168 neuroids, PLS with 25 components on 10 splits.
//!
//! `cargo bench -p ventral-metrics --bench predictivity -- --features 1000 --precision f64 [--write DIR]`
//!
//! Prints one line of JSON per run. With `--write` the features are held in memory, and go with responses and splits to
//! DIR, where `scripts/bench/predictivity.py` finds them; without, they are made tile by tile and never held.
//! Times do not include making the features.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use faer_ext::IntoFaer;
use ndarray::{Array2, ArrayView2, s};
use ventral_metrics::{
    GramBuilder, Precision, Regression, Score, Split, TILE_FEATURES, TileConsumer, regression_scores,
    stratified_shuffle_split,
};

const STIMULI: usize = 2560;
const OBJECTS: usize = 64;
const NEUROIDS: usize = 168;
const LATENTS: usize = 256;
const COMPONENTS: usize = 25;

struct Arguments {
    features: usize,
    precision: Precision,
    write: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut found = Arguments { features: 1000, precision: Precision::F64, write: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--bench" => {}
            "--features" => found.features = value()?.parse()?,
            "--precision" => found.precision = value()?.parse()?,
            "--write" => found.write = Some(value()?.into()),
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(found)
}

/// Roughly normal, mean 0 and variance 1: four 16-bit uniform numbers of a 64-bit hash (splitmix64) added up.
fn normal(i: usize, j: usize, stream: u64) -> f64 {
    let mut h = (i as u64) << 40 ^ (j as u64) << 8 ^ stream;
    h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^= h >> 31;
    let sum: u64 = (0..4).map(|k| (h >> (16 * k)) & 0xffff).sum();
    (sum as f64 / 65_536.0 - 2.0) * 3.0_f64.sqrt()
}

/// What stimuli have in common: an object part and one of their own, with a spectrum that falls as 1/k.
fn latents() -> Array2<f64> {
    Array2::from_shape_fn((STIMULI, LATENTS), |(i, k)| {
        let object = normal(i % OBJECTS, k, 1);
        (0.7 * object + 0.7 * normal(i, k, 2)) / ((k + 1) as f64).sqrt()
    })
}

/// Rectified mixtures of the latents with a bias and noise, as a layer has them.
fn tile(latents: &Array2<f64>, features: std::ops::Range<usize>) -> Array2<f32> {
    let start = features.start;
    let weights = Array2::from_shape_fn((LATENTS, features.len()), |(k, j)| normal(k, start + j, 3));
    let mut drive = Array2::<f64>::zeros((STIMULI, features.len()));
    matmul(
        drive.view_mut().into_faer(),
        Accum::Replace,
        latents.view().into_faer(),
        weights.view().into_faer(),
        1.0,
        Par::rayon(0),
    );
    Array2::from_shape_fn(drive.raw_dim(), |(i, j)| {
        let feature = start + j;
        let value = drive[(i, j)] + normal(0, feature, 4) + 0.5 * normal(i, feature, 5);
        value.max(0.0) as f32
    })
}

fn responses(latents: &Array2<f64>) -> Array2<f64> {
    let weights = Array2::from_shape_fn((LATENTS, NEUROIDS), |(k, q)| normal(k, q, 6));
    latents.dot(&weights) + Array2::from_shape_fn((STIMULI, NEUROIDS), |(i, q)| 2.0 * normal(i, q, 7))
}

fn tiles(features: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..features).step_by(TILE_FEATURES).map(move |start| start..features.min(start + TILE_FEATURES))
}

struct Run {
    gram_seconds: f64,
    total_seconds: f64,
    score: Score,
}

/// Times the Gram matrix of the tiles that `each` hands over, and the scores from it.
fn run(
    precision: Precision,
    y: ArrayView2<'_, f64>,
    splits: &[Split],
    mut each: impl FnMut(
        &mut dyn FnMut(u64, ArrayView2<'_, f32>) -> Result<(), ventral_metrics::Error>,
    ) -> Result<(), ventral_metrics::Error>,
) -> Result<Run, ventral_metrics::Error> {
    let mut builder = GramBuilder::new(STIMULI, precision)?;
    let mut gram_seconds = 0.0;
    each(&mut |first, tile| {
        let start = Instant::now();
        builder.push(first, tile)?;
        gram_seconds += start.elapsed().as_secs_f64();
        Ok(())
    })?;
    let start = Instant::now();
    let gram = builder.finish()?;
    let regression = Regression::Pls { components: COMPONENTS };
    let score = regression_scores(&regression, &gram, y, splits)?.score();
    Ok(Run { gram_seconds, total_seconds: gram_seconds + start.elapsed().as_secs_f64(), score })
}

/// Billions of floating-point operations per second of the best of five products n x 2048 x n on all cores.
fn gemm_rate<T: faer::traits::ComplexField + From<f32>>() -> f64 {
    let z = Mat::<T>::from_fn(STIMULI, TILE_FEATURES, |i, j| T::from(normal(i, j, 8) as f32));
    let mut product = Mat::<T>::zeros(STIMULI, STIMULI);
    let operations = 2.0 * (STIMULI * STIMULI * TILE_FEATURES) as f64;
    let seconds = (0..5).map(|_| {
        let start = Instant::now();
        matmul(product.as_mut(), Accum::Replace, z.as_ref(), z.transpose(), T::from(1.0), Par::rayon(0));
        start.elapsed().as_secs_f64()
    });
    operations / seconds.fold(f64::INFINITY, f64::min) / 1e9
}

/// Largest resident memory of this process so far, in bytes; only Linux tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

fn write(directory: &Path, x: &Array2<f32>, y: &Array2<f64>, splits: &[Split]) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(directory)?;
    ndarray_npy::write_npy(directory.join("features.npy"), x)?;
    ndarray_npy::write_npy(directory.join("responses.npy"), y)?;
    std::fs::write(directory.join("splits.json"), serde_json::to_vec(splits)?)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { features, precision, write: directory } = arguments()?;
    let latents = latents();
    let y = responses(&latents);
    let labels: Vec<String> = (0..STIMULI).map(|i| format!("o{:02}", i % OBJECTS)).collect();
    let splits = stratified_shuffle_split(&labels, 10, 0.9, 1)?;
    let run = match &directory {
        None => run(precision, y.view(), &splits, |push| {
            tiles(features).try_for_each(|range| push(range.start as u64, tile(&latents, range).view()))
        })?,
        Some(directory) => {
            let mut x = Array2::<f32>::zeros((STIMULI, features));
            for range in tiles(features) {
                x.slice_mut(s![.., range.clone()]).assign(&tile(&latents, range));
            }
            write(directory, &x, &y, &splits)?;
            run(precision, y.view(), &splits, |push| {
                tiles(features).try_for_each(|range| push(range.start as u64, x.slice(s![.., range])))
            })?
        }
    };
    let peak = peak_memory();
    let gemm = match precision {
        Precision::F64 => gemm_rate::<f64>(),
        Precision::F32 => gemm_rate::<f32>(),
    };
    // A Gram matrix is symmetric: half the operations of a general product.
    let gram = (STIMULI * STIMULI * features) as f64 / run.gram_seconds / 1e9;
    println!(
        "{}",
        serde_json::json!({
            "features": features,
            "precision": precision,
            "threads": rayon::current_num_threads(),
            "gram_seconds": run.gram_seconds,
            "total_seconds": run.total_seconds,
            "gram_gflops": gram,
            "gemm_gflops": gemm,
            "peak_bytes": peak,
            "features_held": directory.is_some(),
            "score": run.score,
        })
    );
    Ok(())
}
