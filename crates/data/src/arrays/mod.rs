//! Arrays of numbers in npy, npz, safetensors and MATLAB files.

mod npy;
mod numbers;
mod safetensors;

pub use npy::{NpyArray, parse_npy, parse_npz};
pub(crate) use numbers::{Kind, checked_count};
pub use numbers::{Numbers, NumericArray};
pub use safetensors::{Tensors, parse_safetensors};
