//! The decoder of I2n: multinomial logistic regression on 2,160 stimuli, 25,088 features and 24 classes, read out on 240 more.
//!
//! `cargo bench -p ventral-metrics --bench behavior -- DIR`
//!
//! Writes features, labels and our probabilities to DIR, where `scripts/bench/behavior.py` finds them, and prints a line of JSON:
//! seconds from features in memory to probabilities, of which for the Gram matrix, the objective at the end and how it was reached.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use ndarray::{Array1, Array2, s};
use ventral_metrics::{
    LOGISTIC_C, Precision, StandardisedGram, TILE_FEATURES, TileConsumer, logistic_probabilities,
};

const FIT: usize = 2160;
const TEST: usize = 240;
const FEATURES: usize = 25_088;
const CLASSES: usize = 24;
const LATENTS: usize = 96;
/// Share of a latent's variance that is the same for all stimuli of a class: the decoder errs on some, as real ones do.
const OF_CLASS: f64 = 0.35;

/// Uniform in [-0.5, 0.5): a 64-bit hash (splitmix64).
fn noise(i: usize, j: usize, stream: u64) -> f64 {
    let mut h = (i as u64) << 40 ^ (j as u64) << 8 ^ stream;
    h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h ^ (h >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

/// Rectified mixtures of latents that depend on the class, with noise: what a deep layer looks like, in small numbers.
fn features(labels: &[usize]) -> Array2<f32> {
    let latents = Array2::from_shape_fn((labels.len(), LATENTS), |(i, k)| {
        let of_class = noise(labels[i], k, 1) * OF_CLASS.sqrt();
        (of_class + noise(i, k, 2) * (1.0 - OF_CLASS).sqrt()) / (1.0 + k as f64 / 8.0).sqrt()
    });
    let mut x = Array2::zeros((labels.len(), FEATURES));
    for start in (0..FEATURES).step_by(TILE_FEATURES) {
        let end = FEATURES.min(start + TILE_FEATURES);
        let mixing = Array2::from_shape_fn((LATENTS, end - start), |(k, j)| noise(k, start + j, 3));
        let mut tile = latents.dot(&mixing);
        tile.indexed_iter_mut().for_each(|((i, j), v)| *v = (*v + 0.3 * noise(i, start + j, 4)).max(0.0));
        x.slice_mut(s![.., start..end]).assign(&tile.mapv(|v| v as f32));
    }
    x
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().skip(1).find(|argument| argument != "--bench");
    let directory = PathBuf::from(directory.ok_or("name a directory")?);
    let labels: Vec<usize> = (0..FIT + TEST).map(|row| row % CLASSES).collect();
    let x = features(&labels);
    std::fs::create_dir_all(&directory)?;
    ndarray_npy::write_npy(directory.join("features.npy"), &x)?;
    let as_integers = Array1::from_iter(labels.iter().map(|&label| label as i64));
    ndarray_npy::write_npy(directory.join("labels.npy"), &as_integers)?;
    let (fit, test): (Vec<usize>, Vec<usize>) = ((0..FIT).collect(), (FIT..FIT + TEST).collect());

    for (name, precision) in [("f32", Precision::F32), ("f64", Precision::F64)] {
        let start = Instant::now();
        let mut gram = StandardisedGram::new(labels.len(), &fit, precision)?;
        for first in (0..FEATURES).step_by(TILE_FEATURES) {
            gram.push(first as u64, x.slice(s![.., first..FEATURES.min(first + TILE_FEATURES)]))?;
        }
        let gram = gram.finish()?;
        let gram_seconds = start.elapsed().as_secs_f64();
        let found = logistic_probabilities(&gram, &fit, &labels[..FIT], &test, CLASSES, LOGISTIC_C)?;
        let seconds = start.elapsed().as_secs_f64();
        ndarray_npy::write_npy(directory.join(format!("probabilities_{name}.npy")), &found.probabilities)?;
        println!(
            "{}",
            serde_json::json!({
                "precision": name, "fit": FIT, "classes": CLASSES, "c": LOGISTIC_C,
                "seconds": seconds, "gram_seconds": gram_seconds, "objective": found.objective,
                "gradient_norm": found.gradient_norm, "steps": found.steps, "products": found.products,
                "threads": rayon::current_num_threads(),
            })
        );
    }
    Ok(())
}
