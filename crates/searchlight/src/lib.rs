//! The mathematics of brain maps. Pure: no files, no clock.

mod grid;

pub use grid::Grid;
