//! A model's graph as the optimiser sees it: a batch of images, each on a thread of its own.

use ndarray::{Array2, Array4, ArrayView1, ArrayView3, ArrayView4, ArrayViewMut1, Axis};
use rayon::prelude::*;
use ventral_models::{Differentiable, Error, Trace};
use ventral_synthesis::Network;

/// A differentiable model for batches of images. What an image gets does not depend on the others, nor on the threads.
pub struct Batch<'a> {
    gradient: &'a Differentiable<f32>,
    units: Vec<usize>,
}

impl<'a> Batch<'a> {
    /// All layers that were loaded.
    #[must_use]
    pub fn new(gradient: &'a Differentiable<f32>) -> Self {
        let units = gradient.layers().iter().map(|layer| layer.features as usize).collect();
        Self { gradient, units }
    }

    /// Runs every image of a batch, which fills its row of each layer.
    fn run<K: Send>(
        &self,
        images: ArrayView4<'_, f32>,
        pass: impl Fn(ArrayView3<'_, f32>, &mut [ArrayViewMut1<'_, f32>]) -> Result<K, Error> + Sync,
    ) -> Result<(Vec<Array2<f32>>, Vec<K>), Error> {
        let count = images.len_of(Axis(0));
        let mut layers: Vec<Array2<f32>> =
            self.units.iter().map(|&units| Array2::zeros((count, units))).collect();
        let mut rows: Vec<Vec<ArrayViewMut1<'_, f32>>> = (0..count).map(|_| Vec::new()).collect();
        for layer in &mut layers {
            for (of_image, row) in rows.iter_mut().zip(layer.outer_iter_mut()) {
                of_image.push(row);
            }
        }
        let kept = rows.into_par_iter().enumerate();
        // All are run even if one fails, so that it is always the first failure that is reported.
        let kept: Vec<Result<K, Error>> = kept
            .map(|(image, mut rows)| {
                pass(images.index_axis(Axis(0), image), &mut rows).map_err(|error| error.of_stimulus(image))
            })
            .collect();
        Ok((layers, kept.into_iter().collect::<Result<_, _>>()?))
    }
}

impl Network<f32> for Batch<'_> {
    type Trace = Vec<Trace<f32>>;
    type Error = Error;

    fn units(&self) -> &[usize] {
        &self.units
    }

    fn forward(&self, images: ArrayView4<'_, f32>) -> Result<(Vec<Array2<f32>>, Self::Trace), Error> {
        self.run(images, |image, rows| self.gradient.forward(image, rows))
    }

    fn backward(&self, trace: Self::Trace, adjoints: &[Array2<f32>]) -> Result<Array4<f32>, Error> {
        let [height, width] = self.gradient.size();
        let mut gradient = Array4::zeros((trace.len(), 3, height, width));
        let images: Vec<_> = gradient.outer_iter_mut().zip(trace).collect();
        images.into_par_iter().enumerate().try_for_each(|(image, (mut gradient, trace))| {
            let rows: Vec<ArrayView1<'_, f32>> = adjoints.iter().map(|layer| layer.row(image)).collect();
            gradient.assign(&self.gradient.backward(trace, &rows)?);
            Ok(())
        })?;
        Ok(gradient)
    }

    fn activations(&self, images: ArrayView4<'_, f32>) -> Result<Vec<Array2<f32>>, Error> {
        Ok(self.run(images, |image, rows| self.gradient.activations(image, rows))?.0)
    }
}
