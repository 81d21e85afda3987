//! A small random convolutional network with its own derivatives.

use std::convert::Infallible;

use ndarray::{Array2, Array4, ArrayView2, ArrayView4, Axis, LinalgScalar};
use rayon::prelude::*;
use ventral_synthesis::{Network, Real};

/// No input at this place: padding.
const NONE: u32 = u32::MAX;

/// Networks see pixels with their usual mean and spread removed.
const CONTRAST: f64 = 4.0;

struct Convolution<T> {
    /// Outputs x inputs of one position.
    weights: Array2<T>,
    /// Where each input of each position lies in the layer before.
    places: Vec<u32>,
    positions: usize,
    inputs: usize,
}

/// What follows each convolution.
#[derive(Clone, Copy, PartialEq)]
pub enum Activation {
    Relu,
    /// log(1 + exp(x)): like the other but without a kink.
    Softplus,
}

pub struct Toy<T> {
    layers: Vec<Convolution<T>>,
    /// Which layers are given out; one may be given out twice.
    shown: Vec<usize>,
    units: Vec<usize>,
    activation: Activation,
}

/// Channels and stride of each layer.
pub type Shape<'a> = &'a [(usize, usize)];

pub const EIGHT: Shape<'static> = &[(8, 2), (12, 1), (16, 2), (16, 1), (24, 2), (24, 1), (32, 1), (32, 1)];
pub const THREE: Shape<'static> = &[(4, 1), (5, 2), (6, 1)];

fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut value = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((value ^ (value >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Nearly normal: enough for weights.
pub fn normal(state: &mut u64) -> f64 {
    (0..12).map(|_| random(state)).sum::<f64>() - 6.0
}

impl<T: Real + LinalgScalar> Toy<T> {
    pub fn new(size: [usize; 2], shape: Shape<'_>, activation: Activation, seed: u64) -> Self {
        let mut state = seed;
        let ([mut height, mut width], mut channels) = (size, 3);
        let mut layers = Vec::new();
        for (index, &(outputs, stride)) in shape.iter().enumerate() {
            let inputs = 9 * channels;
            let (rows, columns) = (height.div_ceil(stride), width.div_ceil(stride));
            let mut places = Vec::new();
            for position in 0..rows * columns {
                for tap in 0..inputs {
                    let (channel, down, right) = (tap / 9, tap % 9 / 3, tap % 3);
                    let row = (position / columns * stride + down).wrapping_sub(1);
                    let column = (position % columns * stride + right).wrapping_sub(1);
                    let inside = row < height && column < width;
                    let place = || match index {
                        0 => (channel * height + row) * width + column,
                        _ => (row * width + column) * channels + channel,
                    };
                    places.push(if inside { place() as u32 } else { NONE });
                }
            }
            let scale = (2.0 / inputs as f64).sqrt();
            let weights =
                Array2::from_shape_fn((outputs, inputs), |_| T::from_f64(scale * normal(&mut state)));
            layers.push(Convolution { weights, places, positions: rows * columns, inputs });
            (height, width, channels) = (rows, columns, outputs);
        }
        let shown: Vec<usize> = (0..layers.len()).collect();
        let units = layers.iter().map(|layer| layer.positions * layer.weights.nrows()).collect();
        Self { layers, shown, units, activation }
    }

    /// Gives out these layers.
    pub fn showing(mut self, shown: &[usize]) -> Self {
        self.units = shown.iter().map(|&layer| self.units[layer]).collect();
        self.shown = shown.to_vec();
        self
    }

    fn activate(&self, value: T) -> T {
        let value = value.to_f64();
        T::from_f64(match self.activation {
            Activation::Relu => value.max(0.0),
            Activation::Softplus => value.exp().ln_1p(),
        })
    }

    /// Slope from the value after the activation.
    fn slope(&self, value: T) -> T {
        let value = value.to_f64();
        T::from_f64(match self.activation {
            Activation::Relu => f64::from(value > 0.0),
            Activation::Softplus => 1.0 - (-value).exp(),
        })
    }

    /// All layers of one image.
    fn one(&self, image: &[T]) -> Vec<Vec<T>> {
        let mut found: Vec<Vec<T>> = Vec::new();
        for layer in &self.layers {
            let input = found.last().map_or(image, Vec::as_slice);
            let gathered: Vec<T> = layer
                .places
                .iter()
                .map(|&place| input.get(place as usize).copied().unwrap_or_default())
                .collect();
            let gathered = ArrayView2::from_shape((layer.positions, layer.inputs), &gathered).unwrap();
            let output = gathered.dot(&layer.weights.t());
            found.push(output.iter().map(|&value| self.activate(value)).collect());
        }
        found
    }

    fn one_back(&self, trace: &[Vec<T>], adjoints: Vec<&[T]>, values: usize) -> Vec<T> {
        let mut slopes: Vec<Vec<T>> = trace.iter().map(|layer| vec![T::default(); layer.len()]).collect();
        for (&layer, adjoint) in self.shown.iter().zip(adjoints) {
            slopes[layer].iter_mut().zip(adjoint).for_each(|(slope, value)| *slope += *value);
        }
        let mut input = Vec::new();
        for index in (0..self.layers.len()).rev() {
            let layer = &self.layers[index];
            let own: Vec<T> = slopes[index]
                .iter()
                .zip(&trace[index])
                .map(|(&slope, &value)| slope * self.slope(value))
                .collect();
            let own = ArrayView2::from_shape((layer.positions, layer.weights.nrows()), &own).unwrap();
            let gathered = own.dot(&layer.weights);
            let size = if index == 0 { values } else { trace[index - 1].len() };
            let mut before =
                if index == 0 { vec![T::default(); size] } else { std::mem::take(&mut slopes[index - 1]) };
            for (&place, &slope) in layer.places.iter().zip(&gathered) {
                if let Some(target) = before.get_mut(place as usize) {
                    *target += slope;
                }
            }
            if index == 0 {
                input = before;
            } else {
                slopes[index - 1] = before;
            }
        }
        input
    }
}

impl<T: Real + LinalgScalar> Network<T> for Toy<T> {
    type Trace = Vec<Vec<Vec<T>>>;
    type Error = Infallible;

    fn units(&self) -> &[usize] {
        &self.units
    }

    fn forward(&self, images: ArrayView4<'_, T>) -> Result<(Vec<Array2<T>>, Self::Trace), Infallible> {
        let normal = |value: &T| T::from_f64((value.to_f64() - 0.5) * CONTRAST);
        let images: Vec<Vec<T>> =
            images.outer_iter().map(|image| image.iter().map(normal).collect()).collect();
        let trace: Vec<_> = images.par_iter().map(|image| self.one(image)).collect();
        let layers = self.shown.iter().zip(&self.units).map(|(&layer, &units)| {
            Array2::from_shape_fn((images.len(), units), |(image, unit)| trace[image][layer][unit])
        });
        Ok((layers.collect(), trace))
    }

    fn backward(&self, trace: Self::Trace, adjoints: &[Array2<T>]) -> Result<Array4<T>, Infallible> {
        let places = self.layers[0].places.iter().filter(|&&place| place != NONE);
        let values = places.max().map_or(0, |&largest| largest as usize + 1);
        let back: Vec<Vec<T>> = trace
            .par_iter()
            .enumerate()
            .map(|(image, trace)| {
                let rows = adjoints.iter().map(|layer| layer.row(image).to_slice().unwrap()).collect();
                self.one_back(trace, rows, values)
            })
            .collect();
        let side = ((values / 3) as f64).sqrt() as usize;
        let mut result = Array4::from_elem((trace.len(), 3, side, side), T::default());
        for (mut image, back) in result.axis_iter_mut(Axis(0)).zip(back) {
            let scaled = |value: T| T::from_f64(value.to_f64() * CONTRAST);
            image.iter_mut().zip(back).for_each(|(target, value)| *target = scaled(value));
        }
        Ok(result)
    }
}
