//! Encoded images to RGB, as PIL and the reference do it (spec §2.4).

mod jpeg;
mod raster;

use ndarray::Array3;

use crate::error::ParseError;
use crate::limits;

/// A decoded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Grey levels 0 to 255, height x width x 3, in the order red, green, blue.
    pub pixels: Array3<u8>,
}

impl Image {
    /// Decodes JPEG, PNG, BMP, TIFF or WebP.
    ///
    /// Grey is repeated in the three channels; transparency is dropped, not blended; palettes are looked up; of 16-bit
    /// PNG channels the high byte is kept; EXIF rotation is ignored: all as PIL does for the reference. JPEG goes
    /// through the same arithmetic as PIL's libjpeg-turbo and gives the same pixels.
    ///
    /// # Errors
    /// [`ParseError::Limit`] beyond [`limits::MAX_IMAGE_BYTES`] or [`limits::MAX_IMAGE_PIXELS`], before the pixels are
    /// allocated; [`ParseError::Unsupported`] for CMYK, 16-bit grey, floating point and other formats;
    /// [`ParseError::Invalid`] for damaged or truncated data.
    pub fn decode(bytes: &[u8]) -> Result<Image, ParseError> {
        ParseError::check(
            "size of the image file in bytes",
            bytes.len() as u64,
            limits::MAX_IMAGE_BYTES,
            "MAX_IMAGE_BYTES",
        )?;
        let pixels =
            if bytes.starts_with(&[0xff, 0xd8]) { jpeg::decode(bytes)? } else { raster::decode(bytes)? };
        Ok(Image { pixels })
    }
}

/// Refuses an image by its header.
fn check_pixels(width: u64, height: u64) -> Result<(), ParseError> {
    if width == 0 || height == 0 {
        return Err(ParseError::Invalid(format!("the image is {width} x {height} pixels")));
    }
    let what = format!("number of pixels ({width} x {height})");
    ParseError::check(&what, width.saturating_mul(height), limits::MAX_IMAGE_PIXELS, "MAX_IMAGE_PIXELS")
}
