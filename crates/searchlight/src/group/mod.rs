//! Statistics of a group's maps. Arrays are subjects x voxels; NaN is an undefined value.

mod adjacency;
mod analysis;
pub(crate) mod check;
mod cluster;
mod distribution;

mod fdr;
mod flips;
mod maxstat;
mod signflip;
mod t;
mod tfce;
mod tree;

pub(crate) use adjacency::check_ascending;
pub use adjacency::{Adjacency, Connectivity, MAX_NEIGHBOURS, MAX_VOXELS};
pub use analysis::*;
pub use cluster::*;
pub use distribution::*;
pub use fdr::*;
pub use flips::{DEFAULT_DRAWS, Flips, MAX_DRAWS, MAX_EXHAUSTIVE_SUBJECTS};
pub use maxstat::*;
pub use signflip::{SignFlipTest, fwe, fwe_over_layers, joint_maxima, sign_flip_test};
pub use t::*;
pub use tfce::*;
