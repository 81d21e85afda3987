//! Safetensors files, through the format's own crate.

use super::numbers::{Kind, NumericArray, checked_count};
use crate::error::ParseError;

/// The tensors of a file and its free text.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensors {
    /// Name and content, sorted by name.
    pub tensors: Vec<(String, NumericArray)>,
    /// The `__metadata__` of the header, sorted by key.
    pub metadata: Vec<(String, String)>,
}

/// Decodes a safetensors file.
///
/// # Errors
/// [`ParseError::Invalid`] for a damaged or truncated file, [`ParseError::Limit`] beyond [`crate::limits`],
/// [`ParseError::Unsupported`] for packed number types.
pub fn parse_safetensors(bytes: &[u8]) -> Result<Tensors, ParseError> {
    use safetensors::{Dtype, SafeTensors};
    let damaged = |e: safetensors::SafeTensorError| {
        ParseError::Invalid(format!("{e}; the file is damaged or truncated, fetch it again"))
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let mut metadata: Vec<(String, String)> =
        header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    metadata.sort();
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        let kind = match view.dtype() {
            Dtype::BOOL | Dtype::U8 => Kind::U8,
            Dtype::I8 => Kind::I8,
            Dtype::U16 => Kind::U16,
            Dtype::I16 => Kind::I16,
            Dtype::U32 => Kind::U32,
            Dtype::I32 => Kind::I32,
            Dtype::U64 => Kind::U64,
            Dtype::I64 => Kind::I64,
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::Bf16,
            Dtype::F32 => Kind::F32,
            Dtype::F64 => Kind::F64,
            other => {
                return Err(ParseError::Unsupported(
                    format!("tensor `{name}` of type {other:?}"),
                    "store it as F32",
                ));
            }
        };
        let shape: Vec<u64> = view.shape().iter().map(|&d| d as u64).collect();
        let count = checked_count(&shape)?;
        let needed = count as u64 * kind.bytes() as u64;
        if view.data().len() as u64 != needed {
            let found = view.data().len() as u64;
            return Err(ParseError::Truncated { what: "a tensor", needed, found });
        }
        let array = NumericArray::new(view.shape().to_vec(), false, kind.decode(view.data(), false))?;
        tensors.push((name.to_string(), array));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Tensors { tensors, metadata })
}
