//! Convolution in two dimensions as products of matrices over blocks that stay in the second-level cache.

use faer::MatMut;
use rayon::prelude::*;

use super::window::{Block, Fold, Unroll, Window};
use crate::gradient::program::{Kept, Memory, Op, Saved};
use crate::gradient::real::{Factor, Kernel, Real, product, vectorised};

/// Elements of one block of unrolled image patches: 1 MiB in f32.
const BLOCK: usize = 1 << 18;
/// Rows of the unrolled patches that one product makes going backwards.
const BACKWARD_ROWS: usize = 192;

/// y = w * x + b, then possibly a ReLU.
pub(in crate::gradient) struct Conv<T> {
    groups: usize,
    /// Channels in and out of one group.
    channels: [usize; 2],
    window: Window,
    /// All output channels x (input channels of the group x kernel).
    weight: Vec<T>,
    bias: Option<Vec<T>>,
    relu: bool,
}

impl<T: Real> Conv<T> {
    /// `channels` are those in and out of one group; `weight` has groups x out x in x kernel elements.
    pub fn new(
        groups: usize,
        channels: [usize; 2],
        window: Window,
        weight: Vec<T>,
        bias: Option<Vec<T>>,
    ) -> Self {
        Self { groups, channels, window, weight, bias, relu: false }
    }

    fn depth(&self) -> usize {
        self.channels[0] * self.window.taps()
    }

    /// Elements of one group's input and output.
    fn group_sizes(&self) -> [usize; 2] {
        let [input, output] = [self.window.input, self.window.output];
        [self.channels[0] * input[0] * input[1], self.channels[1] * output[0] * output[1]]
    }

    /// Output rows per block of patches; depends on the shape alone.
    fn block_rows(&self, depth: usize) -> usize {
        (BLOCK / (depth * self.window.output[1]).max(1)).clamp(1, self.window.output[0])
    }

    fn forward_group(&self, weight: &[T], input: &[T], output: &mut [T], memory: &Memory<T>) {
        let (depth, [height, width]) = (self.depth(), self.window.output);
        let columns = height * width;
        let channels = self.channels[1];
        if self.window.is_pointwise() {
            let patches = Factor::new(input, depth, columns).view();
            let rows = channels.div_ceil(2).max(32);
            output.par_chunks_mut(rows * columns).zip(weight.par_chunks(rows * depth)).for_each(
                |(out, weight)| {
                    let rows = weight.len() / depth;
                    let out = MatMut::from_row_major_slice_mut(out, rows, columns);
                    product(out, false, Factor::new(weight, rows, depth).view(), patches, T::one());
                },
            );
            return;
        }
        let rows = self.block_rows(depth);
        let weight = Factor::new(weight, channels, depth).view();
        let output = MatMut::from_row_major_slice_mut(output, channels, columns);
        output.par_col_chunks_mut(rows * width).enumerate().for_each(|(block, out)| {
            let count = out.ncols();
            let mut patches = memory.numbers.take(depth * rows * width);
            let used = &mut patches[..depth * count];
            let block = Block { channels: self.channels[0], first: block * rows, rows: count / width };
            vectorised(Unroll, (&self.window, block, input, &mut *used));
            product(out, false, weight, Factor::new(used, depth, count).view(), T::one());
            memory.numbers.give(patches);
        });
    }

    /// Adds w^T `adjoint` to `into`, input channels in blocks that are disjoint.
    fn backward_group(&self, weight: &[T], adjoint: &[T], into: &mut [T], memory: &Memory<T>) {
        let (taps, [height, width]) = (self.window.taps(), self.window.output);
        let (columns, channels) = (height * width, self.channels[1]);
        let plane = self.window.input[0] * self.window.input[1];
        let weight = Factor::new(weight, channels, self.depth()).view();
        let adjoint = Factor::new(adjoint, channels, columns).view();
        if self.window.is_pointwise() {
            let rows = self.channels[0].div_ceil(2).max(32);
            into.par_chunks_mut(rows * columns).enumerate().for_each(|(block, out)| {
                let count = out.len() / columns;
                let part = weight.subcols(block * rows, count).transpose();
                product(MatMut::from_row_major_slice_mut(out, count, columns), true, part, adjoint, T::one());
            });
            return;
        }
        let per_block = (BACKWARD_ROWS / taps).clamp(1, self.channels[0]);
        let rows = self.block_rows(per_block * taps);
        into.par_chunks_mut(per_block * plane).enumerate().for_each(|(block, out)| {
            let count = out.len() / plane;
            let part = weight.subcols(block * per_block * taps, count * taps).transpose();
            let mut patches = memory.numbers.take(per_block * taps * rows * width);
            for first in (0..height).step_by(rows) {
                let used_rows = rows.min(height - first);
                let used = &mut patches[..count * taps * used_rows * width];
                let target = MatMut::from_row_major_slice_mut(&mut *used, count * taps, used_rows * width);
                let here = adjoint.subcols(first * width, used_rows * width);
                product(target, false, part, here, T::one());
                let block = Block { channels: count, first, rows: used_rows };
                vectorised(Fold, (&self.window, block, &*used, &mut *out));
            }
            memory.numbers.give(patches);
        });
    }
}

/// Bias and ReLU; the last argument says where the ReLU let the value pass.
struct Finish;

impl<T: Real> Kernel<(&Conv<T>, &mut [T], &mut [u8])> for Finish {
    #[inline(always)]
    fn run((conv, output, mask): (&Conv<T>, &mut [T], &mut [u8])) {
        let plane = conv.window.output[0] * conv.window.output[1];
        let count = conv.groups * conv.channels[1];
        let bias = |channel: usize| conv.bias.as_ref().map_or(T::zero(), |bias| bias[channel % count]);
        if !conv.relu {
            if conv.bias.is_some() {
                for (channel, row) in output.chunks_exact_mut(plane).enumerate() {
                    let bias = bias(channel);
                    row.iter_mut().for_each(|value| *value += bias);
                }
            }
            return;
        }
        let rows = output.chunks_exact_mut(plane).zip(mask.chunks_exact_mut(plane));
        for (channel, (row, mask)) in rows.enumerate() {
            let bias = bias(channel);
            for (value, pass) in row.iter_mut().zip(mask) {
                let sum = *value + bias;
                let stopped = sum <= T::zero();
                *pass = u8::from(!stopped);
                *value = if stopped { T::zero() } else { sum };
            }
        }
    }
}

impl<T: Real> Op<T> for Conv<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], memory: &Memory<T>) -> Saved<T> {
        let weight = self.channels[1] * self.depth();
        let [per_input, per_output] = self.group_sizes();
        let weights = self.weight.chunks_exact(weight).cycle();
        let groups = output.chunks_exact_mut(per_output).zip(inputs[0].chunks_exact(per_input));
        for ((output, input), weight) in groups.zip(weights) {
            self.forward_group(weight, input, output, memory);
        }
        let mut saved = Saved::default();
        if self.relu {
            saved.bytes = memory.bytes.take(output.len());
        }
        vectorised(Finish, (self, output, saved.bytes.as_mut_slice()));
        saved
    }

    fn backward(&self, _wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], memory: &Memory<T>) {
        let mut masked = Vec::new();
        if self.relu {
            masked = memory.numbers.take(adjoint.len());
            mask(adjoint, &kept.saved.bytes, &mut masked);
        }
        let adjoint = if self.relu { masked.as_slice() } else { adjoint };
        let weight = self.channels[1] * self.depth();
        let [per_input, per_output] = self.group_sizes();
        let weights = self.weight.chunks_exact(weight).cycle();
        let groups = adjoint.chunks_exact(per_output).zip(into.chunks_exact_mut(per_input));
        for ((adjoint, into), weight) in groups.zip(weights) {
            self.backward_group(weight, adjoint, into, memory);
        }
        memory.numbers.give(masked);
    }

    fn fuse_relu(&mut self) -> bool {
        !std::mem::replace(&mut self.relu, true)
    }

    fn fuse_affine(&mut self, scale: &[T], shift: &[T]) -> bool {
        let channels = self.groups * self.channels[1];
        if self.relu || scale.len() != channels || shift.len() != channels {
            return false;
        }
        for (row, &scale) in self.weight.chunks_exact_mut(self.channels[0] * self.window.taps()).zip(scale) {
            row.iter_mut().for_each(|weight| *weight *= scale);
        }
        let bias = self.bias.get_or_insert_with(|| vec![T::zero(); channels]);
        for ((bias, &scale), &shift) in bias.iter_mut().zip(scale).zip(shift) {
            *bias = *bias * scale + shift;
        }
        true
    }
}

/// `values` where `pass` is 1, zero elsewhere.
pub(super) fn mask<T: Real>(values: &[T], pass: &[u8], out: &mut [T]) {
    vectorised(Mask, (values, pass, out));
}

struct Mask;

impl<T: Real> Kernel<(&[T], &[u8], &mut [T])> for Mask {
    #[inline(always)]
    fn run((values, pass, out): (&[T], &[u8], &mut [T])) {
        for ((out, &value), &pass) in out.iter_mut().zip(values).zip(pass) {
            *out = if pass == 0 { T::zero() } else { value };
        }
    }
}
