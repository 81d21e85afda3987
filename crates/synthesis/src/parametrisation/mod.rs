//! From free parameters to images, and gradients back.

mod colour;
mod fourier;
mod pixels;

use ndarray::{Array4, ArrayView4, Axis};
use rayon::prelude::*;

use crate::{Error, Parametrisation, Settings};
use fourier::Fourier;

/// A planned parametrisation of n images.
pub struct Decoder {
    images: usize,
    size: [usize; 2],
    kind: Kind,
}

enum Kind {
    Fourier(Box<Fourier>),
    Pixels,
}

impl Decoder {
    /// Plans for the settings' images.
    ///
    /// # Errors
    /// See [`Settings::check`].
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        settings.check()?;
        let kind = match settings.parametrisation {
            Parametrisation::Fourier { decay } => Kind::Fourier(Box::new(Fourier::new(settings.size, decay))),
            Parametrisation::Pixels => Kind::Pixels,
        };
        Ok(Self { images: settings.images, size: settings.size, kind })
    }

    /// Number of parameters. Those of an image lie together; for spatial frequencies real parts before imaginary ones, and in
    /// each a plane of rows per channel.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.images * self.per_image()
    }

    fn per_image(&self) -> usize {
        match &self.kind {
            Kind::Fourier(fourier) => 6 * fourier.frequencies(),
            Kind::Pixels => 3 * self.size[0] * self.size[1],
        }
    }

    /// Random parameters; an image's depend on the seed and its index only.
    #[must_use]
    pub fn start(&self, seed: u64) -> Vec<f32> {
        let sd = match self.kind {
            Kind::Fourier(_) => fourier::START_SD,
            Kind::Pixels => pixels::START_SD,
        };
        let mut parameters = vec![0.0; self.parameters()];
        parameters.par_chunks_mut(self.per_image()).enumerate().for_each(|(image, own)| {
            let mut random = crate::random::stream(seed, crate::random::Stream::Start, image as u64);
            for pair in own.chunks_mut(2) {
                let normals = crate::random::normals(&mut random);
                pair.iter_mut()
                    .zip(normals)
                    .for_each(|(parameter, normal)| *parameter = (sd * normal) as f32);
            }
        });
        parameters
    }

    /// The images of these parameters: n x 3 x height x width in 0..1.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of parameters.
    pub fn decode<P: Copy + Into<f64> + Sync>(&self, parameters: &[P]) -> Result<Array4<f64>, Error> {
        self.check("parameters", self.parameters(), parameters.len())?;
        Ok(self.decode_own(parameters))
    }

    /// As [`Decoder::decode`] for parameters whose number is known to be [`Decoder::parameters`].
    pub(crate) fn decode_own<P: Copy + Into<f64> + Sync>(&self, parameters: &[P]) -> Array4<f64> {
        let [height, width] = self.size;
        let mut images = Array4::zeros((self.images, 3, height, width));
        images.axis_iter_mut(Axis(0)).into_par_iter().zip(parameters.par_chunks(self.per_image())).for_each(
            |(image, own)| match &self.kind {
                Kind::Fourier(fourier) => fourier.decode(own, image),
                Kind::Pixels => pixels::decode(own, image),
            },
        );
        images
    }

    /// Gradient with respect to the parameters, given the decoded images and the gradient with respect to them.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for other shapes.
    pub fn pull_back(
        &self,
        images: ArrayView4<'_, f64>,
        gradient: ArrayView4<'_, f64>,
    ) -> Result<Vec<f64>, Error> {
        let expected = self.images * 3 * self.size[0] * self.size[1];
        self.check("values of the images", expected, images.len())?;
        self.check("values of their gradient", expected, gradient.len())?;
        let mut parameters = vec![0.0; self.parameters()];
        parameters
            .par_chunks_mut(self.per_image())
            .zip(images.axis_iter(Axis(0)).into_par_iter().zip(gradient.axis_iter(Axis(0))))
            .for_each(|(own, (image, gradient))| match &self.kind {
                Kind::Fourier(fourier) => fourier.pull_back(image, gradient, own),
                Kind::Pixels => pixels::pull_back(image, gradient, own),
            });
        Ok(parameters)
    }

    fn check(&self, what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
        if expected == found {
            return Ok(());
        }
        Err(Error::Mismatch { what, expected: expected.to_string(), found: found.to_string() })
    }
}

/// The logistic function.
fn sigmoid(value: f64) -> f64 {
    1.0 / (1.0 + (-value).exp())
}
