//! Predicted memory and time, from shapes alone.

use serde::{Deserialize, Serialize};
use ventral_metrics::{Precision, TILE_FEATURES};

use crate::{BenchmarkFacts, MachineFacts};

/// Bytes of the process before any unit: code, runtime, thread stacks.
pub const BASE_BYTES: u64 = 100 << 20;

/// Copies of the weights an executor holds: the file, the graph, prepacked kernels.
const WEIGHT_COPIES: u64 = 3;

/// Bytes per second of writing activations to disk and reading them again.
const SPILL_RATE: f64 = 4e8;

/// Share of the measured matrix product rate that the mixed work of a score reaches.
const SCORE_EFFICIENCY: f64 = 0.15;

/// Mean passes of the PLS power iteration per component (spec 1.3: 11 to 130).
const PLS_PASSES: f64 = 40.0;

/// Components of PLS.
const PLS_COMPONENTS: f64 = 25.0;

/// Operations per cube of the stimuli that an eigendecomposition costs, in units of the rate of a score.
const EIGEN_OPERATIONS: f64 = 1.0;

/// Operations per square of the stimuli of a similarity: centring, ranking, correlating.
const SIMILARITY_OPERATIONS: f64 = 60.0;

/// Square matrices of the stimuli that a score holds: the Gram, as stored and decoded, and one centred on a training set per thread with
/// its factors.
const GRAMS: u64 = 2;
const GRAMS_PER_THREAD: u64 = 3;

/// Splits of PLS that are in work at a time, each with a square matrix of the neuroids; two more per thread while it starts.
const PLS_LANES: u64 = 16;
const COVARIANCES_PER_THREAD: u64 = 2;

/// Operations per square of the stimuli of a decoder: about 100 products with 24 columns.
const BEHAVIOR_OPERATIONS: f64 = 4800.0;

/// Predicted memory and time of a unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Peak memory of the process while the unit runs, in bytes.
    pub memory_bytes: u64,
    /// Least memory the unit can run in, in bytes.
    pub least_bytes: u64,
    /// Time with all threads, in seconds.
    pub seconds: f64,
}

/// Shape of a features unit.
#[derive(Debug, Clone)]
pub(crate) struct FeaturesShape {
    pub stimuli: usize,
    /// Features of each layer.
    pub layers: Vec<u64>,
    pub seconds_per_stimulus: f64,
    pub weight_bytes: u64,
    /// Features of each Gram, of which a layer may have two.
    pub products: Vec<(u64, Precision)>,
    /// Memory of the scores that are computed meanwhile.
    pub scoring_bytes: u64,
}

/// Memory a features unit may give to activations: what is left beside the Grams of a layer, a tile and the weights.
pub fn stream_bytes(memory_bytes: u64, stimuli: usize, grams: usize, weight_bytes: u64) -> u64 {
    memory_bytes.saturating_sub(features_fixed(stimuli, grams, weight_bytes))
}

fn features_fixed(stimuli: usize, grams: usize, weight_bytes: u64) -> u64 {
    let n = stimuli as u64;
    // A Gram and what it is centred to when its rounding is looked at, or the half that it is made of; one tile in f32 and its shifted
    // copy in f64.
    let gram = n.saturating_mul(n).saturating_mul(16 + 4 * (grams.max(1) as u64 - 1));
    let tile = n.saturating_mul(TILE_FEATURES as u64 * 12);
    BASE_BYTES
        .saturating_add(gram)
        .saturating_add(tile)
        .saturating_add(weight_bytes.saturating_mul(WEIGHT_COPIES))
}

/// Predicts a features unit: activations are held as far as memory allows; the rest costs further passes or a way over the disk.
pub(crate) fn features(shape: &FeaturesShape, machine: &MachineFacts) -> Estimate {
    let n = shape.stimuli as u64;
    let units: u64 = shape.layers.iter().sum();
    let activations = n.saturating_mul(units).saturating_mul(4);
    let grams = if shape.products.len() > shape.layers.len() { 2 } else { 1 };
    let fixed = features_fixed(shape.stimuli, grams, shape.weight_bytes).saturating_add(shape.scoring_bytes);
    let room = machine.memory_bytes.saturating_sub(fixed).max(1);
    let passes = activations.div_ceil(room).max(1) as f64;
    let seconds = |&(features, precision): &(u64, Precision)| {
        let rate = match precision {
            Precision::F64 => machine.f64_rate,
            Precision::F32 => machine.f32_rate,
        };
        (n as f64) * (n as f64) * features as f64 / rate
    };
    let products: f64 = shape.products.iter().map(seconds).sum();
    let forward = n as f64 * shape.seconds_per_stimulus;
    // A tile of every stimulus, and the layer that it is cut from for one.
    let largest = shape.layers.iter().max().copied().unwrap_or(0);
    let tile = n.saturating_mul(TILE_FEATURES as u64 * 4).saturating_add(largest.saturating_mul(4));
    let further = ((passes - 1.0) * forward).min(activations.saturating_sub(room) as f64 / SPILL_RATE);
    Estimate {
        memory_bytes: fixed.saturating_add(activations.min(room)),
        least_bytes: fixed.saturating_add(tile),
        seconds: forward + further + products,
    }
}

/// Peak memory of a score unit that uses `threads` threads, in bytes; `rows` are those of the model ([`crate::ModelFacts::rows`]).
pub fn score_bytes(benchmark: &BenchmarkFacts, rows: usize, threads: usize) -> u64 {
    let n = rows as u64;
    let q = benchmark.targets as u64;
    let splits = benchmark.splits as u64;
    let copies = GRAMS + GRAMS_PER_THREAD * threads as u64;
    let grams = n.saturating_mul(n).saturating_mul(8).saturating_mul(copies);
    let targets = n.saturating_mul(q).saturating_mul(8).saturating_mul(2 + 2 * splits);
    // With more neuroids than stimuli the square matrices are those of the stimuli.
    let covariances = match benchmark.metric.as_str() {
        "pls" if q <= n => PLS_LANES.min(splits) + COVARIANCES_PER_THREAD * threads as u64,
        _ => 0,
    };
    let covariances = q.saturating_mul(q).saturating_mul(8).saturating_mul(covariances);
    [grams, targets, covariances].into_iter().fold(BASE_BYTES, u64::saturating_add)
}

/// Threads of at most `threads` with which a score unit fits into `memory_bytes`; at least one.
pub fn score_threads(benchmark: &BenchmarkFacts, rows: usize, memory_bytes: u64, threads: usize) -> usize {
    (2..=threads).rev().find(|&count| score_bytes(benchmark, rows, count) <= memory_bytes).unwrap_or(1)
}

/// Scores that fit into `bytes` beside what is there already, at most one per thread, each with all threads; 0 if none does.
pub fn scores_at_once(benchmark: &BenchmarkFacts, rows: usize, bytes: u64, threads: usize) -> usize {
    let each = score_bytes(benchmark, rows, threads).saturating_sub(BASE_BYTES).max(1);
    usize::try_from(bytes / each).unwrap_or(usize::MAX).min(threads)
}

/// Predicts a score unit.
pub(crate) fn score(benchmark: &BenchmarkFacts, rows: usize, machine: &MachineFacts) -> Estimate {
    let splits = benchmark.splits as f64;
    let (nf, qf) = (rows as f64, benchmark.targets as f64);
    // The power iteration is in the space of the fewer.
    let side = qf.min(2f64.sqrt() * nf);
    let per_component = 2.0 * nf * nf + 8.0 * nf * qf + PLS_PASSES * 2.0 * side * side;
    let per_split = match benchmark.metric.as_str() {
        "ridge_cv" | "linear" => EIGEN_OPERATIONS * nf.powi(3),
        "ridge" => nf.powi(3) / 3.0 + 4.0 * nf * nf * qf,
        "rdm" | "cka" => SIMILARITY_OPERATIONS * nf * nf,
        _ => 2.0 * nf * qf * qf.min(nf) + PLS_COMPONENTS * per_component,
    };
    let operations = match benchmark.variant.behavior {
        // At most a decoder: products of a Gram matrix with a few columns.
        Some(_) => BEHAVIOR_OPERATIONS * nf * nf,
        None => 2.0 * nf * nf * qf + splits * per_split,
    };
    let threads = score_threads(benchmark, rows, machine.memory_bytes, machine.threads);
    let slower = machine.threads.max(1) as f64 / threads as f64;
    Estimate {
        memory_bytes: score_bytes(benchmark, rows, threads),
        least_bytes: score_bytes(benchmark, rows, 1),
        seconds: slower * operations / (machine.f64_rate * SCORE_EFFICIENCY),
    }
}

/// Centres a thread computes RSMs of at once where these are kept as vectors.
const RSM_CHUNK: u64 = 256;
/// Centres whose RSMs are held while permuted layers are compared with them.
const PERMUTED_CHUNK: u64 = 2048;
/// Permutations a thread holds the layer vectors of.
const PERMUTED_BLOCK: u64 = 32;
/// Copies of a subject's responses while they are read and put in order.
const RESPONSE_COPIES: u64 = 4;
/// Share of the measured matrix product rate that small products of neighbourhoods reach, comparison included.
const MAP_EFFICIENCY: f64 = 0.25;
/// Operations of ranking per pair of images.
const RANK_OPERATIONS: f64 = 60.0;

/// Seconds of finding the voxels of a centre and putting their responses side by side.
const CENTRE_SECONDS: f64 = 3e-6;

/// Shape of a map unit.
#[derive(Debug, Clone)]
pub(crate) struct MapShape {
    pub centres: usize,
    /// Usable voxels of a subject.
    pub voxels: usize,
    /// Voxels of the grid.
    pub grid: usize,
    /// Most voxels of a neighbourhood.
    pub members: usize,
    pub images: usize,
    pub runs: usize,
    /// Subjects read at once.
    pub subjects: usize,
    pub layers: usize,
    /// Rows of the Grams that are read; 0 without.
    pub stimuli: usize,
    pub permutations: usize,
    pub crossnobis: bool,
    pub ranks: bool,
}

/// Bytes of a map unit with `threads` threads.
pub(crate) fn map_bytes(shape: &MapShape, threads: u64) -> u64 {
    let of = |count: usize| count as u64;
    let mul = |a: u64, b: u64| a.saturating_mul(b);
    let pairs = mul(of(shape.images), of(shape.images)) / 2 + 16;
    let responses = mul(mul(of(shape.voxels), of(shape.images.next_multiple_of(16))), of(shape.runs) * 4);
    let subjects = mul(mul(responses, RESPONSE_COPIES), of(shape.subjects));
    // Positions of the voxels, with room around the grid.
    let index = mul(of(shape.grid), 8);
    let gram = mul(mul(of(shape.stimuli), of(shape.stimuli)), 16);
    let layers = mul(mul(pairs, of(shape.layers)), 48);
    let local =
        mul(pairs, 24).saturating_add(mul(of(shape.members) * (1 + of(shape.runs)), of(shape.images) * 16));
    let kept = if shape.layers == 0 { mul(mul(pairs, RSM_CHUNK * 8), of(shape.subjects).max(2)) } else { 0 };
    let permuted = if shape.permutations == 0 {
        0
    } else {
        let block = mul(mul(pairs, PERMUTED_BLOCK * 4), of(shape.layers));
        let maxima = mul(of(shape.permutations), of(shape.layers) * 12);
        mul(pairs, PERMUTED_CHUNK * 4).saturating_add(mul(block, threads)).saturating_add(maxima)
    };
    let per_thread = mul(local.saturating_add(kept), threads);
    [subjects, index, gram, layers, per_thread, permuted].into_iter().fold(BASE_BYTES, u64::saturating_add)
}

/// Predicts a map unit.
pub(crate) fn map(shape: &MapShape, machine: &MachineFacts) -> Estimate {
    // Images are multiplied in blocks of 16.
    let pairs = (shape.images.next_multiple_of(16) as f64).powi(2) / 2.0;
    let runs = if shape.crossnobis { 1.0 + shape.runs as f64 } else { 1.0 };
    let rsm = 2.0 * pairs * shape.members as f64 * runs * shape.subjects as f64;
    let comparisons = if shape.layers == 0 { 2.0 * shape.subjects as f64 } else { shape.layers as f64 };
    let ranked = if shape.ranks { RANK_OPERATIONS * shape.subjects as f64 } else { 0.0 };
    let permuted = 2.0 * shape.layers as f64 * shape.permutations as f64;
    let operations = shape.centres as f64 * (rsm + pairs * (2.0 * comparisons + ranked + permuted));
    Estimate {
        memory_bytes: map_bytes(shape, machine.threads.max(1) as u64),
        least_bytes: map_bytes(shape, 1),
        seconds: operations / (machine.f32_rate * MAP_EFFICIENCY) + shape.centres as f64 * CENTRE_SECONDS,
    }
}

/// Copies of the weights beside those of the scorer: as the gradient reads them.
const GRADIENT_WEIGHT_COPIES: u64 = 3;
/// Copies of the activations of all images: as computed, standardised, their adjoints.
const ACTIVATION_COPIES: u64 = 3;
/// Copies of the images: parameters, their moments and gradient, transformed and not, in frequencies.
const IMAGE_COPIES: u64 = 12;
/// Batches that are evaluated after the last step: transformed, compressed, noisy, before, after.
const EVALUATED_BATCHES: f64 = 70.0;
/// Share of the seconds forward and back that a batch forward takes.
const FORWARD_SHARE: f64 = 0.5;
/// Steps between two measurements of the batch as it is, one batch forward each.
const MEASURED_STEPS: f64 = 25.0;
/// Operations per activation and pair of images, forward and back.
const PAIR_OPERATIONS: f64 = 4.0;
/// Seconds of one thread per activation of an image and step beside these: standardised, correlated, their adjoints.
const UNIT_SECONDS: f64 = 4e-9;
/// Seconds of one thread per colour value of an image and step: frequencies, colours, transform, regularisers, Adam.
const VALUE_SECONDS: f64 = 96e-9;

/// Shape of a synthesis unit.
#[derive(Debug, Clone)]
pub(crate) struct SynthesisShape {
    pub images: usize,
    /// Height and width of an image.
    pub size: [usize; 2],
    pub steps: u64,
    /// Features of each layer.
    pub features: Vec<u64>,
    /// Kept per image between forward and back.
    pub trace_bytes: u64,
    /// Taken by an image on its way, of which there is one per thread.
    pub working_bytes: u64,
    pub weight_bytes: u64,
    /// One image forward and back on one thread.
    pub seconds_per_image: f64,
}

/// Peak memory of a synthesis unit that uses `threads` threads, in bytes: all images are held between forward and back, for their
/// similarities couple them; they run in parallel, each on one thread.
fn synthesis_bytes(shape: &SynthesisShape, threads: usize) -> u64 {
    let units: u64 = shape.features.iter().fold(0, |sum, count| sum.saturating_add(*count));
    let pixels = (shape.size[0] as u64).saturating_mul(shape.size[1] as u64).saturating_mul(3);
    let weights = shape.weight_bytes.saturating_mul(WEIGHT_COPIES + GRADIENT_WEIGHT_COPIES);
    let per_image = shape
        .trace_bytes
        .saturating_add(units.saturating_mul(4 * ACTIVATION_COPIES))
        .saturating_add(pixels.saturating_mul(4 * IMAGE_COPIES));
    let working = shape.working_bytes.saturating_mul(at_once(shape, threads) as u64);
    let held = per_image.saturating_mul(shape.images as u64).saturating_add(working);
    BASE_BYTES.saturating_add(weights).saturating_add(held)
}

fn at_once(shape: &SynthesisShape, threads: usize) -> usize {
    threads.clamp(1, shape.images.max(1))
}

/// Threads of at most `threads` with which a synthesis unit fits into `memory_bytes`; at least one.
pub(crate) fn synthesis_threads(shape: &SynthesisShape, memory_bytes: u64, threads: usize) -> usize {
    // Beyond one per image they take no more memory.
    let fits = |&count: &usize| synthesis_bytes(shape, count) <= memory_bytes;
    if fits(&threads) { threads.max(1) } else { (2..=at_once(shape, threads)).rev().find(fits).unwrap_or(1) }
}

/// Predicts a synthesis unit.
pub(crate) fn synthesis(shape: &SynthesisShape, machine: &MachineFacts) -> Estimate {
    let units: u64 = shape.features.iter().fold(0, |sum, count| sum.saturating_add(*count));
    let threads = synthesis_threads(shape, machine.memory_bytes, machine.threads);
    let batch = shape.seconds_per_image * shape.images.div_ceil(at_once(shape, threads)) as f64;
    let slower = machine.threads.max(1) as f64 / threads as f64;
    let pairs = (shape.images as f64).powi(2);
    let similarities = slower * PAIR_OPERATIONS * pairs * units as f64 / machine.f32_rate;
    let values = 3.0 * shape.size[0] as f64 * shape.size[1] as f64;
    let outside =
        (UNIT_SECONDS * units as f64 + VALUE_SECONDS * values) * shape.images as f64 / threads as f64;
    let steps = shape.steps as f64;
    let forward = FORWARD_SHARE * batch * (steps / MEASURED_STEPS + EVALUATED_BATCHES);
    Estimate {
        memory_bytes: synthesis_bytes(shape, threads),
        least_bytes: synthesis_bytes(shape, 1),
        seconds: steps * (batch + similarities + outside) + forward,
    }
}
