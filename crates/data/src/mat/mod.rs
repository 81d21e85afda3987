//! MATLAB level-5 files (`.mat` of MATLAB 5 to 7.2): numbers, text, cells and structs, within limits.
//!
//! Format: "MAT-File Format", The MathWorks. Own code, because the one crate that reads structs and cells takes every
//! size of the file at its word. Level 7.3 files are HDF5 and are refused with that explanation.

mod lookup;
mod parse;

use std::path::Path;

use crate::arrays::NumericArray;
use crate::error::{Error, ParseError, Result};
use crate::limits;
pub(crate) use lookup::{numeric, texts};

/// A value of a MATLAB file.
#[derive(Debug, Clone, PartialEq)]
pub enum MatValue {
    /// A numeric or logical array, column-major.
    Numeric(NumericArray),
    /// A character array: one text per row.
    Text(Vec<String>),
    /// A cell array: shape and elements in column-major order.
    Cell(Vec<usize>, Vec<MatValue>),
    /// A struct array.
    Struct(MatStruct),
    /// Something this reader does not decode: its kind.
    Other(&'static str),
}

/// A struct array of any shape; a scalar struct has one element.
#[derive(Debug, Clone, PartialEq)]
pub struct MatStruct {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Names of the fields.
    pub fields: Vec<String>,
    /// Values, element by element in column-major order, the fields of one element together.
    pub values: Vec<MatValue>,
}

/// The variables of a MATLAB file, in file order.
#[derive(Debug, Clone, PartialEq)]
pub struct MatFile {
    /// Name and value.
    pub variables: Vec<(String, MatValue)>,
}

/// Reads a MATLAB level-5 file.
///
/// # Errors
/// [`Error::Io`], or [`Error::Parse`] for a damaged or truncated file, level 7.3, or sizes beyond [`crate::limits`].
pub fn read_mat(path: &Path) -> Result<MatFile> {
    let bytes = crate::files::read_file(path, limits::MAX_FILE_BYTES, "MAX_FILE_BYTES")?;
    parse_mat(&bytes).map_err(|e| Error::parse(path, "MATLAB level-5 file", e))
}

/// [`read_mat`] from bytes.
///
/// # Errors
/// [`ParseError`] as there.
pub fn parse_mat(bytes: &[u8]) -> std::result::Result<MatFile, ParseError> {
    Ok(MatFile { variables: parse::variables(bytes)? })
}

impl MatValue {
    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match self {
            MatValue::Numeric(a) => format!("a numeric array {:?}", a.shape()),
            MatValue::Text(rows) => format!("text of {} rows", rows.len()),
            MatValue::Cell(shape, _) => format!("a cell array {shape:?}"),
            MatValue::Struct(s) => {
                format!("a struct array {:?} with the fields {}", s.shape, s.fields.join(", "))
            }
            MatValue::Other(kind) => format!("{kind}, which is not read"),
        }
    }
}
