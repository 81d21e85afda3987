//! The hostile kit: malformed inputs, made at run time in a folder of their own, and the real program on each of them under limits of
//! time and memory. A case passes when the program says what is wrong with which file, or does its work; panics, signals, hangs and
//! too much memory are failures.
//!
//! One module per family has a function `cases`; [`families`] lists them. `make hostile` runs all cases, `make test` a dose.

mod arrays;
mod base;
mod cards;
mod case;
mod damage;
mod files;
mod matlab;
mod names;
mod netcdf;
mod onnx;
mod run;
mod table;
mod tables;
mod terminal;

pub use case::{Case, Expect};
pub use run::{Ending, Limits, Outcome, run, run_all};
pub use table::{failures, table};

/// All cases.
#[must_use]
pub fn families() -> Vec<Case> {
    [
        cards::cases,
        names::cases,
        terminal::cases,
        tables::cases,
        arrays::cases,
        matlab::cases,
        netcdf::cases,
        files::cases,
        damage::cases,
        onnx::cases,
    ]
    .into_iter()
    .flat_map(|cases| cases())
    .collect()
}

/// The cases for everyday: without the heavy ones.
#[must_use]
pub fn dose() -> Vec<Case> {
    families().into_iter().filter(|case| !case.heavy).collect()
}
