//! Tests of the crate, one module per subject.

mod behavior;
mod ceiling;
mod correlation;
mod gram;
mod invariances;
mod neural;
mod neuron_to_neuron;
mod precision;
mod regression;
mod rng;
mod score;
mod similarity;
mod simulation;
mod splits;
mod statistics;
mod support;
