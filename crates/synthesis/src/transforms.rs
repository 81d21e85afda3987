//! The random transform of a step: one bilinear resampling, shared by all images.
//!
//! It is lucid's chain (jitter, scale, rotate, jitter) without the resamplings between, on the canvas of the images: output
//! pixel p shows c + R(θ)(p - c)/s + shift with c the centre, and grey where that lies outside.

use ndarray::{Array4, ArrayView4, Axis};
use rayon::prelude::*;

use crate::random::{Stream, below, stream};
use crate::{Real, Transforms};

/// Value of what lies outside an image.
pub const OUTSIDE: f64 = 0.5;
/// Whole pixels of the first and second jitter to either side.
const JITTERS: [u64; 2] = [4, 2];
/// Scales 0.90, 0.92 .. 1.10.
const SCALES: u64 = 11;
/// Whole degrees to either side, and how often 0 is there once more.
const DEGREES: u64 = 10;
const EXTRA_ZEROS: u64 = 5;

/// One transform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transform {
    /// Pixels down by which the source lies off.
    pub down: f64,
    /// Pixels to the right.
    pub right: f64,
    /// Magnification.
    pub scale: f64,
    /// Degrees.
    pub degrees: f64,
}

/// Where an output pixel's value comes from. Neighbours outside the image have weight 0.
#[derive(Clone, Copy)]
struct Source {
    places: [u32; 4],
    weights: [f64; 4],
    outside: f64,
}

impl Transform {
    /// The one that changes nothing.
    pub const IDENTITY: Self = Self { down: 0.0, right: 0.0, scale: 1.0, degrees: 0.0 };

    /// The transform of a step: a function of seed and step only. All numbers are drawn whichever kinds are on.
    #[must_use]
    pub fn draw(transforms: &Transforms, seed: u64, step: u64) -> Self {
        let mut random = stream(seed, Stream::Transform, step);
        let mut jitter = || -> f64 {
            JITTERS.iter().map(|&most| below(&mut random, 2 * most + 1) as f64 - most as f64).sum()
        };
        let (down, right) = (jitter(), jitter());
        let scale = (90 + 2 * below(&mut random, SCALES)) as f64 / 100.0;
        let angle = below(&mut random, 2 * DEGREES + 1 + EXTRA_ZEROS);
        let degrees = if angle > 2 * DEGREES { 0.0 } else { angle as f64 - DEGREES as f64 };
        let mut transform = Self::IDENTITY;
        if transforms.jitter {
            (transform.down, transform.right) = (down, right);
        }
        if transforms.scale {
            transform.scale = scale;
        }
        if transforms.rotate {
            transform.degrees = degrees;
        }
        transform
    }

    /// The images (n x channels x height x width) after the transform; the canvas keeps its size.
    #[must_use]
    pub fn apply<T: Real>(&self, images: ArrayView4<'_, T>) -> Array4<T> {
        let (_, _, height, width) = images.dim();
        let sources = self.sources(height, width);
        let mut result = Array4::from_elem(images.raw_dim(), T::default());
        each_image(images, &mut result, |from, to| {
            for (value, source) in to.iter_mut().zip(&sources) {
                let sum: f64 = source
                    .places
                    .iter()
                    .zip(source.weights)
                    .map(|(&place, weight)| weight * from[place as usize].to_f64())
                    .sum();
                *value = T::from_f64(sum + OUTSIDE * source.outside);
            }
        });
        result
    }

    /// The transpose of the linear part of [`Transform::apply`]: gradients of the output as gradients of the input.
    #[must_use]
    pub fn pull_back<T: Real>(&self, gradient: ArrayView4<'_, T>) -> Array4<f64> {
        let (_, _, height, width) = gradient.dim();
        let sources = self.sources(height, width);
        let mut result = Array4::zeros(gradient.raw_dim());
        each_image(gradient, &mut result, |from, to| {
            for (slope, source) in from.iter().zip(&sources) {
                for (&place, weight) in source.places.iter().zip(source.weights) {
                    to[place as usize] += weight * slope.to_f64();
                }
            }
        });
        result
    }

    fn sources(&self, height: usize, width: usize) -> Vec<Source> {
        let centre = [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0];
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        (0..height * width)
            .into_par_iter()
            .map(|index| {
                let down = ((index / width) as f64 - centre[0]) / self.scale;
                let right = ((index % width) as f64 - centre[1]) / self.scale;
                let row = centre[0] + cos * down - sin * right + self.down;
                let column = centre[1] + sin * down + cos * right + self.right;
                source([row, column], [height, width])
            })
            .collect()
    }
}

fn source(point: [f64; 2], size: [usize; 2]) -> Source {
    let base = point.map(f64::floor);
    let part = [point[0] - base[0], point[1] - base[1]];
    let mut source = Source { places: [0; 4], weights: [0.0; 4], outside: 0.0 };
    for (index, [down, right]) in [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]].into_iter().enumerate() {
        let share = |offset: f64, part: f64| if offset == 0.0 { 1.0 - part } else { part };
        let weight = share(down, part[0]) * share(right, part[1]);
        let (row, column) = (base[0] + down, base[1] + right);
        let inside = row >= 0.0 && column >= 0.0 && row < size[0] as f64 && column < size[1] as f64;
        if inside {
            source.places[index] = (row as usize * size[1] + column as usize) as u32;
            source.weights[index] = weight;
        } else {
            source.outside += weight;
        }
    }
    source
}

/// Calls `work` with each plane of both arrays, in parallel over images.
fn each_image<A: Real, B: Real>(
    from: ArrayView4<'_, A>,
    to: &mut Array4<B>,
    work: impl Fn(&[A], &mut [B]) + Sync,
) {
    let from = from.as_standard_layout();
    from.axis_iter(Axis(0)).into_par_iter().zip(to.axis_iter_mut(Axis(0))).for_each(|(from, mut to)| {
        for (from, mut to) in from.outer_iter().zip(to.outer_iter_mut()) {
            if let (Some(from), Some(to)) = (from.as_slice(), to.as_slice_mut()) {
                work(from, to);
            }
        }
    });
}
