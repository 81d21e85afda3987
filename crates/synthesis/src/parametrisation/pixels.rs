//! A logit per value.

use ndarray::{ArrayView3, ArrayViewMut3, Zip};

use super::sigmoid;

/// Spread of the first logits: about 0.06 in 0..1, visible noise far from black and white.
pub(super) const START_SD: f64 = 0.25;

pub(super) fn decode<P: Copy + Into<f64>>(parameters: &[P], mut image: ArrayViewMut3<'_, f64>) {
    image.iter_mut().zip(parameters).for_each(|(value, &logit)| *value = sigmoid(logit.into()));
}

pub(super) fn pull_back(image: ArrayView3<'_, f64>, gradient: ArrayView3<'_, f64>, parameters: &mut [f64]) {
    let mut targets = parameters.iter_mut();
    Zip::from(image).and(gradient).for_each(|&value, &slope| {
        if let Some(target) = targets.next() {
            *target = slope * value * (1.0 - value);
        }
    });
}
