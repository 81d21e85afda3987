//! From a group's maps to which layer is where. Maps are layers x voxels; NaN is an undefined value.

mod benchmark;
mod hierarchy;
mod overlap;
mod selectivity;
mod threshold;
mod winner;

pub use benchmark::*;
pub use hierarchy::*;
pub use overlap::*;
pub use selectivity::*;
pub use threshold::*;
pub use winner::*;
