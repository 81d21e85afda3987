//! The mathematics of scores: Gram matrices, splits, regressions, RSA, CKA, ceilings.
//!
//! Everything here is a pure function of its input: no files, no clock, and the same bytes for any number of threads.
//! A layer is read once, tile by tile, into a [`LayerGram`]; every metric but [`NeuronToNeuron`] needs nothing else.

mod ceiling;
mod cka;
pub mod correlation;
mod error;
mod gram;
mod neuron_to_neuron;
mod rdm;
mod regression;
mod rng;
mod score;
mod simulation;
mod splits;
pub mod statistics;

pub use ceiling::*;
pub use cka::*;
pub use error::Error;
pub use gram::*;
pub use neuron_to_neuron::*;
pub use rdm::*;
pub use regression::*;
pub use rng::*;
pub use score::*;
pub use simulation::*;
pub use splits::*;
