//! NIfTI-1 and NIfTI-2 volumes: reading one volume at a time, writing maps.
//!
//! Formats: <https://nifti.nimh.nih.gov>. Single files (`.nii`, `.nii.gz`) of three or four axes, every integer and float
//! type of up to 64 bits, either byte order. Where a file leaves a choice (no affine, slope 0), nibabel's is taken.

mod affine;
mod decode;
mod header;
mod read;
mod write;

pub use header::{NiftiHeader, NiftiType, Placement};
pub use read::{NiftiReader, NiftiVolume, read_header, read_volume};
pub use write::{Intent, MapValues, NiftiMap};

/// Format name in messages.
const FORMAT: &str = "NIfTI";
