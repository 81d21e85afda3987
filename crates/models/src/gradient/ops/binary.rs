//! Functions of two numbers, with broadcasting.

use super::unary::Function;
use crate::gradient::program::{Kept, Memory, Op, Saved};
use crate::gradient::real::Real;

/// A function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gradient) enum Pair {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    /// a where it is positive, else a b.
    PRelu,
    Max,
    Min,
}

impl Pair {
    fn value<T: Real>(self, a: T, b: T) -> T {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => power(a, b),
            Self::PRelu => {
                if a < T::zero() {
                    a * b
                } else {
                    a
                }
            }
            Self::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
            Self::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
        }
    }

    /// Derivative with respect to the first (0) or second (1); numbers that [`Pair::reads`] does not name may be anything.
    fn slope<T: Real>(self, wrt: usize, a: T, b: T) -> T {
        let (zero, one) = (T::zero(), T::one());
        let when = |inside: bool, slope: T| if inside { slope } else { zero };
        match (self, wrt) {
            (Self::Add, _) | (Self::Sub, 0) => one,
            (Self::Sub, _) => -one,
            (Self::Mul, 0) => b,
            (Self::Mul, _) => a,
            (Self::Div, 0) => one / b,
            (Self::Div, _) => -a / (b * b),
            (Self::Pow, 0) => when(b != zero, b * power(a, b - one)),
            (Self::Pow, _) => when(a > zero, power(a, b) * a.ln()),
            (Self::PRelu, 0) => {
                if a > zero {
                    one
                } else {
                    b
                }
            }
            (Self::PRelu, _) => when(a < zero, a),
            (Self::Max, 0) => when(a >= b, one),
            (Self::Max, _) => when(b > a, one),
            (Self::Min, 0) => when(a <= b, one),
            (Self::Min, _) => when(b < a, one),
        }
    }

    fn reads(self, wrt: usize, input: usize) -> bool {
        match self {
            Self::Add | Self::Sub => false,
            Self::Mul => wrt != input,
            Self::Div => wrt == 1 || input == 1,
            Self::Pow | Self::PRelu | Self::Max | Self::Min => true,
        }
    }
}

/// Whole powers by multiplication, so that negative numbers have them too.
fn power<T: Real>(a: T, b: T) -> T {
    let whole = b.wide();
    if whole == 2.0 {
        return a * a;
    }
    if whole == 0.5 {
        return a.sqrt();
    }
    if whole.fract() == 0.0 && whole.abs() <= 64.0 { a.powi(whole as i32) } else { a.powf(b) }
}

/// A function of two tensors that are broadcast to the output's shape.
pub(in crate::gradient) struct Binary {
    pair: Pair,
    /// Output axes, merged where both inputs allow, and each input's step along them.
    axes: Vec<usize>,
    steps: [Vec<usize>; 2],
    relu: bool,
}

impl Binary {
    /// `None` if the shapes cannot be broadcast to `output`.
    pub fn new(pair: Pair, a: &[usize], b: &[usize], output: &[usize]) -> Option<Self> {
        let raw = [steps(a, output)?, steps(b, output)?];
        let mut axes: Vec<usize> = Vec::new();
        let mut merged: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
        for (axis, &length) in output.iter().enumerate() {
            if length == 1 {
                continue;
            }
            let here = [raw[0][axis], raw[1][axis]];
            // The axis before goes on where this one ends, in both inputs.
            let joins = !axes.is_empty()
                && (0..2).all(|side| merged[side].last().is_some_and(|&step| step == here[side] * length));
            if joins {
                if let Some(last) = axes.last_mut() {
                    *last *= length;
                }
            } else {
                axes.push(length);
            }
            for side in 0..2 {
                if joins {
                    merged[side].pop();
                }
                merged[side].push(here[side]);
            }
        }
        if axes.is_empty() {
            axes.push(1);
            merged = [vec![1], vec![1]];
        }
        Some(Self { pair, axes, steps: merged, relu: false })
    }

    /// Calls for each innermost run: start in the output and in both inputs.
    fn runs(&self, mut call: impl FnMut(usize, [usize; 2])) {
        let (outer, inner) = self.axes.split_at(self.axes.len() - 1);
        let length = inner.first().copied().unwrap_or(1);
        let mut index = vec![0; outer.len()];
        let count: usize = outer.iter().product();
        for run in 0..count {
            let start = |side: usize| index.iter().zip(&self.steps[side]).map(|(i, step)| i * step).sum();
            call(run * length, [start(0), start(1)]);
            for (position, &end) in index.iter_mut().zip(outer).rev() {
                *position += 1;
                if *position < end {
                    break;
                }
                *position = 0;
            }
        }
    }

    fn inner(&self) -> (usize, [usize; 2]) {
        let last = self.axes.len() - 1;
        (self.axes[last], [self.steps[0][last], self.steps[1][last]])
    }
}

/// Step of `shape` along each axis of `output`; 0 where it is repeated.
fn steps(shape: &[usize], output: &[usize]) -> Option<Vec<usize>> {
    let missing = output.len().checked_sub(shape.len())?;
    let mut steps = vec![0; output.len()];
    let mut step = 1;
    for (axis, &length) in shape.iter().enumerate().rev() {
        let target = output[axis + missing];
        if length != target && length != 1 {
            return None;
        }
        steps[axis + missing] = if length == 1 { 0 } else { step };
        step *= length;
    }
    Some(steps)
}

impl<T: Real> Op<T> for Binary {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], memory: &Memory<T>) -> Saved<T> {
        let (length, steps) = self.inner();
        self.runs(|start, [a, b]| {
            let output = &mut output[start..start + length];
            let (a, b) = (&inputs[0][a..], &inputs[1][b..]);
            match steps {
                [1, 1] => {
                    for ((output, &a), &b) in output.iter_mut().zip(a).zip(b) {
                        *output = self.pair.value(a, b);
                    }
                }
                [1, 0] => output.iter_mut().zip(a).for_each(|(out, &a)| *out = self.pair.value(a, b[0])),
                [0, 1] => output.iter_mut().zip(b).for_each(|(out, &b)| *out = self.pair.value(a[0], b)),
                [da, db] => {
                    for (i, output) in output.iter_mut().enumerate() {
                        *output = self.pair.value(a[i * da], b[i * db]);
                    }
                }
            }
        });
        let mut saved = Saved::default();
        if self.relu {
            saved.bytes = memory.bytes.take(output.len());
            for (value, pass) in output.iter_mut().zip(&mut saved.bytes) {
                let stopped = *value <= T::zero();
                *pass = u8::from(!stopped);
                *value = if stopped { T::zero() } else { *value };
            }
        }
        saved
    }

    fn backward(&self, wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], memory: &Memory<T>) {
        let mut masked = Vec::new();
        if self.relu {
            masked = memory.numbers.take(adjoint.len());
            super::conv::mask(adjoint, &kept.saved.bytes, &mut masked);
        }
        let adjoint = if self.relu { masked.as_slice() } else { adjoint };
        let (length, steps) = self.inner();
        let at = |input: usize, index: usize| kept.inputs[input].get(index).copied().unwrap_or(T::one());
        self.runs(|start, starts| {
            let adjoint = &adjoint[start..start + length];
            let slope = |i: usize| {
                let [a, b] = [0, 1].map(|input: usize| at(input, starts[input] + i * steps[input]));
                self.pair.slope(wrt, a, b)
            };
            if steps[wrt] == 0 {
                let total = adjoint.iter().enumerate().map(|(i, &adjoint)| (adjoint * slope(i)).wide());
                into[starts[wrt]] += T::of(total.sum::<f64>());
            } else if matches!(self.pair, Pair::Add) {
                let into = &mut into[starts[wrt]..starts[wrt] + length];
                into.iter_mut().zip(adjoint).for_each(|(into, &adjoint)| *into += adjoint);
            } else {
                for (i, &adjoint) in adjoint.iter().enumerate() {
                    into[starts[wrt] + i * steps[wrt]] += adjoint * slope(i);
                }
            }
        });
        memory.numbers.give(masked);
    }

    fn reads(&self, wrt: usize, input: usize) -> bool {
        self.pair.reads(wrt, input)
    }

    fn fuse_relu(&mut self) -> bool {
        !std::mem::replace(&mut self.relu, true)
    }
}

/// The function of the other number when one of the two is fixed, where there is a shorter way.
pub(in crate::gradient) fn simpler<T: Real>(pair: Pair, second: &[T]) -> Option<Function<T>> {
    match (pair, second) {
        (Pair::Pow, [exponent]) if exponent.wide() == 0.5 => Some(Function::Sqrt),
        _ => None,
    }
}
