//! Pooling over windows.

use super::window::Window;
use crate::gradient::program::{Kept, Memory, Op, Saved};
use crate::gradient::real::{Kernel, Real, vectorised};

/// The largest value of each window; the first of equal ones, row by row, gets the gradient.
///
/// Columns first, then rows, each over a whole padded plane at once: short loops over windows would cost more than the convolutions.
pub(in crate::gradient) struct MaxPool {
    window: Window,
    /// Columns of the padded plane.
    pitch: usize,
}

/// Scratch of one plane: the padded input, the largest value of each column of a window and its row, then of the whole window and its
/// tap. Rows and taps are numbers like the values, so that both are chosen by the same comparison.
struct Planes<T> {
    padded: Vec<T>,
    columns: Vec<T>,
    rows: Vec<T>,
    best: Vec<T>,
    taps: Vec<T>,
}

/// The pool, one plane of the input, scratch, one plane of the output and its taps.
type PoolPlane<'a, T> = (&'a MaxPool, &'a [T], &'a mut Planes<T>, &'a mut [T], &'a mut [u32]);

impl MaxPool {
    /// Dilations must be 1.
    pub fn new(window: Window) -> Self {
        let reach = (window.output[1] - 1) * window.strides[1] + window.kernel[1];
        Self { pitch: reach.max(window.pads[1] + window.input[1]), window }
    }

    fn planes<T: Real>(&self) -> Planes<T> {
        let window = &self.window;
        let reach = (window.output[0] - 1) * window.strides[0] + window.kernel[0];
        let padded = reach.max(window.pads[0] + window.input[0]) * self.pitch;
        // Taps beyond the last row of outputs read into this margin.
        let size = window.output[0] * self.pitch + window.kernel[1];
        Planes {
            padded: vec![T::neg_infinity(); padded],
            columns: vec![T::neg_infinity(); size],
            rows: vec![T::zero(); size],
            best: vec![T::neg_infinity(); size],
            taps: vec![T::zero(); size],
        }
    }
}

/// Pools one plane.
struct MaxPlane;

impl<T: Real> Kernel<PoolPlane<'_, T>> for MaxPlane {
    #[inline(always)]
    fn run((pool, input, planes, output, taps): PoolPlane<'_, T>) {
        let (window, pitch) = (&pool.window, pool.pitch);
        let Planes { padded, columns, rows, best, taps: winners } = planes;
        let lines = padded.chunks_exact_mut(pitch).skip(window.pads[0]);
        for (line, input) in lines.zip(input.chunks_exact(window.input[1])) {
            line[window.pads[1]..][..input.len()].copy_from_slice(input);
        }
        // With stride 1, all rows of outputs are one run.
        let (runs, length) = match window.strides[0] {
            1 => (1, window.output[0] * pitch),
            _ => (window.output[0], pitch),
        };
        for run in 0..runs {
            let range = run * length..(run + 1) * length;
            let (largest, rows) = (&mut columns[range.clone()], &mut rows[range]);
            let source = &padded[run * window.strides[0] * pitch..];
            largest.copy_from_slice(&source[..length]);
            rows.fill(T::zero());
            for ky in 1..window.kernel[0] {
                down(largest, rows, &source[ky * pitch..][..length], T::of((ky * window.kernel[1]) as f64));
            }
        }
        let length = window.output[0] * pitch;
        best[..length].copy_from_slice(&columns[..length]);
        winners[..length].copy_from_slice(&rows[..length]);
        for kx in 1..window.kernel[1] {
            let (columns, rows) = (&columns[kx..][..length], &rows[kx..][..length]);
            across(&mut best[..length], &mut winners[..length], columns, rows, T::of(kx as f64));
        }
        let lines = best.chunks_exact(pitch).zip(winners.chunks_exact(pitch));
        let targets = output.chunks_exact_mut(window.output[1]).zip(taps.chunks_exact_mut(window.output[1]));
        for ((best, winners), (output, taps)) in lines.zip(targets) {
            let (best, winners) = (best.iter(), winners.iter());
            let (best, winners) = (best.step_by(window.strides[1]), winners.step_by(window.strides[1]));
            output.iter_mut().zip(best).for_each(|(output, &best)| *output = best);
            taps.iter_mut().zip(winners).for_each(|(tap, &winner)| *tap = winner.wide() as u32);
        }
    }
}

/// Elements compared at a time; whole arrays are read and written so that the comparison becomes one of vectors.
const LANES: usize = 16;

/// A row of a window further down: it must be larger to win.
#[inline(always)]
fn down<T: Real>(largest: &mut [T], rows: &mut [T], source: &[T], code: T) {
    let ((largest, last), (rows, last_rows)) = (largest.as_chunks_mut(), rows.as_chunks_mut());
    let (source, last_source) = source.as_chunks();
    for ((largest, rows), source) in largest.iter_mut().zip(rows).zip(source) {
        down_lanes::<T, LANES>(largest, rows, source, code);
    }
    for ((largest, row), source) in last.iter_mut().zip(last_rows).zip(last_source) {
        down_lanes(std::array::from_mut(largest), std::array::from_mut(row), &[*source], code);
    }
}

#[inline(always)]
fn down_lanes<T: Real, const N: usize>(largest: &mut [T; N], rows: &mut [T; N], source: &[T; N], code: T) {
    let (a, b, row) = (*source, *largest, *rows);
    *rows = std::array::from_fn(|i| if a[i] > b[i] { code } else { row[i] });
    *largest = std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] });
}

/// The next column of a window: it wins when larger, or as large and found in an earlier row.
#[inline(always)]
fn across<T: Real>(best: &mut [T], taps: &mut [T], columns: &[T], rows: &[T], kx: T) {
    let ((best, last), (taps, last_taps)) = (best.as_chunks_mut(), taps.as_chunks_mut());
    let ((columns, last_columns), (rows, last_rows)) = (columns.as_chunks(), rows.as_chunks());
    for (((best, taps), columns), rows) in best.iter_mut().zip(taps).zip(columns).zip(rows) {
        across_lanes::<T, LANES>(best, taps, columns, rows, kx);
    }
    for (((best, tap), column), row) in last.iter_mut().zip(last_taps).zip(last_columns).zip(last_rows) {
        across_lanes(std::array::from_mut(best), std::array::from_mut(tap), &[*column], &[*row], kx);
    }
}

#[inline(always)]
fn across_lanes<T: Real, const N: usize>(
    best: &mut [T; N],
    taps: &mut [T; N],
    columns: &[T; N],
    rows: &[T; N],
    kx: T,
) {
    let (a, b, tap) = (*columns, *best, *taps);
    let code: [T; N] = std::array::from_fn(|i| rows[i] + kx);
    let wins = |i: usize| (a[i] > b[i]) | ((a[i] == b[i]) & (code[i] < tap[i]));
    *taps = std::array::from_fn(|i| if wins(i) { code[i] } else { tap[i] });
    *best = std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] });
}

impl<T: Real> Op<T> for MaxPool {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], memory: &Memory<T>) -> Saved<T> {
        let window = &self.window;
        let (from, to) = (window.input[0] * window.input[1], window.output[0] * window.output[1]);
        let mut taps = memory.indices.take(output.len());
        let mut planes = self.planes();
        let targets = output.chunks_exact_mut(to).zip(taps.chunks_exact_mut(to));
        for ((output, taps), input) in targets.zip(inputs[0].chunks_exact(from)) {
            vectorised(MaxPlane, (self, input, &mut planes, output, taps));
        }
        Saved { indices: taps, ..Saved::default() }
    }

    fn backward(&self, _wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let window = &self.window;
        let (from, to) = (window.input[0] * window.input[1], window.output[0] * window.output[1]);
        let width = window.output[1];
        // Offset in the image of each tap from its window's first pixel, which padding can put outside.
        let offset =
            |tap: usize| (tap / window.kernel[1] * window.input[1] + tap % window.kernel[1]) as isize;
        let offsets: Vec<isize> = (0..window.taps()).map(offset).collect();
        let corner = -((window.pads[0] * window.input[1] + window.pads[1]) as isize);
        let planes = adjoint.chunks_exact(to).zip(kept.saved.indices.chunks_exact(to));
        for ((adjoint, taps), into) in planes.zip(into.chunks_exact_mut(from)) {
            for (y, (adjoint, taps)) in adjoint.chunks_exact(width).zip(taps.chunks_exact(width)).enumerate()
            {
                let row = corner + (y * window.strides[0] * window.input[1]) as isize;
                for (x, (&adjoint, &tap)) in adjoint.iter().zip(taps).enumerate() {
                    let place = row + (x * window.strides[1]) as isize + offsets[tap as usize];
                    // A window that lies in the padding alone has no pixel to give to.
                    if let Some(into) = usize::try_from(place).ok().and_then(|place| into.get_mut(place)) {
                        *into += adjoint;
                    }
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
                    let start =
                        window.position(0, y, ky) * window.input[1] + window.position(1, columns.start, kx);
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
