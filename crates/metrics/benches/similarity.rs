//! CKA, RDM, RidgeCV and internal consistency of one layer: 2,560 stimuli, 4,096 features, 168 neuroids, 20 repetitions.
//!
//! `cargo bench -p ventral-metrics --bench similarity -- DIR`
//!
//! Writes features, responses, repetitions and splits to DIR, where `scripts/bench/similarity.py` finds them, and prints one line of
//! JSON per metric: seconds from features in memory to the score, and the score.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use ndarray::{Array2, Array3, s};
use ventral_metrics::{
    CkaEstimator, GramBuilder, LayerGram, Precision, Regression, Repeats, TILE_FEATURES, TileConsumer, cka,
    internal_consistency, rdm, rdm_similarity, regression_scores, ridge_alphas, shuffle_split,
};

const STIMULI: usize = 2560;
const FEATURES: usize = 4096;
const NEUROIDS: usize = 168;
const REPETITIONS: usize = 20;
const LATENTS: usize = 64;

/// Uniform in [-0.5, 0.5) with the variance of a feature: a 64-bit hash (splitmix64).
fn noise(i: usize, j: usize, stream: u64) -> f64 {
    let mut h = (i as u64) << 40 ^ (j as u64) << 8 ^ stream;
    h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h ^ (h >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

fn gram(x: &Array2<f32>) -> Result<LayerGram, ventral_metrics::Error> {
    let mut builder = GramBuilder::new(STIMULI, Precision::F64)?;
    for start in (0..FEATURES).step_by(TILE_FEATURES) {
        builder.push(start as u64, x.slice(s![.., start..FEATURES.min(start + TILE_FEATURES)]))?;
    }
    builder.finish()
}

fn report(metric: &str, start: Instant, score: f64) {
    let seconds = start.elapsed().as_secs_f64();
    let threads = rayon::current_num_threads();
    println!(
        "{}",
        serde_json::json!({"metric": metric, "seconds": seconds, "score": score, "threads": threads})
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().skip(1).find(|argument| argument != "--bench");
    let directory = PathBuf::from(directory.ok_or("name a directory")?);
    let latents =
        Array2::from_shape_fn((STIMULI, LATENTS), |(i, k)| noise(i, k, 1) / (1.0 + k as f64).sqrt());
    let mix = |columns: usize, stream: u64| {
        latents.dot(&Array2::from_shape_fn((LATENTS, columns), |(k, j)| noise(k, j, stream)))
    };
    let x = (mix(FEATURES, 2) + Array2::from_shape_fn((STIMULI, FEATURES), |(i, j)| 0.1 * noise(i, j, 3)))
        .mapv(|v| (v + 0.1).max(0.0) as f32);
    let signal = mix(NEUROIDS, 4);
    let repeats = Array3::from_shape_fn((REPETITIONS, STIMULI, NEUROIDS), |(r, i, k)| {
        signal[[i, k]] + noise(r * STIMULI + i, k, 5)
    });
    let y = repeats.mean_axis(ndarray::Axis(0)).ok_or("no repetitions")?;
    let splits = shuffle_split(STIMULI, 10, 0.9, 1)?;
    std::fs::create_dir_all(&directory)?;
    ndarray_npy::write_npy(directory.join("features.npy"), &x)?;
    ndarray_npy::write_npy(directory.join("responses.npy"), &y)?;
    ndarray_npy::write_npy(directory.join("repeats.npy"), &repeats)?;
    std::fs::write(directory.join("splits.json"), serde_json::to_vec(&splits)?)?;

    let start = Instant::now();
    let target = LayerGram::from_features(y.view())?;
    report("cka", start, cka(&gram(&x)?, &target, CkaEstimator::Unbiased)?);
    let start = Instant::now();
    let target = rdm(&LayerGram::from_features(y.view())?)?;
    report("rdm", start, rdm_similarity(rdm(&gram(&x)?)?.view(), target.view())?);
    let start = Instant::now();
    let ridge_cv = Regression::RidgeCv { alphas: ridge_alphas() };
    report("ridge_cv", start, regression_scores(&ridge_cv, &gram(&x)?, y.view(), &splits)?.score().value);
    let start = Instant::now();
    let ceiling = internal_consistency(Repeats { values: repeats.view() }, 10, 1)?;
    report("internal_consistency", start, ceiling.value);
    Ok(())
}
