//! Writing maps: NIfTI-1 in one compressed file, the same bytes for the same map.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use ventral_searchlight::Grid;

use super::FORMAT;
use super::header::{HEADER_1_BYTES, Placement};
use crate::error::{Error, ParseError, Result};
use crate::files::write_atomic;

/// Where the numbers begin: header and the flag for extensions.
const DATA_OFFSET: usize = HEADER_1_BYTES + 4;
/// Longest axis of NIfTI-1.
const MAX_AXIS: usize = i16::MAX as usize;
/// Longest description.
const DESCRIPTION_BYTES: usize = 80;
/// Level of compression; another one makes other bytes.
const GZIP_LEVEL: u32 = 6;
/// The operating system of the gzip header: unknown.
const GZIP_SYSTEM: u8 = 255;

/// What the numbers of a map are (`intent_code`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Intent {
    /// Nothing in particular.
    None,
    /// Correlations with so many degrees of freedom (0: not stated).
    Correlation(f32),
    /// t with so many degrees of freedom.
    TTest(f32),
    /// Standard normal.
    ZScore,
    /// Probabilities.
    PValue,
    /// -log10 of probabilities.
    Log10PValue,
    /// Estimates of a parameter.
    Estimate,
    /// Indices into a list of names.
    Label,
}

impl Intent {
    /// `intent_code` and its first parameter.
    fn code(self) -> (i16, f32) {
        match self {
            Self::None => (0, 0.0),
            Self::Correlation(freedom) => (2, freedom),
            Self::TTest(freedom) => (3, freedom),
            Self::ZScore => (5, 0.0),
            Self::PValue => (22, 0.0),
            Self::Log10PValue => (24, 0.0),
            Self::Estimate => (1001, 0.0),
            Self::Label => (1002, 0.0),
        }
    }
}

/// Numbers of a map, volume by volume, x fastest.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum MapValues<'a> {
    F32(&'a [f32]),
    U8(&'a [u8]),
    I16(&'a [i16]),
}

impl MapValues<'_> {
    fn len(self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::U8(v) => v.len(),
            Self::I16(v) => v.len(),
        }
    }

    /// `datatype` and `bitpix`.
    fn code(self) -> (i16, i16) {
        match self {
            Self::F32(_) => (16, 32),
            Self::U8(_) => (2, 8),
            Self::I16(_) => (4, 16),
        }
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::U8(v) => v.to_vec(),
            Self::I16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
}

/// A map to be written: one volume, or several on a fourth axis.
#[derive(Debug, Clone, Copy)]
pub struct NiftiMap<'a> {
    /// Shape; the affine is in `placement`.
    pub grid: &'a Grid,
    /// From the header of the volumes that the map was made from.
    pub placement: &'a Placement,
    /// What the numbers are.
    pub intent: Intent,
    /// Up to 80 bytes of text, cut behind.
    pub description: &'a str,
    /// The numbers.
    pub values: MapValues<'a>,
}

impl NiftiMap<'_> {
    /// The map as the content of a `.nii.gz` file, without a time stamp.
    ///
    /// # Errors
    /// [`ParseError::Invalid`] if the values are not whole volumes, or an axis is longer than NIfTI-1 can say.
    pub fn to_bytes(&self) -> std::result::Result<Vec<u8>, ParseError> {
        let header = self.header()?;
        let sink = Vec::with_capacity(DATA_OFFSET);
        let mut gzip =
            GzBuilder::new().mtime(0).operating_system(GZIP_SYSTEM).write(sink, Compression::new(GZIP_LEVEL));
        let written = gzip.write_all(&header).and_then(|()| gzip.write_all(&self.values.bytes()));
        // Writing to memory does not fail.
        written.and_then(|()| gzip.finish()).map_err(|e| ParseError::Invalid(e.to_string()))
    }

    /// Writes the map: the old file or the new one is there, never a part.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Parse`] as [`NiftiMap::to_bytes`].
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomic(path, &self.to_bytes().map_err(|e| Error::parse(path, FORMAT, e))?)
    }

    fn header(&self) -> std::result::Result<Vec<u8>, ParseError> {
        let (voxels, values) = (self.grid.len(), self.values.len());
        if voxels == 0 || values == 0 || !values.is_multiple_of(voxels) {
            let problem = format!("{values} values are no whole number of volumes of {voxels} voxels");
            return Err(ParseError::Invalid(problem));
        }
        let volumes = values / voxels;
        let [nx, ny, nz] = self.grid.shape;
        let axes = if volumes == 1 { 3 } else { 4 };
        let mut dim = [axes, 1, 1, 1, 1, 1, 1, 1];
        for (length, found) in dim[1..].iter_mut().zip([nx, ny, nz, volumes]) {
            let too_long = || ParseError::Limit {
                what: "length of an axis".into(),
                found: found as u64,
                limit: MAX_AXIS as u64,
                name: "of NIfTI-1",
            };
            *length = i16::try_from(found).map_err(|_| too_long())?;
        }
        let (data_type, bits) = self.values.code();
        let (intent, parameter) = self.intent.code();
        let place = self.placement;
        let mut header = Header(vec![0; DATA_OFFSET]);
        header.i32(0, HEADER_1_BYTES as i32);
        header.0[38] = b'r';
        dim.iter().enumerate().for_each(|(i, &length)| header.i16(40 + 2 * i, length));
        header.f32(56, parameter);
        header.i16(68, intent);
        header.i16(70, data_type);
        header.i16(72, bits);
        place.pixdim.iter().take(4).enumerate().for_each(|(i, &size)| header.f32(76 + 4 * i, size as f32));
        header.f32(108, DATA_OFFSET as f32);
        header.f32(112, 1.0);
        header.0[123] = place.units & SPACE_UNITS;
        let description = floor(self.description, DESCRIPTION_BYTES - 1);
        header.0[148..148 + description.len()].copy_from_slice(description);
        header.i16(252, place.qform_code);
        header.i16(254, place.sform_code);
        let numbers = place.quaternion.iter().chain(&place.offset).chain(place.srow.iter().flatten());
        numbers.enumerate().for_each(|(i, &number)| header.f32(256 + 4 * i, number as f32));
        header.0[344..348].copy_from_slice(b"n+1\0");
        Ok(header.0)
    }
}

/// The bits of `xyzt_units` that say the unit of space.
const SPACE_UNITS: u8 = 7;

/// The longest beginning of a text that has so many bytes and ends between characters.
fn floor(text: &str, bytes: usize) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(bytes)]
}

/// A header of fixed length, whose numbers are put at the places that nifti1.h gives.
struct Header(Vec<u8>);

impl Header {
    fn i32(&mut self, at: usize, value: i32) {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn i16(&mut self, at: usize, value: i16) {
        self.0[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    fn f32(&mut self, at: usize, value: f32) {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}
