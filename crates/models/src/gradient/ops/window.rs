//! Windows that slide over the two spatial axes of an image.

use std::ops::Range;

use crate::gradient::real::{Kernel, Real};

/// Geometry of a convolution or pool; everything as [rows, columns].
#[derive(Debug, Clone)]
pub(in crate::gradient) struct Window {
    pub input: [usize; 2],
    pub kernel: [usize; 2],
    pub strides: [usize; 2],
    pub dilations: [usize; 2],
    /// Padding before the first row and column; what is needed after the last follows from `output`.
    pub pads: [usize; 2],
    pub output: [usize; 2],
}

/// Some channels, and `rows` rows of the output from `first` on.
#[derive(Debug, Clone, Copy)]
pub(in crate::gradient) struct Block {
    pub channels: usize,
    pub first: usize,
    pub rows: usize,
}

impl Window {
    /// Positions in one window.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether windows are the pixels themselves.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.strides == [1, 1] && self.pads == [0, 0] && self.input == self.output
    }

    /// Outputs, along an axis, whose tap `tap` lies inside the image.
    pub fn inside(&self, axis: usize, tap: usize) -> Range<usize> {
        let (stride, shift) = (self.strides[axis], tap * self.dilations[axis]);
        let first = self.pads[axis].saturating_sub(shift).div_ceil(stride);
        let end = (self.input[axis] + self.pads[axis]).saturating_sub(shift).div_ceil(stride);
        let end = end.min(self.output[axis]);
        first.min(end)..end
    }

    /// Input position, along an axis, of a tap of an output inside the image.
    pub fn position(&self, axis: usize, output: usize, tap: usize) -> usize {
        output * self.strides[axis] + tap * self.dilations[axis] - self.pads[axis]
    }

    /// Calls with each tap of each channel and each of `rows` output rows from `first` on: patch row, output row within the block,
    /// the columns inside the image, and the range of the input they come from (every `strides[1]`-th element); `None` when outside.
    #[inline(always)]
    fn segments(
        &self,
        Block { channels, first, rows }: Block,
        mut call: impl FnMut(usize, usize, Range<usize>, Option<usize>),
    ) {
        let [height, width] = self.input;
        let ranges = [0, 1].map(|axis| -> Vec<Range<usize>> {
            (0..self.kernel[axis]).map(|tap| self.inside(axis, tap)).collect()
        });
        let mut patch = 0;
        for channel in 0..channels {
            for (ky, inside_rows) in ranges[0].iter().enumerate() {
                for (kx, columns) in ranges[1].iter().enumerate() {
                    // Before the image for rows outside, which are not used.
                    let corner = (channel * height * width + first * self.strides[0] * width) as isize
                        + ((ky * self.dilations[0]) as isize - self.pads[0] as isize) * width as isize
                        + (columns.start * self.strides[1] + kx * self.dilations[1]) as isize
                        - self.pads[1] as isize;
                    for row in 0..rows {
                        let is_inside = inside_rows.contains(&(first + row)) && !columns.is_empty();
                        let start = corner + (row * self.strides[0] * width) as isize;
                        call(patch, row, columns.clone(), is_inside.then_some(start as usize));
                    }
                    patch += 1;
                }
            }
        }
    }
}

/// Writes the patches of `rows` output rows from `first` on: (channels x taps) x (rows x output columns), zero outside.
pub(in crate::gradient) struct Unroll;

impl<T: Real> Kernel<(&Window, Block, &[T], &mut [T])> for Unroll {
    #[inline(always)]
    fn run((window, block, input, patches): (&Window, Block, &[T], &mut [T])) {
        let (width, stride) = (window.output[1], window.strides[1]);
        window.segments(block, |patch, row, columns, start| {
            let target = &mut patches[(patch * block.rows + row) * width..][..width];
            let Some(start) = start else {
                target.fill(T::zero());
                return;
            };
            target[..columns.start].fill(T::zero());
            target[columns.end..].fill(T::zero());
            let target = &mut target[columns];
            if stride == 1 {
                target.copy_from_slice(&input[start..start + target.len()]);
            } else {
                for (target, &source) in target.iter_mut().zip(input[start..].iter().step_by(stride)) {
                    *target = source;
                }
            }
        });
    }
}

/// Adds patches back to where [`Unroll`] takes them from.
pub(in crate::gradient) struct Fold;

impl<T: Real> Kernel<(&Window, Block, &[T], &mut [T])> for Fold {
    #[inline(always)]
    fn run((window, block, patches, into): (&Window, Block, &[T], &mut [T])) {
        let (width, stride) = (window.output[1], window.strides[1]);
        window.segments(block, |patch, row, columns, start| {
            let Some(start) = start else { return };
            let source = &patches[(patch * block.rows + row) * width..][..width][columns];
            if stride == 1 {
                for (target, &source) in into[start..start + source.len()].iter_mut().zip(source) {
                    *target += source;
                }
            } else {
                for (target, &source) in into[start..].iter_mut().step_by(stride).zip(source) {
                    *target += source;
                }
            }
        });
    }
}
