//! What keeps images sane: total variation and range (spec §1.5). Both are means, so their weights do not depend on the size.

use ndarray::{Array4, ArrayView4, Axis};
use rayon::prelude::*;

/// Differences much smaller than this count by their square: a quarter of a grey level. It makes the gradient continuous.
const SOFT: f64 = 1e-3;
/// Mean square about grey that costs nothing; values that are uniform in 0..1 have 1/12.
pub const FREE_RANGE: f64 = 0.08;

/// Adds `weight` times the gradient of the total variation to `gradient`; returns the total variation without its weight.
///
/// It is the mean over images, channels and pixels of √(d² + ε²) - ε of the differences to the pixel below and to the right,
/// ε = 1e-3.
pub fn total_variation(images: ArrayView4<'_, f64>, weight: f64, gradient: &mut Array4<f64>) -> f64 {
    let (_, _, height, width) = images.dim();
    let count = images.len() as f64;
    let scale = weight / count;
    let sums: Vec<f64> = images
        .axis_iter(Axis(0))
        .into_par_iter()
        .zip(gradient.axis_iter_mut(Axis(0)))
        .map(|(image, mut gradient)| {
            let mut sum = 0.0;
            for (plane, mut gradient) in image.outer_iter().zip(gradient.outer_iter_mut()) {
                for row in 0..height {
                    for column in 0..width {
                        for next in [[row + 1, column], [row, column + 1]] {
                            if next[0] == height || next[1] == width {
                                continue;
                            }
                            let difference = plane[next] - plane[[row, column]];
                            let root = (difference * difference + SOFT * SOFT).sqrt();
                            sum += root - SOFT;
                            let slope = scale * difference / root;
                            gradient[next] += slope;
                            gradient[[row, column]] -= slope;
                        }
                    }
                }
            }
            sum
        })
        .collect();
    sums.iter().sum::<f64>() / count
}

/// Adds `weight` times the gradient of the range to `gradient`; returns the range without its weight.
///
/// It is the mean over images of max(0, mean((x - 0.5)²) - 0.08).
pub fn range(images: ArrayView4<'_, f64>, weight: f64, gradient: &mut Array4<f64>) -> f64 {
    let n = images.len_of(Axis(0)) as f64;
    let excesses: Vec<f64> = images
        .axis_iter(Axis(0))
        .into_par_iter()
        .zip(gradient.axis_iter_mut(Axis(0)))
        .map(|(image, mut gradient)| {
            let count = image.len() as f64;
            let square: f64 = image.iter().map(|value| (value - 0.5) * (value - 0.5)).sum();
            let excess = square / count - FREE_RANGE;
            if excess <= 0.0 {
                return 0.0;
            }
            let scale = 2.0 * weight / (n * count);
            gradient.zip_mut_with(&image, |slope, value| *slope += scale * (value - 0.5));
            excess
        })
        .collect();
    excesses.iter().sum::<f64>() / n
}
