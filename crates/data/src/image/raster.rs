//! PNG, BMP, TIFF and WebP.

use std::io::Cursor;

use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits};
use ndarray::Array3;

use crate::error::ParseError;
use crate::limits;

/// Bytes a decoder may take: the pixels at 16 bits in 4 channels, twice.
const MAX_DECODER_BYTES: u64 = limits::MAX_IMAGE_PIXELS * 16;

pub(super) fn decode(bytes: &[u8]) -> Result<Array3<u8>, ParseError> {
    let format = match image::guess_format(bytes) {
        Ok(f @ (ImageFormat::Png | ImageFormat::Bmp | ImageFormat::Tiff | ImageFormat::WebP)) => f,
        _ => {
            return Err(ParseError::Unsupported(
                "this image format".into(),
                "give JPEG, PNG, BMP, TIFF or WebP",
            ));
        }
    };
    let damaged = |e: image::ImageError| ParseError::Invalid(format!("damaged {format:?}: {e}"));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = Limits::default();
    allowed.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    super::check_pixels(width.into(), height.into())?;
    if matches!(decoder.original_color_type(), ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16) {
        return Err(ParseError::Unsupported("a CMYK image".into(), "convert it to RGB"));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let shape = (height as usize, width as usize, 3);
    let pixels = rgb(image, format)?;
    Array3::from_shape_vec(shape, pixels).map_err(|e| ParseError::Invalid(format!("damaged {format:?}: {e}")))
}

/// Interleaved RGB: grey repeated, alpha dropped, the high byte of 16-bit PNG channels.
fn rgb(image: DynamicImage, format: ImageFormat) -> Result<Vec<u8>, ParseError> {
    let deep = || {
        ParseError::Unsupported(
            "an image with 16-bit grey or floating-point pixels".into(),
            "convert it to 8 bits",
        )
    };
    let high = |samples: Vec<u16>| -> Vec<u8> { samples.into_iter().map(|s| (s >> 8) as u8).collect() };
    let is_png = format == ImageFormat::Png;
    Ok(match image {
        DynamicImage::ImageRgb8(i) => i.into_raw(),
        DynamicImage::ImageRgba8(i) => first_three(&i.into_raw()),
        DynamicImage::ImageLuma8(i) => repeat_grey(&i.into_raw(), 1),
        DynamicImage::ImageLumaA8(i) => repeat_grey(&i.into_raw(), 2),
        DynamicImage::ImageRgb16(i) if is_png => high(i.into_raw()),
        DynamicImage::ImageRgba16(i) if is_png => first_three(&high(i.into_raw())),
        DynamicImage::ImageLumaA16(i) if is_png => repeat_grey(&high(i.into_raw()), 2),
        _ => return Err(deep()),
    })
}

fn first_three(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect()
}

fn repeat_grey(samples: &[u8], channels: usize) -> Vec<u8> {
    samples.chunks_exact(channels).flat_map(|p| [p[0]; 3]).collect()
}
