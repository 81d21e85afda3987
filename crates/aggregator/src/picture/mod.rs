//! What pages of maps and of synthesised images share: colours, matrices, small pictures, numbers as text.

mod bar;
mod matrix;
mod numbers;
pub(crate) mod palette;
mod png;

pub(crate) use bar::{bar, ramp};
pub(crate) use matrix::{Range, matrix, rsms};
pub(crate) use numbers::{number, thousands, two};
pub(crate) use png::{data_uri, photograph, png};
