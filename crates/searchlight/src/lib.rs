//! The mathematics of brain maps. Pure: no files, no clock.

mod compare;
mod error;
mod grid;
pub mod group;
mod layers;
mod neighbourhood;
mod patterns;
mod range;
mod rank;
mod rsm;

pub use compare::{fisher_z, inverse_fisher_z};
pub use error::Error;
pub use grid::{AFFINE_TOLERANCE_MM, Grid, MAX_GRID_VOXELS};
pub use layers::{Comparison, LayerRsms, MAX_LAYERS};
pub use neighbourhood::{Edge, MAX_CENTRES, MAX_MEMBERS, MAX_REACH_VOXELS, Neighbourhoods, Radius, Shape};
pub use patterns::{MAX_IMAGES, MAX_RUNS, Patterns, Preparation, Removed, noise_sd, prepare};
pub use range::{Options, RangeMap, map_range, map_range_parallel};
pub use rsm::RsmKind;
