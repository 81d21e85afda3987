//! Spatial frequencies as parameters (lucid's `fft_image`).
//!
//! A plane is the inverse real transform of its scaled coefficients, as numpy's `irfft2`, divided by 4; three planes make RGB
//! by decorrelated colour and the logistic function. An odd width keeps one more frequency and loses a column.

use std::sync::Arc;

use ndarray::{ArrayView3, ArrayViewMut3};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::{colour, sigmoid};

/// Spread of the first coefficients.
pub(super) const START_SD: f64 = 0.01;
const DIVISOR: f64 = 4.0;

type Number = Complex<f64>;

/// Plans for one size.
pub(super) struct Fourier {
    height: usize,
    width: usize,
    /// Width of the transform: even.
    full: usize,
    /// Coefficients of a row.
    half: usize,
    /// Per coefficient, rows of `half`; all constant factors are in here.
    scale: Vec<f64>,
    colours: [[f64; 3]; 3],
    columns: [Arc<dyn Fft<f64>>; 2],
    rows: [Arc<dyn Fft<f64>>; 2],
}

const FORWARD: usize = 0;
const INVERSE: usize = 1;

impl Fourier {
    pub(super) fn new([height, width]: [usize; 2], decay: f64) -> Self {
        let full = width + width % 2;
        let half = full / 2 + 1;
        let lowest = 1.0 / height.max(width) as f64;
        let frequency = |index: usize, size: usize| {
            let below = index.min(size.abs_diff(index));
            below as f64 / size as f64
        };
        let factor = ((width * height) as f64).sqrt() / DIVISOR / (height * full) as f64;
        let scale = (0..height * half)
            .map(|index| {
                let (down, across) = (frequency(index / half, height), frequency(index % half, width));
                factor / (down * down + across * across).sqrt().max(lowest).powf(decay)
            })
            .collect();
        let mut planner = FftPlanner::new();
        let mut both = |size: usize| [planner.plan_fft_forward(size), planner.plan_fft_inverse(size)];
        let (columns, rows) = (both(height), both(full));
        Self { height, width, full, half, scale, colours: colour::matrix(), columns, rows }
    }

    /// Coefficients of a plane.
    pub(super) fn frequencies(&self) -> usize {
        self.height * self.half
    }

    pub(super) fn decode<P: Copy + Into<f64>>(&self, parameters: &[P], mut image: ArrayViewMut3<'_, f64>) {
        let planes = [0, 1, 2].map(|channel| self.plane(parameters, channel));
        for row in 0..self.height {
            for column in 0..self.width {
                let place = row * self.full + column;
                for (channel, weights) in self.colours.iter().enumerate() {
                    let logit = weights[0] * planes[0][place]
                        + weights[1] * planes[1][place]
                        + weights[2] * planes[2][place];
                    image[[channel, row, column]] = sigmoid(logit);
                }
            }
        }
    }

    /// One decorrelated plane, rows of `full` values.
    fn plane<P: Copy + Into<f64>>(&self, parameters: &[P], channel: usize) -> Vec<f64> {
        let count = self.frequencies();
        let real = &parameters[channel * count..];
        let imaginary = &parameters[(3 + channel) * count..];
        // Columns lie one after the other, so that all are transformed in one call.
        let mut columns = vec![Number::default(); count];
        for row in 0..self.height {
            for across in 0..self.half {
                let from = row * self.half + across;
                let value = Number::new(real[from].into(), imaginary[from].into());
                columns[across * self.height + row] = value * self.scale[from];
            }
        }
        self.columns[INVERSE].process(&mut columns);
        let mut plane = vec![0.0; self.height * self.full];
        let mut line = vec![Number::default(); self.full];
        let mut scratch = vec![Number::default(); self.rows[INVERSE].get_inplace_scratch_len()];
        let last = self.half - 1;
        for (pair, target) in plane.chunks_mut(2 * self.full).enumerate() {
            let first = 2 * pair;
            // Two real rows are the parts of one complex transform.
            let at = |across: usize, row: usize| {
                let value = columns.get(across * self.height + row).copied().unwrap_or_default();
                if across == 0 || across == last { Number::new(value.re, 0.0) } else { value }
            };
            let second = (first + 1 < self.height).then_some(first + 1);
            for across in 0..=last {
                let a = at(across, first);
                let b = second.map_or(Number::default(), |row| at(across, row));
                line[across] = a + Number::i() * b;
                if across != 0 && across != last {
                    line[self.full - across] = a.conj() + Number::i() * b.conj();
                }
            }
            self.rows[INVERSE].process_with_scratch(&mut line, &mut scratch);
            let (upper, lower) = target.split_at_mut(self.full);
            upper.iter_mut().zip(&line).for_each(|(value, number)| *value = number.re);
            lower.iter_mut().zip(&line).for_each(|(value, number)| *value = number.im);
        }
        plane
    }

    pub(super) fn pull_back(
        &self,
        image: ArrayView3<'_, f64>,
        gradient: ArrayView3<'_, f64>,
        parameters: &mut [f64],
    ) {
        let mut planes = [0, 1, 2].map(|_| vec![0.0; self.height * self.full]);
        for row in 0..self.height {
            for column in 0..self.width {
                for (channel, weights) in self.colours.iter().enumerate() {
                    let value = image[[channel, row, column]];
                    let slope = gradient[[channel, row, column]] * value * (1.0 - value);
                    for (plane, weight) in planes.iter_mut().zip(weights) {
                        plane[row * self.full + column] += weight * slope;
                    }
                }
            }
        }
        for (channel, plane) in planes.iter().enumerate() {
            self.coefficients(plane, channel, parameters);
        }
    }

    /// The transpose of [`Fourier::plane`].
    fn coefficients(&self, plane: &[f64], channel: usize, parameters: &mut [f64]) {
        let count = self.frequencies();
        let mut columns = vec![Number::default(); count];
        let mut line = vec![Number::default(); self.full];
        let mut scratch = vec![Number::default(); self.rows[FORWARD].get_inplace_scratch_len()];
        for (pair, rows) in plane.chunks(2 * self.full).enumerate() {
            let (upper, lower) = rows.split_at(self.full);
            for (index, number) in line.iter_mut().enumerate() {
                *number = Number::new(upper[index], lower.get(index).copied().unwrap_or_default());
            }
            self.rows[FORWARD].process_with_scratch(&mut line, &mut scratch);
            for across in 0..self.half {
                let (value, mirrored) = (line[across], line[(self.full - across) % self.full].conj());
                let row = across * self.height + 2 * pair;
                columns[row] = (value + mirrored) / 2.0;
                if !lower.is_empty() {
                    columns[row + 1] = (value - mirrored) / Number::new(0.0, 2.0);
                }
            }
        }
        self.columns[FORWARD].process(&mut columns);
        for row in 0..self.height {
            for across in 0..self.half {
                let to = row * self.half + across;
                let twice = if across == 0 || across == self.half - 1 { 1.0 } else { 2.0 };
                let value = columns[across * self.height + row] * (twice * self.scale[to]);
                parameters[channel * count + to] = value.re;
                parameters[(3 + channel) * count + to] = value.im;
            }
        }
    }
}
