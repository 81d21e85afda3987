//! Functions of one number, element by element.

use crate::gradient::program::{Kept, Memory, Op, Saved};
use crate::gradient::real::{Real, erf};

/// A function of one number.
#[derive(Debug, Clone, Copy)]
pub(in crate::gradient) enum Function<T> {
    Relu,
    LeakyRelu(T),
    Clip(T, T),
    Sigmoid,
    Tanh,
    Elu(T),
    Selu(T, T),
    HardSigmoid(T, T),
    HardSwish,
    Swish(T),
    Softplus,
    Mish,
    Erf,
    Gelu,
    GeluTanh,
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    Abs,
    Neg,
}

impl<T: Real> Function<T> {
    fn value(self, x: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        match self {
            Self::Relu => stop_below(x, zero),
            Self::LeakyRelu(slope) => {
                if x < zero {
                    slope * x
                } else {
                    x
                }
            }
            Self::Clip(low, high) => clamp(x, low, high),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Elu(alpha) => {
                if x < zero {
                    alpha * x.exp_m1()
                } else {
                    x
                }
            }
            Self::Selu(alpha, gamma) => gamma * if x < zero { alpha * x.exp_m1() } else { x },
            Self::HardSigmoid(alpha, beta) => clamp(alpha * x + beta, zero, one),
            Self::HardSwish => x * clamp(x / T::of(6.0) + half, zero, one),
            Self::Swish(alpha) => x * sigmoid(alpha * x),
            Self::Softplus => softplus(x),
            Self::Mish => x * softplus(x).tanh(),
            Self::Erf => T::of(erf(x.wide())),
            Self::Gelu => x * T::of(normal(x.wide())),
            Self::GeluTanh => half * x * (one + gelu_inner(x).tanh()),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => one / x,
            Self::Abs => x.abs(),
            Self::Neg => -x,
        }
    }

    /// Derivative at x, where y is the value.
    fn slope(self, x: T, y: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        let when = |inside: bool, slope: T| if inside { slope } else { zero };
        match self {
            Self::Relu => when(y > zero, one),
            Self::LeakyRelu(slope) => {
                if x > zero {
                    one
                } else {
                    slope
                }
            }
            Self::Clip(low, high) => when(x >= low && x <= high, one),
            Self::Sigmoid => y * (one - y),
            Self::Tanh => one - y * y,
            Self::Elu(alpha) => {
                if x > zero {
                    one
                } else {
                    alpha * x.exp()
                }
            }
            Self::Selu(alpha, gamma) => gamma * if x > zero { one } else { alpha * x.exp() },
            Self::HardSigmoid(alpha, _) => when(y > zero && y < one, alpha),
            Self::HardSwish => {
                let three = T::of(3.0);
                if x > three { one } else { when(x > -three, x / three + half) }
            }
            Self::Swish(alpha) => {
                let s = sigmoid(alpha * x);
                s + alpha * x * s * (one - s)
            }
            Self::Softplus => sigmoid(x),
            Self::Mish => {
                let t = softplus(x).tanh();
                t + x * (one - t * t) * sigmoid(x)
            }
            Self::Erf => T::of(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).exp(),
            Self::Gelu => {
                let density = (-x * x * half).exp() * T::of(0.398_942_280_401_432_7);
                T::of(normal(x.wide())) + x * density
            }
            Self::GeluTanh => {
                let t = gelu_inner(x).tanh();
                let inner = T::of(SQRT_2_BY_PI) * (one + T::of(3.0 * GELU_CUBIC) * x * x);
                half * (one + t) + half * x * (one - t * t) * inner
            }
            Self::Exp => y,
            Self::Log => one / x,
            Self::Sqrt => half / y,
            Self::Reciprocal => -y * y,
            Self::Abs => when(x > zero, one) - when(x < zero, one),
            Self::Neg => -one,
        }
    }

    fn reads_input(self) -> bool {
        !matches!(
            self,
            Self::Relu
                | Self::Sigmoid
                | Self::Tanh
                | Self::Exp
                | Self::Sqrt
                | Self::Reciprocal
                | Self::Neg
                | Self::HardSigmoid(..)
        )
    }

    fn reads_output(self) -> bool {
        !self.reads_input() && !matches!(self, Self::Neg)
    }
}

const SQRT_2_BY_PI: f64 = 0.797_884_560_802_865_4;
const GELU_CUBIC: f64 = 0.044_715;

/// Not-a-number stays, unlike with `max`.
fn stop_below<T: Real>(x: T, low: T) -> T {
    if x <= low { low } else { x }
}

fn clamp<T: Real>(x: T, low: T, high: T) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + (-x).exp())
}

fn softplus<T: Real>(x: T) -> T {
    stop_below(x, T::zero()) + (-x.abs()).exp().ln_1p()
}

/// Cumulative normal distribution.
fn normal(x: f64) -> f64 {
    0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

fn gelu_inner<T: Real>(x: T) -> T {
    T::of(SQRT_2_BY_PI) * (x + T::of(GELU_CUBIC) * x * x * x)
}

/// A function of each element.
pub(in crate::gradient) struct Unary<T>(pub Function<T>);

impl<T: Real> Op<T> for Unary<T> {
    fn forward(&self, inputs: &[&[T]], output: &mut [T], _memory: &Memory<T>) -> Saved<T> {
        output.iter_mut().zip(inputs[0]).for_each(|(output, &input)| *output = self.0.value(input));
        Saved::default()
    }

    fn backward(&self, _wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], _memory: &Memory<T>) {
        let (input, output) = (kept.inputs[0], kept.output);
        let at = |values: &[T], index: usize| values.get(index).copied().unwrap_or(T::zero());
        for (index, (into, &adjoint)) in into.iter_mut().zip(adjoint).enumerate() {
            *into += adjoint * self.0.slope(at(input, index), at(output, index));
        }
    }

    fn reads(&self, _wrt: usize, _input: usize) -> bool {
        self.0.reads_input()
    }

    fn reads_output(&self) -> bool {
        self.0.reads_output()
    }
}
