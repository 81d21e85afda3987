//! NumPy's npy and npz files (NEP 1 and its successors), numbers and text, never pickled objects.

use std::io::{Cursor, Read};

use super::numbers::{Kind, NumericArray, checked_count};
use crate::error::ParseError;
use crate::limits;

type Parsed<T> = Result<T, ParseError>;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The content of an npy file.
#[derive(Debug, Clone, PartialEq)]
pub enum NpyArray {
    /// Numbers; truth values are 0 and 1.
    Numeric(NumericArray),
    /// Text, flattened in memory order.
    Text(Vec<String>),
}

struct Header {
    descr: String,
    column_major: bool,
    shape: Vec<u64>,
}

/// Decodes an npy file.
///
/// # Errors
/// [`ParseError::Limit`] for a shape beyond [`limits`], [`ParseError::Truncated`] if the data are shorter than the shape
/// says, both before the array is allocated; [`ParseError::Unsupported`] for objects, structures and complex numbers.
pub fn parse_npy(bytes: &[u8]) -> Parsed<NpyArray> {
    let (header, data) = split_header(bytes)?;
    let header = parse_header(&header)?;
    let count = checked_count(&header.shape)?;
    let mut descr = header.descr.chars();
    let order = descr.next().unwrap_or(' ');
    let big_endian = match order {
        '<' | '|' | '=' => false,
        '>' => true,
        _ => return Err(ParseError::Invalid(format!("unknown byte order in descr '{}'", header.descr))),
    };
    let kind = descr.as_str();
    let element = element_bytes(kind, &header.descr)?;
    let needed = (count as u64).saturating_mul(element as u64);
    let found = data.len() as u64;
    if found < needed {
        return Err(ParseError::Truncated { what: "the array", needed, found });
    }
    let data = &data[..needed as usize];
    Ok(match number_kind(kind) {
        Some(number) => NpyArray::Numeric(NumericArray::new(
            header.shape.iter().map(|&d| d as usize).collect(),
            header.column_major,
            number.decode(data, big_endian),
        )?),
        None => NpyArray::Text(texts(data, kind, element, count, big_endian)?),
    })
}

fn split_header(bytes: &[u8]) -> Parsed<(String, &[u8])> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(ParseError::invalid(
            "it does not begin with the bytes \\x93NUMPY; save it with numpy.save",
        ));
    };
    let truncated = |found: usize| ParseError::Truncated {
        what: "the header",
        needed: found as u64 + 1,
        found: found as u64,
    };
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u32::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        [1..=3, ..] | [] => return Err(truncated(bytes.len())),
        [version, ..] => {
            return Err(ParseError::Unsupported(format!("npy version {version}"), "save it with numpy.save"));
        }
    };
    ParseError::check(
        "header length",
        length.into(),
        limits::MAX_NPY_HEADER_BYTES as u64,
        "MAX_NPY_HEADER_BYTES",
    )?;
    let length = length as usize;
    if rest.len() < length {
        return Err(ParseError::Truncated {
            what: "the header",
            needed: length as u64,
            found: rest.len() as u64,
        });
    }
    let (header, data) = rest.split_at(length);
    Ok((String::from_utf8_lossy(header).into_owned(), data))
}

/// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (4, 3), }`.
fn parse_header(header: &str) -> Parsed<Header> {
    let value = |key: &str| {
        let after = header.split_once(&format!("'{key}'")).map(|(_, rest)| rest.trim_start());
        after
            .and_then(|rest| rest.strip_prefix(':'))
            .map(str::trim_start)
            .ok_or_else(|| ParseError::Invalid(format!("the header has no '{key}'")))
    };
    let descr = value("descr")?;
    let Some(descr) = descr.strip_prefix('\'').and_then(|d| d.split_once('\'')).map(|(d, _)| d.to_string())
    else {
        return Err(ParseError::Unsupported("a structured array".into(), "save one array per field"));
    };
    let order = value("fortran_order")?;
    let column_major = order.starts_with("True");
    if !column_major && !order.starts_with("False") {
        return Err(ParseError::invalid("'fortran_order' is neither True nor False"));
    }
    let Some((shape, _)) = value("shape")?.strip_prefix('(').and_then(|s| s.split_once(')')) else {
        return Err(ParseError::invalid("'shape' is not a tuple"));
    };
    let length = |text: &str| {
        text.trim().parse::<u64>().map_err(|_| ParseError::Invalid(format!("bad length '{text}' in 'shape'")))
    };
    let shape =
        shape.split(',').filter(|s| !s.trim().is_empty()).map(length).collect::<Parsed<Vec<u64>>>()?;
    Ok(Header { descr, column_major, shape })
}

fn number_kind(kind: &str) -> Option<Kind> {
    Some(match kind {
        "b1" | "u1" => Kind::U8,
        "i1" => Kind::I8,
        "u2" => Kind::U16,
        "i2" => Kind::I16,
        "u4" => Kind::U32,
        "i4" => Kind::I32,
        "u8" => Kind::U64,
        "i8" => Kind::I64,
        "f2" => Kind::F16,
        "f4" => Kind::F32,
        "f8" => Kind::F64,
        _ => return None,
    })
}

fn element_bytes(kind: &str, descr: &str) -> Parsed<usize> {
    if let Some(number) = number_kind(kind) {
        return Ok(number.bytes());
    }
    let text = kind.strip_prefix('U').map(|n| (n, 4)).or_else(|| kind.strip_prefix('S').map(|n| (n, 1)));
    let length = text.and_then(|(n, width)| n.parse::<usize>().ok()?.checked_mul(width));
    length.ok_or_else(|| {
        ParseError::Unsupported(format!("dtype '{descr}'"), "save real numbers or text, not objects")
    })
}

fn texts(data: &[u8], kind: &str, element: usize, count: usize, big_endian: bool) -> Parsed<Vec<String>> {
    ParseError::check("number of texts", count as u64, limits::MAX_STIMULI as u64, "MAX_STIMULI")?;
    if element == 0 {
        return Ok(vec![String::new(); count]);
    }
    let decode = |cell: &[u8]| -> Parsed<String> {
        let text = if kind.starts_with('U') {
            let code = |b: &[u8; 4]| if big_endian { u32::from_be_bytes(*b) } else { u32::from_le_bytes(*b) };
            cell.as_chunks::<4>().0.iter().map(|b| char::from_u32(code(b))).collect::<Option<String>>()
        } else {
            String::from_utf8(cell.to_vec()).ok()
        };
        let text = text.ok_or_else(|| ParseError::invalid("a text is not valid Unicode"))?;
        Ok(text.trim_end_matches('\0').to_string())
    };
    data.chunks_exact(element).map(decode).collect()
}

/// Decodes an npz file: the arrays in the order of the archive, without the `.npy` of their names.
///
/// # Errors
/// As [`parse_npy`], naming the array; a damaged zip archive; an array whose inflated size is beyond
/// [`limits::MAX_FILE_BYTES`], or that inflate by more than [`limits::MAX_INFLATED_BYTES`].
pub fn parse_npz(bytes: &[u8]) -> Parsed<Vec<(String, NpyArray)>> {
    let damaged = |e: zip::result::ZipError| ParseError::Invalid(format!("damaged archive: {e}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let (mut left, mut growth) = (limits::MAX_FILE_BYTES, limits::MAX_INFLATED_BYTES);
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.into_owned();
        let Some(name) = name.strip_suffix(".npy").map(str::to_string) else { continue };
        let what = format!("inflated size of array `{name}`");
        ParseError::check(&what, entry.size(), left, "MAX_FILE_BYTES")?;
        // Arrays that are stored as they are may be as large as files; what inflates may be a bomb.
        let stored = entry.compressed_size();
        let most = left.min(stored.saturating_add(growth));
        ParseError::check(&what, entry.size(), most, "MAX_INFLATED_BYTES")?;
        let mut content = Vec::new();
        let read = entry.by_ref().take(most + 1).read_to_end(&mut content);
        read.map_err(|e| ParseError::Invalid(format!("array `{name}`: {e}; the archive is damaged")))?;
        let size = content.len() as u64;
        ParseError::check(&what, size, most, "MAX_INFLATED_BYTES")?;
        (left, growth) = (left - size, growth.saturating_sub(size.saturating_sub(stored)));
        let array = parse_npy(&content).map_err(|e| within(&name, e))?;
        arrays.push((name, array));
    }
    Ok(arrays)
}

fn within(name: &str, error: ParseError) -> ParseError {
    ParseError::Invalid(format!("array `{name}`: {error}"))
}
