//! The mathematics of scores: Gram matrices, splits, regressions, RSA, CKA, ceilings.
//!
//! Everything here is a pure function of its input: no files, no clock, and the same bytes for any number of threads.
//! A layer is read once, tile by tile, into a [`LayerGram`]; most metrics need nothing else, the others read the same tiles.

mod behavior;
mod ceiling;
mod cka;
pub mod correlation;
mod cross_validated;
mod dimensionality;
mod distribution;
mod error;
mod gram;
mod neuron_to_neuron;
mod pca;
mod pcg;
mod python_random;
mod rdm;
mod regression;
mod reverse;
mod rng;
mod score;
mod simulation;
mod splits;
pub mod statistics;
mod time_bins;
mod unit_property;

pub use behavior::*;
pub use ceiling::*;
pub use cka::*;
pub use cross_validated::*;
pub use dimensionality::*;
pub use distribution::*;
pub use error::Error;
pub use gram::*;
pub use neuron_to_neuron::*;
pub use pca::*;
pub use pcg::*;
pub use python_random::*;
pub use rdm::*;
pub use regression::*;
pub use reverse::*;
pub use rng::*;
pub use score::*;
pub use simulation::*;
pub use splits::*;
pub use time_bins::*;
pub use unit_property::*;
