//! The random transform of a step: one bilinear resampling, shared by all images.

use ndarray::{Array4, ArrayView4};

use crate::{Real, Transforms};

/// Value of what lies outside an image.
pub const OUTSIDE: f64 = 0.5;

/// One transform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transform {
    /// Pixels down.
    pub down: f64,
    /// Pixels to the right.
    pub right: f64,
    /// Magnification.
    pub scale: f64,
    /// Degrees.
    pub degrees: f64,
}

impl Transform {
    /// The transform of a step: a function of seed and step only.
    #[must_use]
    pub fn draw(transforms: &Transforms, seed: u64, step: u64) -> Self {
        todo!("{transforms:?} {seed} {step}")
    }

    /// The images after the transform; the canvas keeps its size.
    #[must_use]
    pub fn apply<T: Real>(&self, images: ArrayView4<'_, T>) -> Array4<T> {
        todo!("{:?}", images.dim())
    }
}
