//! Pillow's bilinear resampling of 8-bit images, bit for bit (`ImagingResample` in Pillow's `Resample.c`).
//!
//! A general library is within one grey level of it, which moves the score of a layer by up to 0.004: see
//! `docs/decisions/0003-pillow-resampling.md`.

use ndarray::{Array3, ArrayView3, Axis};

/// Fractional bits of Pillow's fixed-point weights for 8-bit pixels.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Input pixels that one output pixel reads: the first, and the weight of each.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// `pixels` (height x width x channel) resampled to `height` x `width`, antialiased when it shrinks: columns first, then rows.
pub(crate) fn bilinear(pixels: ArrayView3<'_, u8>, height: usize, width: usize) -> Array3<u8> {
    let (rows, columns, _) = pixels.dim();
    let narrowed = if columns == width { pixels.to_owned() } else { along(pixels, Axis(1), width) };
    if rows == height { narrowed } else { along(narrowed.view(), Axis(0), height) }
}

fn along(pixels: ArrayView3<'_, u8>, axis: Axis, size: usize) -> Array3<u8> {
    let mut shape = pixels.raw_dim();
    let taps = taps(shape[axis.0], size);
    shape[axis.0] = size;
    let mut resampled = Array3::zeros(shape);
    for (mut target, taps) in resampled.axis_iter_mut(axis).zip(&taps) {
        let mut sums = ndarray::Array2::<i32>::from_elem(target.raw_dim(), 1 << (PRECISION_BITS - 1));
        for (offset, &weight) in taps.weights.iter().enumerate() {
            let source = pixels.index_axis(axis, taps.first + offset);
            sums.zip_mut_with(&source, |sum, &pixel| *sum += i32::from(pixel) * weight);
        }
        target.zip_mut_with(&sums, |pixel, sum| *pixel = (sum >> PRECISION_BITS).clamp(0, 255) as u8);
    }
    resampled
}

/// The triangle filter centred on each output pixel, widened when shrinking.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    let narrowing = 1.0 / support;
    let tap = |index: usize| {
        let centre = (index as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let triangle = |pixel: usize| (1.0 - ((pixel as f64 - centre + 0.5) * narrowing).abs()).max(0.0);
        let weights: Vec<f64> = (first..end).map(triangle).collect();
        let total: f64 = weights.iter().sum();
        let fixed = |weight: &f64| (0.5 + weight / total * f64::from(1_u32 << PRECISION_BITS)) as i32;
        Taps { first, weights: weights.iter().map(fixed).collect() }
    };
    (0..to).map(tap).collect()
}
