//! Tests of the mathematics of synthesis.

mod gradient;
mod reference;
mod toy;
