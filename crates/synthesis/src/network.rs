//! What is differentiated.

use ndarray::{Array2, Array4, ArrayView4};

/// A network as far as synthesis needs it: layer activations of images, and gradients back to the images.
///
/// Images are n x 3 x height x width, RGB in 0..1. An image's activations must not depend on the other images of the batch
/// nor on the number of threads; then neither does the result of a run.
pub trait Network<T>: Sync {
    /// What [`Network::backward`] needs of a forward pass.
    type Trace: Send;
    /// What can go wrong.
    type Error;

    /// Units per layer.
    fn units(&self) -> &[usize];

    /// Activations of each layer (images x units), and the trace.
    ///
    /// # Errors
    /// Whatever the network reports.
    #[allow(clippy::type_complexity)]
    fn forward(&self, images: ArrayView4<'_, T>) -> Result<(Vec<Array2<T>>, Self::Trace), Self::Error>;

    /// Gradient with respect to the images (same shape), given that with respect to each layer's activations.
    ///
    /// # Errors
    /// Whatever the network reports.
    fn backward(&self, trace: Self::Trace, adjoints: &[Array2<T>]) -> Result<Array4<T>, Self::Error>;

    /// Activations of each layer without a trace.
    ///
    /// # Errors
    /// Whatever the network reports.
    fn activations(&self, images: ArrayView4<'_, T>) -> Result<Vec<Array2<T>>, Self::Error> {
        Ok(self.forward(images)?.0)
    }
}
