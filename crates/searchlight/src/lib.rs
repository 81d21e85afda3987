//! The mathematics of brain maps. Pure: no files, no clock.

mod ceiling;
mod compare;
mod error;
mod factored;
mod grid;
pub mod group;
pub mod layermap;
mod layers;
mod neighbourhood;
mod patterns;
mod permutation;
mod range;
mod rank;
mod reliability;
mod residual;
mod rsm;
pub mod simulation;

pub use ceiling::{
    Ceiling, CeilingMap, ceiling_range, compare_vector, noise_ceiling, rsm_range, share_of_ceiling,
};
pub use compare::{fisher_z, inverse_fisher_z};
pub use error::Error;
pub use factored::{FactoredLayers, map_range_factored};
pub use grid::{AFFINE_TOLERANCE_MM, Grid, MAX_GRID_VOXELS};
pub use layers::{Comparison, LayerRsms, MAX_LAYERS};
pub use neighbourhood::{Edge, MAX_CENTRES, MAX_MEMBERS, MAX_REACH_VOXELS, Neighbourhoods, Radius, Shape};
pub use patterns::{MAX_IMAGES, MAX_RUNS, Patterns, Preparation, Removed, noise_sd, prepare};
pub use permutation::{MAX_PERMUTATIONS, Permutations, RangeNull, TIE, image_permutations, permute_range};
pub use range::{Options, RangeMap, map_range, map_range_parallel};
pub use reliability::{Reliability, odd_even, reliability_range, spearman_brown};
pub use residual::{LayerDesign, MAX_CONDITION, MAX_INFLATION, Residual, ResidualMap, WARN_INFLATION};
pub use rsm::RsmKind;
