//! Moving elements: everything that copies without computing, and sums over axes.

use crate::gradient::program::{Kept, Memory, Op, Saved};
use crate::gradient::real::Real;

/// Index of an element that is not from the input.
pub(in crate::gradient) const OUTSIDE: u32 = u32::MAX;

/// Each element of the output is an element of the input, or a fixed number: transposing, cutting, padding, repeating.
pub(in crate::gradient) struct Take<T> {
    /// Runs of consecutive elements: first index in the input ([`OUTSIDE`] for the fixed number) and length.
    runs: Vec<(u32, u32)>,
    fill: T,
}

impl<T: Real> Take<T> {
    /// `indices`: for each element of the output its index in the input, or [`OUTSIDE`] for `fill`.
    pub fn new(indices: impl Iterator<Item = u32>, fill: T) -> Self {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for index in indices {
            match runs.last_mut() {
                Some((first, length)) if index == OUTSIDE && *first == OUTSIDE => *length += 1,
                Some((first, length)) if *first != OUTSIDE && first.checked_add(*length) == Some(index) => {
                    *length += 1;
                }
                _ => runs.push((index, 1)),
            }
        }
        runs.shrink_to_fit();
        Self { runs, fill }
    }
}

impl<T: Real> Op<T> for Take<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], _memory: &Memory<T>) -> Saved<T> {
        let mut rest = output;
        for &(first, length) in &self.runs {
            let (run, tail) = std::mem::take(&mut rest).split_at_mut(length as usize);
            rest = tail;
            match (first, length) {
                (OUTSIDE, _) => run.fill(self.fill),
                (first, 1) => run[0] = inputs[0][first as usize],
                _ => run.copy_from_slice(&inputs[0][first as usize..][..length as usize]),
            }
        }
        Saved::default()
    }

    fn backward(&self, _wrt: usize, _kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let mut rest = adjoint;
        for &(first, length) in &self.runs {
            let (run, tail) = rest.split_at(length as usize);
            rest = tail;
            if first != OUTSIDE {
                let into = &mut into[first as usize..][..length as usize];
                into.iter_mut().zip(run).for_each(|(into, &adjoint)| *into += adjoint);
            }
        }
    }
}

/// Puts inputs one after another along an axis.
pub(in crate::gradient) struct Concat {
    /// Elements of each input per step of the axes before.
    pub lengths: Vec<usize>,
}

impl Concat {
    fn offset(&self, input: usize) -> (usize, usize) {
        (self.lengths[..input].iter().sum(), self.lengths.iter().sum())
    }
}

impl<T: Real> Op<T> for Concat {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], _memory: &Memory<T>) -> Saved<T> {
        for (index, input) in inputs.iter().enumerate() {
            let ((offset, row), length) = (self.offset(index), self.lengths[index]);
            for (output, part) in output.chunks_exact_mut(row).zip(input.chunks_exact(length.max(1))) {
                output[offset..offset + length].copy_from_slice(part);
            }
        }
        Saved::default()
    }

    fn backward(&self, wrt: usize, _kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let ((offset, row), length) = (self.offset(wrt), self.lengths[wrt]);
        for (adjoint, into) in adjoint.chunks_exact(row).zip(into.chunks_exact_mut(length.max(1))) {
            into.iter_mut().zip(&adjoint[offset..offset + length]).for_each(|(into, &value)| *into += value);
        }
    }
}

/// Sum or mean over axes.
pub(in crate::gradient) struct Reduce<T> {
    /// Axes of the input, each with its step in the output (0 where it is summed over).
    pub axes: Vec<(usize, usize)>,
    /// One, or one over the number of elements.
    pub factor: T,
}

impl<T: Real> Reduce<T> {
    /// Calls for each row along the last axis with its start in the input and in the output.
    fn rows(&self, mut call: impl FnMut(usize, usize)) {
        let Some(((length, _), outer)) = self.axes.split_last() else { return };
        let count: usize = outer.iter().map(|(length, _)| length).product();
        let mut index = vec![0; outer.len()];
        for row in 0..count {
            let target = index.iter().zip(outer).map(|(i, (_, step))| i * step).sum();
            call(row * length, target);
            for (position, &(end, _)) in index.iter_mut().zip(outer).rev() {
                *position += 1;
                if *position < end {
                    break;
                }
                *position = 0;
            }
        }
    }
}

impl<T: Real> Op<T> for Reduce<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], _memory: &Memory<T>) -> Saved<T> {
        let mut totals = vec![0.0; output.len()];
        let (length, step) = self.axes.last().copied().unwrap_or((1, 0));
        self.rows(|from, to| {
            let row = &inputs[0][from..from + length];
            if step == 0 {
                totals[to] += row.iter().map(|value| value.wide()).sum::<f64>();
            } else {
                totals[to..].iter_mut().zip(row).for_each(|(total, value)| *total += value.wide());
            }
        });
        for (output, &total) in output.iter_mut().zip(&totals) {
            *output = T::of(total * self.factor.wide());
        }
        Saved::default()
    }

    fn backward(&self, _wrt: usize, _kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let (length, step) = self.axes.last().copied().unwrap_or((1, 0));
        self.rows(|from, to| {
            for (i, into) in into[from..from + length].iter_mut().enumerate() {
                *into += adjoint[to + i * step] * self.factor;
            }
        });
    }
}
