//! Recordings made from a layer: neurons with a known origin, to see whether a score finds it again.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::statistics::{mean, standard_deviation};
use crate::{Error, Feature, RandomState, TileConsumer};

/// Units drawn for each one that is mixed, since constant units say nothing and are passed over.
const CANDIDATES_PER_UNIT: usize = 4;

/// A unit counts as constant when its deviation is below this share of the largest among the drawn ones.
const CONSTANT_SHARE: f64 = 1e-6;

/// Most values (neurons x candidates x stimuli) that a simulation keeps: 8 GiB.
pub const MAX_SIMULATED_VALUES: usize = 1 << 30;

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// Number of neurons.
    pub neurons: usize,
    /// Units of the layer that each neuron mixes.
    pub units: usize,
    /// Presentations of each stimulus.
    pub repeats: usize,
    /// Share of the variance of the average over all presentations that is signal, above 0 and at most 1.
    pub reliability: f64,
    /// Seed of every random number.
    pub seed: u32,
}

/// Reads a layer tile by tile and makes recordings from it.
///
/// Neuron k mixes m randomly drawn units u, each standardised over the stimuli, with normal weights: d_k = Σ_u w_ku z_u. With d
/// standardised to s, its response in presentation r is s_k + σ ε, ε standard normal and σ² = R (1 - ρ) / ρ, so that the average over
/// the R presentations has reliability ρ.
pub struct SimulatedNeurons {
    simulation: Simulation,
    stimuli: usize,
    /// Candidates of each neuron, in the order drawn.
    candidates: Vec<Vec<usize>>,
    /// Values of every drawn unit.
    drawn: BTreeMap<usize, Vec<f64>>,
    random: RandomState,
    next_feature: u64,
}

impl SimulatedNeurons {
    /// Draws the units of each neuron from a layer of `features` units.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a quantity of the simulation that is 0 or out of range, [`Error::TooMany`] if it would keep more than
    /// [`MAX_SIMULATED_VALUES`].
    pub fn new(simulation: Simulation, stimuli: usize, features: usize) -> Result<Self, Error> {
        check(&simulation, stimuli, features)?;
        let mut random = RandomState::new(simulation.seed);
        let count = (simulation.units * CANDIDATES_PER_UNIT).min(features);
        let draw = |_| {
            let mut order = random.permutation(features);
            order.truncate(count);
            order
        };
        let candidates: Vec<Vec<usize>> = (0..simulation.neurons).map(draw).collect();
        let drawn = candidates.iter().flatten().map(|&unit| (unit, Vec::new())).collect();
        Ok(Self { simulation, stimuli, candidates, drawn, random, next_feature: 0 })
    }

    /// The recordings, repetitions x stimuli x neurons.
    ///
    /// # Errors
    /// [`Error::TooFew`] if a neuron drew only constant units.
    pub fn finish(mut self) -> Result<Array3<f64>, Error> {
        let units = self.standardised();
        let mut signal = Array2::zeros((self.stimuli, self.simulation.neurons));
        for (candidates, mut column) in self.candidates.iter().zip(signal.axis_iter_mut(Axis(1))) {
            // Every candidate has its weight, so that a unit on the verge of constant does not shift those of all others.
            let weighted: Vec<_> =
                candidates.iter().map(|unit| (units.get(unit), self.random.randn())).collect();
            let useful = weighted.into_iter().filter_map(|(values, weight)| Some((values?, weight)));
            let mut drive = vec![0.0; self.stimuli];
            for (values, weight) in useful.take(self.simulation.units) {
                drive.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
            let response = standardise(&drive).ok_or(Error::TooFew {
                what: "units of the layer that vary over the stimuli",
                needed: 1,
                found: 0,
            })?;
            column.iter_mut().zip(response).for_each(|(cell, value)| *cell = value);
        }
        let repeats = self.simulation.repeats as f64;
        let noise = (repeats * (1.0 - self.simulation.reliability) / self.simulation.reliability).sqrt();
        let shape = (self.simulation.repeats, self.stimuli, self.simulation.neurons);
        Ok(Array3::from_shape_fn(shape, |(_, stimulus, neuron)| {
            signal[[stimulus, neuron]] + noise * self.random.randn()
        }))
    }

    fn standardised(&self) -> BTreeMap<usize, Vec<f64>> {
        let deviation = |values: &Vec<f64>| standard_deviation(values);
        let largest = self.drawn.values().map(deviation).fold(0.0, f64::max);
        let varying = self.drawn.iter().filter(|(_, values)| deviation(values) > CONSTANT_SHARE * largest);
        varying.filter_map(|(&unit, values)| Some((unit, standardise(values)?))).collect()
    }
}

impl TileConsumer for SimulatedNeurons {
    fn push<T: Feature>(&mut self, first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        if first_feature != self.next_feature {
            return Err(Error::TileOrder { expected: self.next_feature, found: first_feature });
        }
        if tile.nrows() != self.stimuli {
            return Err(Error::Mismatch {
                what: "stimuli of a tile",
                expected: self.stimuli,
                found: tile.nrows(),
            });
        }
        let first = first_feature as usize;
        for (&unit, values) in self.drawn.range_mut(first..first + tile.ncols()) {
            values.extend(tile.column(unit - first).iter().map(|&value| -> f64 { value.into() }));
        }
        self.next_feature += tile.ncols() as u64;
        Ok(())
    }
}

fn check(simulation: &Simulation, stimuli: usize, features: usize) -> Result<(), Error> {
    let positive = [
        ("neurons", simulation.neurons),
        ("units", simulation.units),
        ("repeats", simulation.repeats),
        ("features", features),
    ];
    for (name, value) in positive {
        if value == 0 {
            return Err(Error::Parameter { name, value: "0".to_owned(), allowed: "must be at least 1" });
        }
    }
    if !(simulation.reliability > 0.0 && simulation.reliability <= 1.0) {
        let value = simulation.reliability.to_string();
        return Err(Error::Parameter {
            name: "reliability",
            value,
            allowed: "must be above 0 and at most 1",
        });
    }
    let per_neuron = simulation.units.saturating_mul(CANDIDATES_PER_UNIT).max(simulation.repeats);
    let found = simulation.neurons.saturating_mul(per_neuron).saturating_mul(stimuli);
    if found > MAX_SIMULATED_VALUES {
        let what = "values of a simulation (neurons x units x stimuli)";
        return Err(Error::TooMany { what, limit: MAX_SIMULATED_VALUES, found });
    }
    Ok(())
}

/// Mean 0, deviation 1; `None` for a constant.
fn standardise(values: &[f64]) -> Option<Vec<f64>> {
    let (centre, deviation) = (mean(values), standard_deviation(values));
    (deviation > 0.0).then(|| values.iter().map(|value| (value - centre) / deviation).collect())
}
