//! The binary structure: tags, compressed elements, matrices.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::{MatStruct, MatValue};
use crate::arrays::{Kind, Numbers, NumericArray, checked_count};
use crate::error::ParseError;
use crate::limits;

type Parsed<T> = Result<T, ParseError>;

const HEADER_BYTES: usize = 128;
const HDF5_MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
const TAG_BYTES: usize = 8;

// Data types of elements.
const MI_INT8: u32 = 1;
const MI_INT32: u32 = 5;
const MI_UINT32: u32 = 6;
const MI_MATRIX: u32 = 14;
const MI_COMPRESSED: u32 = 15;

// Array classes.
const MX_CELL: u8 = 1;
const MX_STRUCT: u8 = 2;
const MX_CHAR: u8 = 4;
const MX_FIRST_NUMERIC: u8 = 6;
const MX_LAST_NUMERIC: u8 = 15;
const FLAG_COMPLEX: u32 = 0x0800;

/// Every variable with a name.
pub(super) fn variables(bytes: &[u8]) -> Parsed<Vec<(String, MatValue)>> {
    if bytes.starts_with(HDF5_MAGIC) || bytes.get(512..520) == Some(HDF5_MAGIC) {
        return Err(ParseError::Unsupported("a MATLAB 7.3 (HDF5) file".into(), "save it with -v7"));
    }
    let header = bytes.get(..HEADER_BYTES).ok_or(ParseError::Truncated {
        what: "the file header",
        needed: HEADER_BYTES as u64,
        found: bytes.len() as u64,
    })?;
    let big_endian = match &header[124..128] {
        [0, 1, b'I', b'M'] => false,
        [1, 0, b'M', b'I'] => true,
        _ => return Err(ParseError::invalid("not a MATLAB level-5 file; save it with -v7")),
    };
    let mut reader = Reader { rest: &bytes[HEADER_BYTES..], big_endian };
    let mut inflated_left = limits::MAX_INFLATED_BYTES;
    let (mut variables, mut nested) = (Vec::new(), 0);
    while !reader.rest.is_empty() {
        let element = reader.element()?;
        let named = match element.kind {
            MI_COMPRESSED => {
                let inflated = inflate(element.data, big_endian, &mut inflated_left)?;
                let inner = Reader { rest: &inflated, big_endian }.element()?;
                if inner.kind != MI_MATRIX {
                    return Err(ParseError::invalid(
                        "a compressed element holds something else than an array",
                    ));
                }
                matrix(inner.data, big_endian, 0, &mut nested)?
            }
            MI_MATRIX => matrix(element.data, big_endian, 0, &mut nested)?,
            // Other top-level elements carry no variables.
            _ => continue,
        };
        // The subsystem data of MATLAB objects are stored without a name.
        if !named.0.is_empty() {
            variables.push(named);
        }
    }
    Ok(variables)
}

/// The one element that a compressed one holds. Its tag says how large it is: memory is taken for no more than that.
fn inflate(compressed: &[u8], big_endian: bool, left: &mut u64) -> Parsed<Vec<u8>> {
    let damaged = |e: std::io::Error| {
        ParseError::Invalid(format!("a compressed variable is damaged or truncated: {e}"))
    };
    let mut decoder = ZlibDecoder::new(compressed);
    let mut tag = [0; TAG_BYTES];
    decoder.read_exact(&mut tag).map_err(damaged)?;
    let [_, _, _, _, length @ ..] = tag;
    let length = u64::from(Reader { rest: &[], big_endian }.word(length));
    let used = limits::MAX_INFLATED_BYTES - *left + length;
    ParseError::check("inflated size", used, limits::MAX_INFLATED_BYTES, "MAX_INFLATED_BYTES")?;
    let mut inflated = tag.to_vec();
    decoder.by_ref().take(length).read_to_end(&mut inflated).map_err(damaged)?;
    // The checksum is looked at where the stream ends, behind padding at most.
    std::io::copy(&mut decoder.take(TAG_BYTES as u64), &mut std::io::sink()).map_err(damaged)?;
    *left -= length;
    Ok(inflated)
}

struct Element<'a> {
    kind: u32,
    data: &'a [u8],
}

struct Reader<'a> {
    rest: &'a [u8],
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn element(&mut self) -> Parsed<Element<'a>> {
        let truncated = |needed: u64, found: usize| ParseError::Truncated {
            what: "an element",
            needed,
            found: found as u64,
        };
        let &[a, b, c, d, e, f, g, h, ..] = self.rest else {
            return Err(truncated(TAG_BYTES as u64, self.rest.len()));
        };
        let (first, second) = (self.word([a, b, c, d]), self.word([e, f, g, h]));
        // The small format packs the length into the upper half of the first word and up to 4 bytes into the second.
        if first >> 16 != 0 {
            let length = (first >> 16) as usize;
            let data = self.rest[4..8].get(..length).ok_or_else(|| {
                ParseError::Invalid(format!(
                    "a small element claims {length} bytes, 4 are possible; the file is damaged"
                ))
            })?;
            self.rest = &self.rest[TAG_BYTES..];
            return Ok(Element { kind: first & 0xffff, data });
        }
        let body = &self.rest[TAG_BYTES..];
        let length = second as usize;
        let data = body.get(..length).ok_or_else(|| truncated(u64::from(second), body.len()))?;
        let padded = if first == MI_COMPRESSED { length } else { length.next_multiple_of(TAG_BYTES) };
        // The last element of a matrix may lack its padding.
        self.rest = body.get(padded..).unwrap_or_default();
        Ok(Element { kind: first, data })
    }

    fn expect(&mut self, kind: u32, what: &str) -> Parsed<&'a [u8]> {
        let element = self.element()?;
        if element.kind != kind {
            return Err(ParseError::Invalid(format!(
                "{what} has data type {}, {kind} expected",
                element.kind
            )));
        }
        Ok(element.data)
    }

    fn words(&self, data: &[u8]) -> Vec<u32> {
        data.as_chunks::<4>().0.iter().map(|b| self.word(*b)).collect()
    }
}

/// Name and value of an array; `nested` counts the elements of all cells and structs of the file.
fn matrix(data: &[u8], big_endian: bool, depth: usize, nested: &mut u64) -> Parsed<(String, MatValue)> {
    ParseError::check(
        "nesting of cells and structs",
        depth as u64,
        limits::MAX_NESTING as u64,
        "MAX_NESTING",
    )?;
    let empty = || {
        Ok((String::new(), MatValue::Numeric(NumericArray::new(vec![0, 0], true, Numbers::F64(Vec::new()))?)))
    };
    if data.is_empty() {
        return empty();
    }
    let mut reader = Reader { rest: data, big_endian };
    let flags_data = reader.expect(MI_UINT32, "the array flags")?;
    let flags = *reader.words(flags_data).first().ok_or_else(|| ParseError::invalid("empty array flags"))?;
    let class = (flags & 0xff) as u8;
    // Opaque objects have no dimensions.
    if class == 17 {
        return Ok((String::new(), MatValue::Other("a MATLAB object")));
    }
    let dimensions = reader.expect(MI_INT32, "the dimensions")?;
    let shape: Vec<u64> = reader.words(dimensions).into_iter().map(u64::from).collect();
    let count = checked_count(&shape)?;
    let shape: Vec<usize> = shape.into_iter().map(|d| d as usize).collect();
    let name = String::from_utf8_lossy(reader.expect(MI_INT8, "the name")?).into_owned();
    let value = match class {
        MX_CELL => MatValue::Cell(shape, children(&mut reader, count, depth, nested)?),
        MX_STRUCT => structure(&mut reader, shape, count, depth, nested)?,
        MX_CHAR => text(&mut reader, &shape, nested)?,
        3 => MatValue::Other("an object"),
        5 => MatValue::Other("a sparse matrix"),
        16 => MatValue::Other("a function handle"),
        MX_FIRST_NUMERIC..=MX_LAST_NUMERIC if flags & FLAG_COMPLEX != 0 => MatValue::Other("a complex array"),
        MX_FIRST_NUMERIC..=MX_LAST_NUMERIC => {
            let numbers = numbers(&mut reader)?;
            MatValue::Numeric(NumericArray::new(shape, true, numbers)?)
        }
        _ => return Err(ParseError::Invalid(format!("unknown array class {class}; the file is damaged"))),
    };
    Ok((name, value))
}

fn numbers(reader: &mut Reader<'_>) -> Parsed<Numbers> {
    let element = reader.element()?;
    let kind = match element.kind {
        1 => Kind::I8,
        2 => Kind::U8,
        3 => Kind::I16,
        4 => Kind::U16,
        5 => Kind::I32,
        6 => Kind::U32,
        7 => Kind::F32,
        9 => Kind::F64,
        12 => Kind::I64,
        13 => Kind::U64,
        other => {
            return Err(ParseError::Invalid(format!("unknown number type {other}; the file is damaged")));
        }
    };
    Ok(kind.decode(element.data, reader.big_endian))
}

/// Nested arrays; each needs a tag, which bounds how many the bytes can hold.
fn children(reader: &mut Reader<'_>, count: usize, depth: usize, nested: &mut u64) -> Parsed<Vec<MatValue>> {
    let possible = reader.rest.len() / TAG_BYTES;
    if count > possible {
        let (needed, found) = (count as u64 * TAG_BYTES as u64, reader.rest.len() as u64);
        return Err(ParseError::Truncated { what: "the elements of a cell or struct", needed, found });
    }
    count_nested(count, nested)?;
    let big_endian = reader.big_endian;
    (0..count)
        .map(|_| Ok(matrix(reader.expect(MI_MATRIX, "a nested array")?, big_endian, depth + 1, nested)?.1))
        .collect()
}

/// A few bytes, and none once they are inflated, make a value of many.
fn count_nested(count: usize, nested: &mut u64) -> Parsed<()> {
    *nested += count as u64;
    let what = "number of elements of cells, structs and texts";
    ParseError::check(what, *nested, limits::MAX_NESTED_VALUES, "MAX_NESTED_VALUES")
}

fn structure(
    reader: &mut Reader<'_>,
    shape: Vec<usize>,
    count: usize,
    depth: usize,
    nested: &mut u64,
) -> Parsed<MatValue> {
    let length = reader.expect(MI_INT32, "the length of field names")?;
    let length = reader.words(length).first().copied().unwrap_or(0) as usize;
    let names = reader.expect(MI_INT8, "the field names")?;
    if length == 0 && !names.is_empty() {
        return Err(ParseError::invalid("field names of length 0; the file is damaged"));
    }
    let decode =
        |raw: &[u8]| String::from_utf8_lossy(raw.split(|&b| b == 0).next().unwrap_or_default()).into_owned();
    let fields: Vec<String> = names.chunks_exact(length.max(1)).map(decode).collect();
    let total = count.saturating_mul(fields.len());
    let values = children(reader, total, depth, nested)?;
    Ok(MatValue::Struct(MatStruct { shape, fields, values }))
}

/// Characters are stored column by column; the result is one text per row.
fn text(reader: &mut Reader<'_>, shape: &[usize], nested: &mut u64) -> Parsed<MatValue> {
    let element = reader.element()?;
    let bad = || ParseError::invalid("text that is not valid Unicode");
    let chars: Vec<char> = match element.kind {
        // Old writers store code units as bytes or 16-bit integers.
        1 | 2 => element.data.iter().map(|&b| char::from(b)).collect(),
        16 => std::str::from_utf8(element.data).map_err(|_| bad())?.chars().collect(),
        4 | 17 => match Kind::U16.decode(element.data, reader.big_endian) {
            Numbers::U16(units) => char::decode_utf16(units).collect::<Result<_, _>>().map_err(|_| bad())?,
            _ => return Err(bad()),
        },
        18 => reader
            .words(element.data)
            .into_iter()
            .map(char::from_u32)
            .collect::<Option<_>>()
            .ok_or_else(bad)?,
        other => return Err(ParseError::Invalid(format!("unknown text type {other}; the file is damaged"))),
    };
    let rows = shape.first().copied().unwrap_or(0);
    if rows == 1 || chars.is_empty() {
        return Ok(MatValue::Text(if rows == 0 || chars.is_empty() {
            vec![String::new()]
        } else {
            vec![chars.iter().collect()]
        }));
    }
    ParseError::check("rows of text", rows as u64, chars.len() as u64, "the characters there are")?;
    count_nested(rows, nested)?;
    let row = |r: usize| chars.iter().skip(r).step_by(rows).collect::<String>().trim_end().to_string();
    Ok(MatValue::Text((0..rows).map(row).collect()))
}
