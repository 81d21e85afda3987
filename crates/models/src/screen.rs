//! Showing stimuli at the right visual angle (spec §2.5).

use std::borrow::Cow;

use ndarray::{Array3, s};

/// Grey that fills the screen around a stimulus.
pub const BACKGROUND: u8 = 128;
/// Longest side of an image on the screen, in pixels.
pub const MAX_SCREEN_SIDE: usize = 32_768;

/// Half of `n`, rounded to the nearest even number when `n` is odd.
pub(crate) fn half_to_even(n: usize) -> usize {
    let half = n / 2;
    half + usize::from(n % 2 == 1 && half % 2 == 1)
}

/// The image (height x width x 3) as a model sees it whose input spans `target_degrees` when the image spans `source_degrees`.
///
/// Sides are scaled by the ratio of degrees, rounded half to even. Above 1 the image sits in the middle of a grey screen; below 1 the
/// middle of the image is cut out; at 1 the image is untouched.
///
/// # Errors
/// A message if the degrees are not positive and finite, the image is empty, or a side would be 0 or above [`MAX_SCREEN_SIDE`].
pub fn place_on_screen<'a>(
    pixels: &'a Array3<u8>,
    target_degrees: f64,
    source_degrees: f64,
) -> Result<Cow<'a, Array3<u8>>, String> {
    let valid = |degrees: f64| degrees.is_finite() && degrees > 0.0;
    if !valid(target_degrees) || !valid(source_degrees) {
        return Err(format!(
            "visual degrees must be above 0, but the model has {target_degrees} and the stimuli {source_degrees}"
        ));
    }
    if target_degrees == source_degrees {
        return Ok(Cow::Borrowed(pixels));
    }
    let ratio = target_degrees / source_degrees;
    let (rows, columns, channels) = pixels.dim();
    let scaled = |side: usize| {
        let new = (ratio * side as f64).round_ties_even();
        let fits = new >= 1.0 && new <= MAX_SCREEN_SIDE as f64;
        fits.then_some(new as usize).ok_or_else(|| {
            format!("an image of {rows} x {columns} pixels shown at {source_degrees} degrees to a model of {target_degrees} would get a side of {new} pixels (1 to {MAX_SCREEN_SIDE} are possible)")
        })
    };
    let (height, width) = (scaled(rows)?, scaled(columns)?);
    if height >= rows && width >= columns {
        let (top, left) = (half_to_even(height - rows), half_to_even(width - columns));
        let mut screen = Array3::from_elem((height, width, channels), BACKGROUND);
        screen.slice_mut(s![top..top + rows, left..left + columns, ..]).assign(pixels);
        return Ok(Cow::Owned(screen));
    }
    let (top, left) = (half_to_even(rows - height), half_to_even(columns - width));
    Ok(Cow::Owned(pixels.slice(s![top..top + height, left..left + width, ..]).to_owned()))
}
