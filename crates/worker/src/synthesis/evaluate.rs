//! What a finished set of images is worth: as 8-bit files, in the runtime that scores models, and under what happens to pictures.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError};
use ndarray::{Array2, Array4, ArrayView3, Axis, stack};
use ventral_data::Image;
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, rsms};
use ventral_synthesis::quantise::{to_unit, with_grey_noise};
use ventral_synthesis::transforms::Transform;
use ventral_synthesis::{Network as _, Transforms};

use super::{Batch, SynthesisModel};
use crate::{Error, Observer};

/// Random transforms that E6 is averaged over.
const TRANSFORMS: u64 = 64;
/// Seed of these transforms and of the noise: the same for every set, so that sets can be compared.
const SEED: u64 = 20_251_125;
/// Quality of the JPEG files of E7.
const JPEG_QUALITY: u8 = 75;

/// The values of a finished set.
pub struct Evaluation {
    /// Mean |r| between layers over random transforms.
    pub transforms: f64,
    /// Of the images as JPEG files.
    pub jpeg: f64,
    /// Of the images with noise of one grey level.
    pub noise: f64,
}

/// What a message about a unit begins with.
pub type Named<'a> = dyn Fn(ventral_synthesis::Error) -> Error + 'a;

/// Similarities of 8-bit images in each layer, read with the scorer's runtime: layers x pairs.
pub fn scored_rsms(
    model: &SynthesisModel,
    images: &Array4<u8>,
    named: &Named<'_>,
) -> Result<Array2<f64>, Error> {
    rsms(&model.scored(images)?).map_err(named)
}

/// E6 and E7 of images that have been files. Images may be fine and lose all contrast in a layer when something is done to them:
/// that measure is NaN, and the others count.
///
/// # Errors
/// A network that fails, interruption.
pub fn evaluate(
    model: &SynthesisModel,
    images: &Array4<u8>,
    observer: &dyn Observer,
    named: &Named<'_>,
) -> Result<Evaluation, Error> {
    let of_pictures = |images: Array4<u8>| -> Result<f64, Error> {
        mean_abs_r(&scored_rsms(model, &images, named)?).map_err(named)
    };
    Ok(Evaluation {
        transforms: or_nan("transforms", transformed(model, images, observer, named))?,
        jpeg: or_nan("JPEG files", as_files(images, jpeg).and_then(of_pictures))?,
        noise: or_nan("noise", of_pictures(with_grey_noise(images.view(), SEED)))?,
    })
}

/// E6.
fn transformed(
    model: &SynthesisModel,
    images: &Array4<u8>,
    observer: &dyn Observer,
    named: &Named<'_>,
) -> Result<f64, Error> {
    let batch = Batch::new(&model.gradient);
    let floats: Array4<f32> = to_unit(images.view());
    let mut sum = 0.0;
    for step in 0..TRANSFORMS {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let transform = Transform::draw(&Transforms::default(), SEED, step);
        let layers = batch.activations(transform.apply(floats.view()).view())?;
        sum += mean_abs_r(&rsms(&layers).map_err(named)?).map_err(named)?;
    }
    Ok(sum / TRANSFORMS as f64)
}

/// NaN where what was measured is undefined.
fn or_nan(what: &str, found: Result<f64, Error>) -> Result<f64, Error> {
    match found {
        Err(error @ Error::Synthesis { .. }) => {
            tracing::warn!(%error, "what the images are worth under {what} is undefined");
            Ok(f64::NAN)
        }
        found => found,
    }
}

fn mean_abs_r(rsms: &Array2<f64>) -> Result<f64, ventral_synthesis::Error> {
    let correlation = LayerCorrelation::new(rsms.view(), Coefficient::Pearson)?;
    Ok(correlation.statistics()?.mean_abs_r)
}

/// The images as PNG files, read again.
pub fn as_png(images: &Array4<u8>) -> Result<Array4<u8>, Error> {
    as_files(images, png)
}

/// Writes pixels of this width and height as a file.
type Encode = fn(&[u8], u32, u32) -> Result<Vec<u8>, ImageError>;

/// Every image written as a file and read as stimuli are.
fn as_files(images: &Array4<u8>, write: Encode) -> Result<Array4<u8>, Error> {
    let failed =
        |problem: String| Error::Mismatch(format!("an image cannot be written as a file: {problem}"));
    let read = |image: ArrayView3<'_, u8>| -> Result<_, Error> {
        let (height, width, _) = image.dim();
        let pixels: Vec<u8> = image.iter().copied().collect();
        let file = write(&pixels, width as u32, height as u32).map_err(|error| failed(error.to_string()))?;
        Ok(Image::decode(&file).map_err(|error| failed(error.to_string()))?.pixels)
    };
    let read: Vec<_> = images.outer_iter().map(read).collect::<Result<_, _>>()?;
    let views: Vec<_> = read.iter().map(|image| image.view()).collect();
    stack(Axis(0), &views).map_err(|error| failed(error.to_string()))
}

fn png(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let mut file = Cursor::new(Vec::new());
    PngEncoder::new(&mut file).write_image(pixels, width, height, ExtendedColorType::Rgb8)?;
    Ok(file.into_inner())
}

fn jpeg(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let mut file = Cursor::new(Vec::new());
    let encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
    encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8)?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images with soft and hard edges.
    fn images() -> Array4<u8> {
        Array4::from_shape_fn((2, 24, 16, 3), |(image, row, column, channel)| {
            let edge = if column > 7 { 90 } else { 0 };
            (40 * image + 5 * row + 3 * channel + edge) as u8
        })
    }

    #[test]
    fn what_is_undefined_is_nan_and_what_fails_fails() {
        let undefined = ventral_synthesis::Error::ConstantImage { layer: 1, image: 2 };
        let undefined = Error::Synthesis { context: "a unit".into(), source: undefined };
        assert!(or_nan("noise", Err(undefined)).expect("goes on").is_nan());
        assert_eq!(or_nan("noise", Ok(0.25)).expect("a value"), 0.25);
        assert!(matches!(or_nan("noise", Err(Error::Interrupted)), Err(Error::Interrupted)));
    }

    #[test]
    fn png_files_keep_every_pixel_and_jpeg_files_nearly() {
        let images = images();
        assert_eq!(as_png(&images).expect("files"), images);
        let compressed = as_files(&images, jpeg).expect("files");
        assert_eq!(compressed.dim(), images.dim());
        assert_eq!(compressed, as_files(&images, jpeg).expect("files"), "the same bytes each time");
        let off = compressed.iter().zip(&images).map(|(a, b)| a.abs_diff(*b));
        let (sum, largest) = off.fold((0, 0), |(sum, largest), off| (sum + u64::from(off), largest.max(off)));
        assert!(largest > 0 && largest < 64, "{largest}");
        assert!((sum as f64 / images.len() as f64) < 6.0, "{sum}");
    }
}
