//! Tests of the mathematics of synthesis.

mod checkpoint;
mod golden;
mod gradient;
mod invariance;
mod natural;
mod reference;
mod run;
mod settings;
mod toy;
mod transforms;
