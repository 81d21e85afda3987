//! Tests of the mathematics of synthesis.

mod golden;
mod gradient;
mod toy;
