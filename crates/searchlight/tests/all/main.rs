//! Tests of the mathematics of brain maps.

mod group;
mod layermap;
mod map;
mod simulation;
