//! Eight bits and back.

use ndarray::{Array4, ArrayView4};

use crate::Real;

/// n x 3 x height x width in 0..1 as n x height x width x 3 in eight bits, rounded half to even.
#[must_use]
pub fn quantise<T: Real>(images: ArrayView4<'_, T>) -> Array4<u8> {
    let (n, channels, height, width) = images.dim();
    Array4::from_shape_fn((n, height, width, channels), |(image, row, column, channel)| {
        let value = images[[image, channel, row, column]].to_f64();
        (value * 255.0).round_ties_even().clamp(0.0, 255.0) as u8
    })
}

/// The reverse: n x height x width x 3 in eight bits as n x 3 x height x width in 0..1.
#[must_use]
pub fn to_unit<T: Real>(images: ArrayView4<'_, u8>) -> Array4<T> {
    let (n, height, width, channels) = images.dim();
    Array4::from_shape_fn((n, channels, height, width), |(image, channel, row, column)| {
        T::from_f64(f64::from(images[[image, row, column, channel]]) / 255.0)
    })
}

/// The images with each value one grey level lower, the same, or one higher, at random; 0 and 255 are kept within bounds.
///
/// Random numbers go to values by index, row by row, however the array lies in memory.
#[must_use]
pub fn with_grey_noise(images: ArrayView4<'_, u8>, seed: u64) -> Array4<u8> {
    let mut random = crate::random::stream(seed, crate::random::Stream::Noise, 0);
    Array4::from_shape_fn(images.dim(), |place| match crate::random::below(&mut random, 3) {
        0 => images[place].saturating_sub(1),
        1 => images[place],
        _ => images[place].saturating_add(1),
    })
}
