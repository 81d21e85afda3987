//! BrainIO assemblies in NetCDF-4 files (spec §7.1). The only module that knows the NetCDF crates.

mod read;
mod write;

pub use read::{parse_assembly, read_assembly};
pub use write::{assembly_to_bytes, write_assembly};
