//! Numbers as a file stores them, and their conversion.

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use crate::error::ParseError;
use crate::limits;

/// Numbers in the type of the file.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Numbers {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// A type of number in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

impl Kind {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 => 1,
            Kind::U16 | Kind::I16 | Kind::F16 | Kind::Bf16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
        }
    }

    /// Decodes whole numbers of this type; a rest shorter than one is left out.
    pub(crate) fn decode(self, bytes: &[u8], big_endian: bool) -> Numbers {
        macro_rules! decode {
            ($t:ty) => {
                bytes
                    .as_chunks::<{ size_of::<$t>() }>()
                    .0
                    .iter()
                    .map(|b| if big_endian { <$t>::from_be_bytes(*b) } else { <$t>::from_le_bytes(*b) })
                    .collect::<Vec<$t>>()
            };
        }
        match self {
            Kind::U8 => Numbers::U8(bytes.to_vec()),
            Kind::I8 => Numbers::I8(decode!(i8)),
            Kind::U16 => Numbers::U16(decode!(u16)),
            Kind::I16 => Numbers::I16(decode!(i16)),
            Kind::U32 => Numbers::U32(decode!(u32)),
            Kind::I32 => Numbers::I32(decode!(i32)),
            Kind::U64 => Numbers::U64(decode!(u64)),
            Kind::I64 => Numbers::I64(decode!(i64)),
            Kind::F16 => Numbers::F32(decode!(u16).into_iter().map(half_to_f32).collect()),
            Kind::Bf16 => {
                Numbers::F32(decode!(u16).into_iter().map(|b| f32::from_bits(u32::from(b) << 16)).collect())
            }
            Kind::F32 => Numbers::F32(decode!(f32)),
            Kind::F64 => Numbers::F64(decode!(f64)),
        }
    }
}

/// IEEE 754 binary16 to binary32, exact.
fn half_to_f32(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f32::from(half & 0x3ff));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

macro_rules! each {
    ($numbers:expr, $v:ident => $body:expr) => {
        match $numbers {
            Numbers::U8($v) => $body,
            Numbers::I8($v) => $body,
            Numbers::U16($v) => $body,
            Numbers::I16($v) => $body,
            Numbers::U32($v) => $body,
            Numbers::I32($v) => $body,
            Numbers::U64($v) => $body,
            Numbers::I64($v) => $body,
            Numbers::F32($v) => $body,
            Numbers::F64($v) => $body,
        }
    };
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        each!(self, v => v.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As f64; integers beyond 2^53 are rounded.
    #[allow(clippy::unnecessary_cast)] // One of the ten types is f64.
    pub fn to_f64(&self) -> Vec<f64> {
        each!(self, v => v.iter().map(|&x| x as f64).collect())
    }

    /// As f32, rounded.
    #[allow(clippy::unnecessary_cast)] // One of the ten types is f32.
    pub fn to_f32(&self) -> Vec<f32> {
        each!(self, v => v.iter().map(|&x| x as f32).collect())
    }

    /// The bytes, if this is what is stored.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Numbers::U8(v) = self { Some(v) } else { None }
    }
}

/// Numbers with a shape.
#[derive(Debug, Clone, PartialEq)]
pub struct NumericArray {
    shape: Vec<usize>,
    column_major: bool,
    numbers: Numbers,
}

impl NumericArray {
    /// Numbers in memory order; `column_major` says that the first axis varies fastest (MATLAB, Fortran).
    ///
    /// # Errors
    /// [`ParseError::Truncated`] or [`ParseError::Invalid`] if there are fewer or more numbers than the shape says.
    pub fn new(shape: Vec<usize>, column_major: bool, numbers: Numbers) -> Result<Self, ParseError> {
        let lengths: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
        let count = checked_count(&lengths)?;
        if numbers.len() == count {
            return Ok(NumericArray { shape, column_major, numbers });
        }
        if numbers.len() < count {
            let (needed, found) = (count as u64, numbers.len() as u64);
            return Err(ParseError::Truncated { what: "an array (counted in numbers)", needed, found });
        }
        Err(ParseError::Invalid(format!("{} numbers for the shape {shape:?}", numbers.len())))
    }

    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers in memory order.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// The array as bytes, if that is what is stored.
    pub fn to_u8(&self) -> Option<ArrayD<u8>> {
        self.numbers.as_bytes().map(|bytes| self.array(bytes.to_vec()))
    }

    /// The array as f64.
    pub fn to_f64(&self) -> ArrayD<f64> {
        self.array(self.numbers.to_f64())
    }

    /// The array as f32.
    pub fn to_f32(&self) -> ArrayD<f32> {
        self.array(self.numbers.to_f32())
    }

    fn array<T: Clone>(&self, values: Vec<T>) -> ArrayD<T> {
        let shape = IxDyn(&self.shape).set_f(self.column_major);
        ArrayD::from_shape_vec(shape, values)
            .expect("the constructor checked that the numbers fill the shape")
    }
}

/// Number of elements of a shape that a header claims, refused beyond the limits.
pub(crate) fn checked_count(shape: &[u64]) -> Result<usize, ParseError> {
    ParseError::check("number of axes", shape.len() as u64, limits::MAX_AXES as u64, "MAX_AXES")?;
    // A zero anywhere makes the product zero, but an absurd axis beside it is still absurd.
    for &length in shape {
        ParseError::check("length of an axis", length, limits::MAX_ELEMENTS, "MAX_ELEMENTS")?;
    }
    let count = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d)).unwrap_or(u64::MAX);
    ParseError::check("number of elements", count, limits::MAX_ELEMENTS, "MAX_ELEMENTS")?;
    Ok(count as usize)
}
