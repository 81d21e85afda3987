//! The loop.

use std::marker::PhantomData;

use ndarray::Array4;

use crate::{CheckpointError, Error, Network, Real, Settings, StepError, StepRecord, StopReason};

/// A synthesis under way. `T` is the type of images and activations.
pub struct Run<T> {
    numbers: PhantomData<T>,
}

impl<T: Real> Run<T> {
    /// Random images, no step taken.
    ///
    /// # Errors
    /// See [`Settings::check`].
    pub fn new(settings: Settings) -> Result<Self, Error> {
        todo!("{settings:?}")
    }

    /// A run that goes on where [`Run::checkpoint`] was called; all further bytes are the same.
    ///
    /// # Errors
    /// [`CheckpointError`] says whether the bytes are foreign, cut short, damaged or of other settings.
    pub fn resume(settings: Settings, checkpoint: &[u8]) -> Result<Self, CheckpointError> {
        todo!("{settings:?} {checkpoint:?}")
    }

    /// Everything that the next step depends on.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        todo!()
    }

    /// Takes one step.
    ///
    /// # Errors
    /// [`StepError`]; the run is then as it was before.
    pub fn step<N: Network<T>>(&mut self, network: &N) -> Result<StepRecord, StepError<N::Error>> {
        todo!("{:?}", network.units())
    }

    /// Why no further step should be taken, if so.
    #[must_use]
    pub fn stopped(&self) -> Option<StopReason> {
        todo!()
    }

    /// The images as they are, n x 3 x height x width in 0..1.
    #[must_use]
    pub fn images(&self) -> Array4<T> {
        todo!()
    }

    /// The images in eight bits, n x height x width x 3, rounded half to even.
    #[must_use]
    pub fn quantised(&self) -> Array4<u8> {
        todo!()
    }

    /// One record per step.
    #[must_use]
    pub fn records(&self) -> &[StepRecord] {
        todo!()
    }

    /// Steps taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        todo!()
    }

    /// Pairs of layers found to have the same RSM whatever the images.
    #[must_use]
    pub fn irreducible(&self) -> &[[usize; 2]] {
        todo!()
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        todo!()
    }
}
