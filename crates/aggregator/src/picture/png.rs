//! Pixels as PNG, the same bytes for the same pixels.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use ndarray::ArrayView3;

use crate::Error;

/// RGBA pixels with few colours as PNG.
pub(crate) fn png(pixels: &[u8], width: usize, height: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::NoFilter);
    encoder.write_image(pixels, width as u32, height as u32, ExtendedColorType::Rgba8)?;
    Ok(bytes)
}

/// An image (height x width x RGB, 8 bits, sRGB) as PNG, without loss.
pub(crate) fn photograph(image: ArrayView3<'_, u8>) -> Result<Vec<u8>, Error> {
    let (height, width, _) = image.dim();
    let pixels: Vec<u8> = image.iter().copied().collect();
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    encoder.write_image(&pixels, width as u32, height as u32, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// A PNG inside a page.
pub(crate) fn data_uri(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}
