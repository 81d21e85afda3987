//! What keeps images sane: total variation and range (spec §1.5). Both are means, so their weights do not depend on the size.

use ndarray::{Array4, ArrayView4, Axis};
use rayon::prelude::*;

/// Differences much smaller than this count by their square: a quarter of a grey level. It makes the gradient continuous.
const SOFT: f64 = 1e-3;
/// Differences that are worked on side by side.
const BLOCK: usize = 256;
/// Mean square about grey that costs nothing; values that are uniform in 0..1 have 1/12.
pub const FREE_RANGE: f64 = 0.08;

/// Sum over pairs of `first` and `second` (as long as the shorter); their slopes go to `slopes`.
fn differences(first: &[f64], second: &[f64], slopes: &mut [f64]) -> f64 {
    let mut roots = [0.0; BLOCK];
    let blocks = first.chunks(BLOCK).zip(second.chunks(BLOCK)).zip(slopes.chunks_mut(BLOCK));
    blocks
        .map(|((first, second), slopes)| {
            let count = first.len().min(second.len());
            for ((root, slope), (a, b)) in roots.iter_mut().zip(slopes).zip(first.iter().zip(second)) {
                let difference = b - a;
                *root = (difference * difference + SOFT * SOFT).sqrt();
                *slope = difference / *root;
            }
            roots[..count].iter().map(|root| root - SOFT).sum::<f64>()
        })
        .sum()
}

/// One plane, row by row; adds `scale` times its gradient.
fn plane_variation(plane: &[f64], width: usize, scale: f64, gradient: &mut [f64]) -> f64 {
    let mut slopes = vec![0.0; plane.len()];
    let mut sum = 0.0;
    for (row, gradient) in plane.chunks(width).zip(gradient.chunks_mut(width)) {
        sum += differences(row, &row[1..], &mut slopes);
        for (place, slope) in slopes[..width - 1].iter().enumerate() {
            gradient[place + 1] += scale * slope;
            gradient[place] -= scale * slope;
        }
    }
    let above = plane.len() - width;
    sum += differences(plane, &plane[width..], &mut slopes);
    gradient[width..].iter_mut().zip(&slopes).for_each(|(target, slope)| *target += scale * slope);
    gradient[..above].iter_mut().zip(&slopes).for_each(|(target, slope)| *target -= scale * slope);
    sum
}

/// Adds `weight` times the gradient of the total variation to `gradient`; returns the total variation without its weight.
///
/// It is the mean over images, channels and pixels of √(d² + ε²) - ε of the differences to the pixel below and to the right,
/// ε = 1e-3. Images without a pixel have none.
pub fn total_variation(images: ArrayView4<'_, f64>, weight: f64, gradient: &mut Array4<f64>) -> f64 {
    let count = images.len() as f64;
    let width = images.len_of(Axis(3));
    if images.is_empty() {
        return 0.0;
    }
    let scale = weight / count;
    let images = images.as_standard_layout();
    if !gradient.is_standard_layout() {
        *gradient = gradient.as_standard_layout().into_owned();
    }
    let sums: Vec<f64> = images
        .axis_iter(Axis(0))
        .into_par_iter()
        .zip(gradient.axis_iter_mut(Axis(0)))
        .map(|(image, mut gradient)| {
            let planes = image.outer_iter().zip(gradient.outer_iter_mut());
            planes
                .map(|(plane, mut gradient)| match (plane.as_slice(), gradient.as_slice_mut()) {
                    (Some(plane), Some(gradient)) => plane_variation(plane, width, scale, gradient),
                    _ => 0.0,
                })
                .sum()
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
