//! Normalisation.

use crate::gradient::program::{Kept, Memory, Op, Saved};
use crate::gradient::real::{Kernel, Real, vectorised};

/// y = scale x + shift with one scale and shift per channel: batch normalisation outside training.
pub(in crate::gradient) struct Affine<T> {
    pub scale: Vec<T>,
    pub shift: Vec<T>,
    /// Elements of one channel.
    pub plane: usize,
}

impl<T: Real> Op<T> for Affine<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], _memory: &Memory<T>) -> Saved<T> {
        let planes = output.chunks_exact_mut(self.plane).zip(inputs[0].chunks_exact(self.plane));
        let channels = self.scale.iter().zip(&self.shift).cycle();
        for ((output, input), (&scale, &shift)) in planes.zip(channels) {
            output.iter_mut().zip(input).for_each(|(output, &input)| *output = input * scale + shift);
        }
        Saved::default()
    }

    fn backward(&self, _wrt: usize, _kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let planes = into.chunks_exact_mut(self.plane).zip(adjoint.chunks_exact(self.plane));
        for ((into, adjoint), &scale) in planes.zip(self.scale.iter().cycle()) {
            into.iter_mut().zip(adjoint).for_each(|(into, &adjoint)| *into += adjoint * scale);
        }
    }
}

/// Local response normalisation over neighbouring channels: y = x s^-beta with s = bias + alpha / size * sum of x² over the window.
pub(in crate::gradient) struct Lrn<T> {
    pub channels: usize,
    /// Elements of one channel.
    pub plane: usize,
    pub size: usize,
    pub alpha: T,
    pub beta: T,
    pub bias: T,
}

/// The operator; input, s and adjoint; what is added to; scratch of an image and of a plane.
type LrnBackward<'a, T> = (&'a Lrn<T>, [&'a [T]; 3], &'a mut [T], &'a mut Vec<T>, &'a mut Vec<T>);

impl<T: Real> Lrn<T> {
    fn ratio(&self) -> T {
        self.alpha / T::of(self.size as f64)
    }

    /// Channels in the window of `channel`, as ONNX centres it.
    fn neighbours(&self, channel: usize) -> std::ops::Range<usize> {
        let before = (self.size - 1) / 2;
        let end = (channel + self.size - before).min(self.channels);
        channel.saturating_sub(before)..end
    }

    /// Channels that have `channel` in their window.
    fn seen_by(&self, channel: usize) -> std::ops::Range<usize> {
        let after = self.size - 1 - (self.size - 1) / 2;
        let end = (channel + self.size - after).min(self.channels);
        channel.saturating_sub(after)..end
    }

    #[inline(always)]
    fn power(&self, sums: &[T], out: &mut [T]) {
        let one = T::one();
        if self.beta == T::of(0.75) {
            for (out, sum) in out.iter_mut().zip(sums) {
                let root = sum.sqrt();
                *out = one / (root * root.sqrt());
            }
        } else if self.beta == T::of(0.5) {
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = one / sum.sqrt());
        } else {
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum.powf(-self.beta));
        }
    }
}

/// One image forwards; the last argument becomes s.
struct LrnForwards;

impl<T: Real> Kernel<(&Lrn<T>, &[T], &mut [T], &mut [T])> for LrnForwards {
    #[inline(always)]
    fn run((lrn, input, output, sums): (&Lrn<T>, &[T], &mut [T], &mut [T])) {
        let (plane, ratio) = (lrn.plane, lrn.ratio());
        let channels = sums.chunks_exact_mut(plane).zip(output.chunks_exact_mut(plane));
        for (channel, (sums, output)) in channels.enumerate() {
            sums.fill(T::zero());
            for neighbour in lrn.neighbours(channel) {
                let values = &input[neighbour * plane..][..plane];
                sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value * value);
            }
            sums.iter_mut().for_each(|sum| *sum = lrn.bias + ratio * *sum);
            lrn.power(sums, output);
            let values = &input[channel * plane..][..plane];
            output.iter_mut().zip(values).for_each(|(output, &value)| *output *= value);
        }
    }
}

/// One image backwards. `spread` becomes, per channel, adjoint x s^(-beta - 1), which every channel in its window meets.
struct LrnBackwards;

impl<T: Real> Kernel<LrnBackward<'_, T>> for LrnBackwards {
    #[inline(always)]
    fn run((lrn, given, into, spread, total): LrnBackward<'_, T>) {
        let plane = lrn.plane;
        let channels = spread.chunks_exact_mut(plane).zip(into.chunks_exact_mut(plane));
        for (channel, (spread, into)) in channels.enumerate() {
            let [input, sums, adjoint] = given.map(|values| &values[channel * plane..][..plane]);
            lrn.power(sums, spread);
            let items = spread.iter_mut().zip(into).zip(input).zip(sums).zip(adjoint);
            for ((((spread, into), &value), &sum), &adjoint) in items {
                let direct = adjoint * *spread;
                *into += direct;
                *spread = direct * value / sum;
            }
        }
        let factor = T::of(-2.0) * lrn.beta * lrn.ratio();
        for (channel, into) in into.chunks_exact_mut(plane).enumerate() {
            total.fill(T::zero());
            for other in lrn.seen_by(channel) {
                let values = &spread[other * plane..][..plane];
                total.iter_mut().zip(values).for_each(|(total, &value)| *total += value);
            }
            let values = &given[0][channel * plane..][..plane];
            for ((into, &total), &value) in into.iter_mut().zip(&*total).zip(values) {
                *into += factor * value * total;
            }
        }
    }
}

impl<T: Real> Op<T> for Lrn<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], memory: &Memory<T>) -> Saved<T> {
        let image = self.channels * self.plane;
        let mut sums = memory.numbers.take(output.len());
        let images = output.chunks_exact_mut(image).zip(inputs[0].chunks_exact(image));
        for ((output, input), sums) in images.zip(sums.chunks_exact_mut(image)) {
            vectorised(LrnForwards, (self, input, output, sums));
        }
        Saved { numbers: sums, ..Saved::default() }
    }

    fn backward(&self, _wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], memory: &Memory<T>) {
        let image = self.channels * self.plane;
        let given = kept.inputs[0].chunks_exact(image).zip(kept.saved.numbers.chunks_exact(image));
        let images = into.chunks_exact_mut(image).zip(adjoint.chunks_exact(image)).zip(given);
        let mut spread = memory.numbers.take(image);
        let mut total = memory.numbers.take(self.plane);
        for ((into, adjoint), (input, sums)) in images {
            vectorised(LrnBackwards, (self, [input, sums, adjoint], into, &mut spread, &mut total));
        }
        memory.numbers.give(total);
        memory.numbers.give(spread);
    }

    fn reads(&self, _wrt: usize, _input: usize) -> bool {
        true
    }
}

/// Normalisation to mean 0 and variance 1 over rows of `length` elements; scale and shift follow as other steps.
pub(in crate::gradient) struct LayerNorm<T> {
    pub length: usize,
    pub epsilon: T,
}

impl<T: Real> Op<T> for LayerNorm<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], memory: &Memory<T>) -> Saved<T> {
        let mut scales = memory.numbers.take(output.len() / self.length);
        let rows = output.chunks_exact_mut(self.length).zip(inputs[0].chunks_exact(self.length));
        let count = self.length as f64;
        for ((output, input), scale) in rows.zip(&mut scales) {
            let mean = T::of(input.iter().map(|value| value.wide()).sum::<f64>() / count);
            let variance = input.iter().map(|&value| (value - mean).wide().powi(2)).sum::<f64>() / count;
            *scale = T::one() / (T::of(variance) + self.epsilon).sqrt();
            output.iter_mut().zip(input).for_each(|(output, &value)| *output = (value - mean) * *scale);
        }
        Saved { numbers: scales, ..Saved::default() }
    }

    fn backward(&self, _wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let rows = adjoint.chunks_exact(self.length).zip(kept.output.chunks_exact(self.length));
        let rows = rows.zip(into.chunks_exact_mut(self.length)).zip(&kept.saved.numbers);
        let count = self.length as f64;
        for (((adjoint, output), into), &scale) in rows {
            let mean = T::of(adjoint.iter().map(|value| value.wide()).sum::<f64>() / count);
            let along = adjoint.iter().zip(output).map(|(a, y)| a.wide() * y.wide()).sum::<f64>();
            let along = T::of(along / count);
            for ((into, &adjoint), &output) in into.iter_mut().zip(adjoint).zip(output) {
                *into += scale * (adjoint - mean - output * along);
            }
        }
    }

    fn reads_output(&self) -> bool {
        true
    }
}

/// Softmax, or its logarithm, over an axis: `outer` x `length` x `inner`.
pub(in crate::gradient) struct Softmax {
    pub length: usize,
    pub inner: usize,
    pub logarithm: bool,
}

impl Softmax {
    /// Calls with the indices of each group of elements that is normalised.
    fn groups(&self, total: usize, mut call: impl FnMut(std::iter::StepBy<std::ops::Range<usize>>)) {
        for start in (0..total).step_by((self.length * self.inner).max(1)) {
            for offset in start..start + self.inner {
                call((offset..start + self.length * self.inner).step_by(self.inner));
            }
        }
    }
}

impl<T: Real> Op<T> for Softmax {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], _memory: &Memory<T>) -> Saved<T> {
        let input = inputs[0];
        self.groups(output.len(), |group| {
            let largest = group.clone().fold(T::neg_infinity(), |largest, i| largest.max(input[i]));
            let total = T::of(group.clone().map(|i| (input[i] - largest).exp().wide()).sum::<f64>());
            let logarithm = total.ln();
            for i in group {
                let shifted = input[i] - largest;
                output[i] = if self.logarithm { shifted - logarithm } else { shifted.exp() / total };
            }
        });
        Saved::default()
    }

    fn backward(&self, _wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let output = kept.output;
        self.groups(adjoint.len(), |group| {
            let weight = |i: usize| if self.logarithm { T::one() } else { output[i] };
            let total = T::of(group.clone().map(|i| (adjoint[i] * weight(i)).wide()).sum::<f64>());
            for i in group {
                into[i] += if self.logarithm {
                    adjoint[i] - output[i].exp() * total
                } else {
                    output[i] * (adjoint[i] - total)
                };
            }
        });
    }

    fn reads_output(&self) -> bool {
        true
    }
}
