//! The mathematics of images whose layers tell themselves apart. Pure: no files, no clock.
//!
//! A [`Run`] draws random images and changes them, step by step, until the similarity matrices (RSMs) that a network's layers
//! give them are as unrelated as possible. The network is anything that implements [`Network`]. What a set of images is worth
//! is measured by [`evaluate`] and compared with natural images by [`natural`].

mod adam;
mod checkpoint;
mod error;
pub mod evaluate;
mod gram;
pub mod natural;
mod network;
pub mod objective;
pub mod parametrisation;
pub mod quantise;
mod random;
mod real;
mod record;
pub mod regulariser;
mod run;
mod settings;
mod stop;
pub mod transforms;

pub use adam::{Adam, BETA_1, BETA_2, EPSILON};
pub use error::{CheckpointError, Error, StepError};
pub use network::Network;
pub use real::Real;
pub use record::StepRecord;
pub use run::Run;
pub use settings::{
    MAX_IMAGES, MAX_LAYERS, MAX_PIXELS, MAX_SIDE, MAX_STEPS, MIN_IMAGES, MIN_SIDE, Objective,
    Parametrisation, Settings, StopRule, Transforms, USUAL_IMAGES,
};
pub use stop::{MEASURE_EVERY, STALL_STEPS, StopReason};

/// Revision of the algorithm: objective, transforms, Adam, stop rule, quantiser, evaluation; a change of any byte of a result raises it.
pub const REVISION: u32 = 1;
