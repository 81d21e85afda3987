//! Takes units, computes, stores.
//!
//! The data flow is the order of the modules: `job` loads what a spec names and plans it, `run` goes through the
//! units, `features` reads a model's layers into Gram matrices, `score` turns these into scores
//! while they are in memory, `maps` compares them with
//! what brains do around each voxel, `synthesis` makes images whose layers tell themselves apart, and everything lands in the store under the name the plan gave it. `events` tell an observer what happens. [`simulate`] turns the
//! same stream of activations into recordings.

mod behavior;
mod cards;
mod error;
mod events;
mod execution;
mod facts;
mod features;
mod heal;
mod job;
mod machine;
mod maps;
mod model;
mod neural;
mod opening;
mod parallel;
mod rows;
mod run;
mod score;
pub mod service;
mod simulate;
mod simulate_scan;
mod synthesis;
mod tiles;
mod units;

pub use cards::{find_cards, resolve};
pub use error::Error;
pub use events::{Event, Observer};
pub use execution::{Benchmarks, Execution, Pools};
pub use features::{Failures, Missing};
pub use job::Job;
pub use machine::{
    KERNEL_REVISION, available_memory_bytes, default_memory_bytes, measure, numeric_profile,
    peak_memory_bytes,
};
pub use maps::{MapCache, Scans};
pub use model::LoadedModel;
pub use opening::{OPEN_SECONDS, OpenerCommand, open_models_with, serve_opener, try_model};
pub use run::{Report, Work, run, work};
pub use simulate::{SimulationRequest, simulate};
pub use simulate_scan::{BrainRequest, SimulatedBrains};
pub use synthesis::{Batch, SynthesisModel};
