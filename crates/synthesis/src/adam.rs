//! Adam (Kingma and Ba 2015).

use rayon::prelude::*;

/// Decay of the mean of gradients.
pub const BETA_1: f64 = 0.9;
/// Decay of the mean of their squares.
pub const BETA_2: f64 = 0.999;
/// Added to the root of the second mean.
pub const EPSILON: f64 = 1e-8;

/// The moments of the gradients so far. They are kept in f32 and updated in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    pub(crate) steps: u64,
}

impl Adam {
    /// For so many parameters.
    #[must_use]
    pub fn new(parameters: usize) -> Self {
        Self { first: vec![0.0; parameters], second: vec![0.0; parameters], steps: 0 }
    }

    /// Moves the parameters one step against the gradient. All three lists have the same length.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f64], learning_rate: f64) {
        self.steps += 1;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (first_bias, second_bias) = (1.0 - BETA_1.powi(power), 1.0 - BETA_2.powi(power));
        parameters
            .par_iter_mut()
            .zip(gradient)
            .zip(self.first.par_iter_mut().zip(&mut self.second))
            .with_min_len(1 << 14)
            .for_each(|((parameter, &slope), (first, second))| {
                let mean = BETA_1 * f64::from(*first) + (1.0 - BETA_1) * slope;
                let square = BETA_2 * f64::from(*second) + (1.0 - BETA_2) * slope * slope;
                let change = learning_rate * (mean / first_bias) / ((square / second_bias).sqrt() + EPSILON);
                *parameter = (f64::from(*parameter) - change) as f32;
                *first = mean as f32;
                *second = square as f32;
            });
    }
}
