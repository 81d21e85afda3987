//! Decodes untrusted files into checked, labelled arrays: recordings, images, activations, benchmark cards.
//!
//! Every reader bounds what it takes from a file ([`limits`]) before it takes memory for it, never panics on bytes,
//! and says in its [`Error`] which file and field is wrong, what was found, and what to do.

mod assembly;
mod error;
mod files;
pub mod limits;
mod netcdf;
mod table;

pub use assembly::{Assembly, REPETITION, STIMULUS_ID};
pub use error::{Error, ParseError, Result};
pub use files::sha256_file;
pub use netcdf::{assembly_to_bytes, parse_assembly, read_assembly, write_assembly};
pub use table::{Column, Table, Values, parse_table, read_table};
