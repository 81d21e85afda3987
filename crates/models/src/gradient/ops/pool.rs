//! Pooling over windows.

use super::window::Window;
use crate::gradient::program::{Kept, Memory, Op, Saved};
use crate::gradient::real::Real;

/// The largest value of each window; the first of equal ones gets the gradient.
pub(in crate::gradient) struct MaxPool {
    pub window: Window,
}

impl MaxPool {
    /// One plane, tap by tap over whole rows; `taps` becomes the winning tap of each window.
    fn plane<T: Real>(&self, input: &[T], output: &mut [T], taps: &mut [u32]) {
        let window = &self.window;
        let width = window.output[1];
        output.fill(T::neg_infinity());
        taps.fill(u32::MAX);
        for ky in 0..window.kernel[0] {
            for y in window.inside(0, ky) {
                let source = &input[window.position(0, y, ky) * window.input[1]..][..window.input[1]];
                let best = &mut output[y * width..][..width];
                let winners = &mut taps[y * width..][..width];
                for kx in 0..window.kernel[1] {
                    let columns = window.inside(1, kx);
                    if columns.is_empty() {
                        continue;
                    }
                    let tap = (ky * window.kernel[1] + kx) as u32;
                    let source = &source[window.position(1, columns.start, kx)..];
                    let (best, winners) = (&mut best[columns.clone()], &mut winners[columns]);
                    match window.strides[1] {
                        1 => compare(best, winners, source.iter(), tap),
                        stride => compare(best, winners, source.iter().step_by(stride), tap),
                    }
                }
            }
        }
    }
}

fn compare<'a, T: Real>(best: &mut [T], winners: &mut [u32], source: impl Iterator<Item = &'a T>, tap: u32) {
    for ((best, winner), &value) in best.iter_mut().zip(winners).zip(source) {
        // Written so that not-a-number wins and stays.
        let stays = value <= *best;
        *winner = if stays { *winner } else { tap };
        *best = if stays { *best } else { value };
    }
}

impl<T: Real> Op<T> for MaxPool {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], memory: &Memory<T>) -> Saved<T> {
        let window = &self.window;
        let (from, to) = (window.input[0] * window.input[1], window.output[0] * window.output[1]);
        let mut taps = memory.indices.take(output.len());
        let planes = output.chunks_exact_mut(to).zip(taps.chunks_exact_mut(to));
        for ((output, taps), input) in planes.zip(inputs[0].chunks_exact(from)) {
            self.plane(input, output, taps);
        }
        Saved { indices: taps, ..Saved::default() }
    }

    fn backward(&self, _wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let window = &self.window;
        let (from, to) = (window.input[0] * window.input[1], window.output[0] * window.output[1]);
        let places: Vec<(isize, isize)> = (0..window.taps())
            .map(|tap| {
                let y = (tap / window.kernel[1] * window.dilations[0]) as isize - window.pads[0] as isize;
                let x = (tap % window.kernel[1] * window.dilations[1]) as isize - window.pads[1] as isize;
                (y, x)
            })
            .collect();
        let offsets: Vec<isize> = places.iter().map(|(y, x)| y * window.input[1] as isize + x).collect();
        let planes = adjoint.chunks_exact(to).zip(kept.saved.indices.chunks_exact(to));
        for ((adjoint, taps), into) in planes.zip(into.chunks_exact_mut(from)) {
            let width = window.output[1];
            for (y, (adjoint, taps)) in adjoint.chunks_exact(width).zip(taps.chunks_exact(width)).enumerate() {
                let row = (y * window.strides[0] * window.input[1]) as isize;
                for (x, (&adjoint, &tap)) in adjoint.iter().zip(taps).enumerate() {
                    // A window that lies in the padding alone has no winner.
                    let Some(offset) = offsets.get(tap as usize) else { continue };
                    let place = row + (x * window.strides[1]) as isize + offset;
                    into[place as usize] += adjoint;
                }
            }
        }
    }
}

/// The mean of each window.
pub(in crate::gradient) struct AveragePool<T> {
    window: Window,
    /// One over the number of pixels that count, per output position.
    weights: Vec<T>,
}

impl<T: Real> AveragePool<T> {
    /// `counted(axis, output)` is how many positions of a window count along an axis.
    pub fn new(window: Window, counted: impl Fn(usize, usize) -> usize) -> Self {
        let [height, width] = window.output;
        let weight = |y, x| T::one() / T::of((counted(0, y) * counted(1, x)).max(1) as f64);
        let weights = (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| weight(y, x));
        Self { weights: weights.collect(), window }
    }

    /// Calls with the output range and input start of each row of each tap.
    fn rows(&self, call: &mut dyn FnMut(std::ops::Range<usize>, usize)) {
        let window = &self.window;
        for ky in 0..window.kernel[0] {
            for y in window.inside(0, ky) {
                for kx in 0..window.kernel[1] {
                    let columns = window.inside(1, kx);
                    if columns.is_empty() {
                        continue;
                    }
                    let start = window.position(0, y, ky) * window.input[1]
                        + window.position(1, columns.start, kx);
                    let row = y * window.output[1];
                    call(row + columns.start..row + columns.end, start);
                }
            }
        }
    }
}

impl<T: Real> Op<T> for AveragePool<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], _memory: &Memory<T>) -> Saved<T> {
        let from = self.window.input[0] * self.window.input[1];
        output.fill(T::zero());
        for (output, input) in output.chunks_exact_mut(self.weights.len()).zip(inputs[0].chunks_exact(from)) {
            self.rows(&mut |range, start| {
                let source = input[start..].iter().step_by(self.window.strides[1]);
                output[range].iter_mut().zip(source).for_each(|(sum, &value)| *sum += value);
            });
            output.iter_mut().zip(&self.weights).for_each(|(sum, &weight)| *sum *= weight);
        }
        Saved::default()
    }

    fn backward(&self, _wrt: usize, _kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], memory: &Memory<T>) {
        let from = self.window.input[0] * self.window.input[1];
        let mut scaled = memory.numbers.take(self.weights.len());
        for (adjoint, into) in adjoint.chunks_exact(self.weights.len()).zip(into.chunks_exact_mut(from)) {
            for ((scaled, &adjoint), &weight) in scaled.iter_mut().zip(adjoint).zip(&self.weights) {
                *scaled = adjoint * weight;
            }
            self.rows(&mut |range, start| {
                let target = into[start..].iter_mut().step_by(self.window.strides[1]);
                target.zip(&scaled[range]).for_each(|(target, &value)| *target += value);
            });
        }
        memory.numbers.give(scaled);
    }
}
