//! Numbers of HDF5 files by name: MATLAB level 7.3, NetCDF-4, and HDF5 itself.

use std::collections::HashMap;

use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};

use crate::arrays::{Kind, NumericArray};
use crate::error::ParseError;
use crate::limits;

type Parsed<T> = Result<T, ParseError>;

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// MATLAB writes 512 bytes of its own before the HDF5 file.
const MATLAB_HEADER: usize = 512;
/// Group in which MATLAB keeps what cells and fields of struct arrays refer to.
const REFERENCES: &str = "#refs#";
/// Attribute of everything that MATLAB writes.
const MATLAB_CLASS: &str = "MATLAB_class";
/// Bytes of a reference to an object.
const REFERENCE_BYTES: usize = 8;
/// Most elements of a cell or struct array.
const MAX_ELEMENTS_OF_CELL: u64 = 100_000;
/// Attributes of numbers that are stored packed.
const PACKED: [&str; 2] = ["scale_factor", "add_offset"];
/// Deflate makes nothing more than this many times smaller: an array that claims more is a bomb.
const MAX_INFLATION: u64 = 1100;
/// Read whatever the size of the file.
const SMALL_READ_BYTES: u64 = 1 << 20;

/// Whether these are the bytes of an HDF5 file.
pub(crate) fn is_hdf5(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE) || bytes.get(MATLAB_HEADER..).is_some_and(|rest| rest.starts_with(SIGNATURE))
}

/// The arrays that a path names, as MATLAB paths do: `variable`, `group.variable`, and `cells[*]` or `structs[*].field` for each
/// element of an array of cells or structs. The axes are those of the program that wrote the file: MATLAB's are column-major.
///
/// # Errors
/// [`ParseError`] for a damaged file, sizes beyond [`crate::limits`], a path that leads nowhere, and what is no array of numbers.
pub(crate) fn arrays(bytes: Vec<u8>, path: &str) -> Parsed<Vec<NumericArray>> {
    let decoded = (bytes.len() as u64).saturating_mul(MAX_INFLATION).saturating_add(SMALL_READ_BYTES);
    let options = OpenOptions::default().with_max_read_bytes(decoded.min(limits::MAX_ELEMENTS * 8) as usize);
    let file = Hdf5File::from_vec_with_options(bytes, options).map_err(invalid)?;
    let place = path.replace("[*]", "").replace('.', "/");
    let dataset = file.dataset(&place).map_err(|_| {
        let root = file.root_group().and_then(|root| root.member_names());
        let names = root.map(|(groups, datasets)| [groups, datasets].concat().join(", ")).unwrap_or_default();
        ParseError::Invalid(format!("there is no array `{path}`; the file has: {names}"))
    })?;
    if !matches!(dataset.dtype(), Datatype::Reference { .. }) {
        return Ok(vec![numbers(&dataset, path)?]);
    }
    let count = dataset.num_elements().map_err(invalid)?;
    ParseError::check("elements of a cell array", count, MAX_ELEMENTS_OF_CELL, "MAX_ELEMENTS_OF_CELL")?;
    let references = dataset.read_raw_bytes().map_err(invalid)?;
    let targets = file.group(REFERENCES).and_then(|group| group.datasets()).map_err(invalid)?;
    let by_address: HashMap<u64, &Dataset> = targets.iter().map(|found| (found.address(), found)).collect();
    let (references, _) = references.as_chunks::<REFERENCE_BYTES>();
    let target = |reference: &[u8; REFERENCE_BYTES]| {
        let found = by_address.get(&u64::from_le_bytes(*reference));
        numbers(found.ok_or_else(|| ParseError::Invalid(format!("`{path}` refers to nothing")))?, path)
    };
    references.iter().map(target).collect()
}

fn numbers(dataset: &Dataset, path: &str) -> Parsed<NumericArray> {
    let has = |name: &str| dataset.attribute(name).is_ok();
    if let Some(packed) = PACKED.into_iter().find(|name| has(name)) {
        let problem = format!("`{path}` is packed (attribute `{packed}`)");
        return Err(ParseError::Unsupported(problem, "store the numbers themselves"));
    }
    let (kind, big_endian) = match *dataset.dtype() {
        Datatype::FloatingPoint { size, byte_order } => (real(size), byte_order == ByteOrder::BigEndian),
        Datatype::FixedPoint { size, signed, byte_order } => {
            (whole(size, signed), byte_order == ByteOrder::BigEndian)
        }
        _ => (None, false),
    };
    let kind = kind.ok_or_else(|| {
        ParseError::Invalid(format!("numbers are needed, `{path}` holds {:?}", dataset.dtype()))
    })?;
    let mut shape = Vec::new();
    for &length in dataset.shape() {
        ParseError::check("length of an axis", length, limits::MAX_ELEMENTS, "MAX_ELEMENTS")?;
        shape.push(length as usize);
    }
    let elements = dataset.num_elements().map_err(invalid)?;
    ParseError::check("number of elements", elements, limits::MAX_ELEMENTS, "MAX_ELEMENTS")?;
    let of_matlab = has(MATLAB_CLASS);
    if of_matlab {
        shape.reverse();
    }
    let bytes = dataset.read_raw_bytes().map_err(invalid)?;
    NumericArray::new(shape, of_matlab, kind.decode(&bytes, big_endian))
}

fn real(size: u8) -> Option<Kind> {
    match size {
        2 => Some(Kind::F16),
        4 => Some(Kind::F32),
        8 => Some(Kind::F64),
        _ => None,
    }
}

fn whole(size: u8, signed: bool) -> Option<Kind> {
    Some(match (size, signed) {
        (1, true) => Kind::I8,
        (1, false) => Kind::U8,
        (2, true) => Kind::I16,
        (2, false) => Kind::U16,
        (4, true) => Kind::I32,
        (4, false) => Kind::U32,
        (8, true) => Kind::I64,
        (8, false) => Kind::U64,
        _ => return None,
    })
}

fn invalid(e: hdf5_reader::error::Error) -> ParseError {
    ParseError::Invalid(format!("{e}; the file is damaged or no HDF5 file, fetch or export it again"))
}
