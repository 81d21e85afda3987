//! Tests of the mathematics of brain maps.

mod group;
mod map;
