//! Tests of every reader: on files made by `scripts/goldens/data.py`, on damaged files, on real data.

mod arrays;
mod assembly;
mod behavior;
mod benchmarks;
mod check;
mod damage;
mod datasets;
mod images;
mod messages;
mod nifti;
mod rsa;
mod scan;
mod support;
