//! Tests of the mathematics of brain maps.
