//! What a NIfTI file says about itself, checked before anything is read for it.

use nifti::Endianness;
use ventral_searchlight::Grid;

use super::affine::affine;
use crate::arrays::Kind;
use crate::error::ParseError;
use crate::limits;

/// Length of a NIfTI-1 header; also its first number.
pub(super) const HEADER_1_BYTES: usize = 348;
/// Length of a NIfTI-2 header; also its first number.
pub(super) const HEADER_2_BYTES: usize = 540;
/// Bytes between a header and what follows it: the flag for extensions.
const EXTENDER_BYTES: usize = 4;

/// How a file stores its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NiftiType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl NiftiType {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::U8 => Kind::U8,
            Self::I8 => Kind::I8,
            Self::U16 => Kind::U16,
            Self::I16 => Kind::I16,
            Self::U32 => Kind::U32,
            Self::I32 => Kind::I32,
            Self::U64 => Kind::U64,
            Self::I64 => Kind::I64,
            Self::F32 => Kind::F32,
            Self::F64 => Kind::F64,
        }
    }

    fn from_code(code: i16) -> Result<Self, ParseError> {
        let refused = |name: &str| {
            let advice = "real numbers of up to 64 bits are read; convert the file";
            Err(ParseError::Unsupported(format!("the data type {name} (datatype {code})"), advice))
        };
        Ok(match code {
            2 => Self::U8,
            4 => Self::I16,
            8 => Self::I32,
            16 => Self::F32,
            64 => Self::F64,
            256 => Self::I8,
            512 => Self::U16,
            768 => Self::U32,
            1024 => Self::I64,
            1280 => Self::U64,
            1 => return refused("BINARY"),
            32 => return refused("COMPLEX64"),
            128 => return refused("RGB24"),
            1536 => return refused("FLOAT128"),
            1792 => return refused("COMPLEX128"),
            2048 => return refused("COMPLEX256"),
            2304 => return refused("RGBA32"),
            _ => return Err(ParseError::Invalid(format!("datatype is {code}, which no format defines"))),
        })
    }
}

/// The fields that place voxels in space, as the file has them: what a map copies from its input.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Placement {
    /// What the quaternion's space is; 0 means that it is not set.
    pub qform_code: i16,
    /// What the affine's space is; 0 means that it is not set.
    pub sform_code: i16,
    /// b, c and d of the rotation.
    pub quaternion: [f64; 3],
    /// Shift of the quaternion's space, in the file's unit.
    pub offset: [f64; 3],
    /// The first three rows of the affine.
    pub srow: [[f64; 4]; 3],
    /// Handedness and sizes of voxels.
    pub pixdim: [f64; 8],
    /// Units of space and time.
    pub units: u8,
}

/// What a NIfTI file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct NiftiHeader {
    /// 1 or 2.
    pub version: u8,
    /// Whether numbers have their most significant byte first.
    pub big_endian: bool,
    /// How numbers are stored.
    pub data_type: NiftiType,
    /// Shape and affine.
    pub grid: Grid,
    /// Number of volumes; 1 for a file of three axes.
    pub volumes: usize,
    /// What stored numbers are multiplied with, and what is then added, unless they are the values already.
    pub scaling: Option<(f64, f64)>,
    /// Where the numbers begin.
    pub data_offset: u64,
    /// Fields that place the voxels.
    pub placement: Placement,
}

/// Fields of either version before they are checked.
struct Fields {
    dim: [i64; 8],
    data_type: i16,
    bits: i16,
    offset: f64,
    slope: f64,
    inter: f64,
    placement: Placement,
}

impl NiftiHeader {
    /// Voxels of one volume.
    pub fn voxels(&self) -> usize {
        self.grid.len()
    }

    /// Bytes of one volume.
    pub fn volume_bytes(&self) -> usize {
        self.voxels() * self.data_type.kind().bytes()
    }

    /// Length of a header that begins with these four bytes.
    pub(super) fn length(start: [u8; 4]) -> Result<(usize, bool), ParseError> {
        for (value, big) in [(i32::from_le_bytes(start), false), (i32::from_be_bytes(start), true)] {
            match usize::try_from(value) {
                Ok(length @ (HEADER_1_BYTES | HEADER_2_BYTES)) => return Ok((length, big)),
                _ => continue,
            }
        }
        Err(ParseError::invalid("it does not begin with the length of a NIfTI header (348 or 540)"))
    }

    /// Reads and checks a header of [`NiftiHeader::length`] bytes.
    pub(super) fn parse(bytes: &[u8], big_endian: bool) -> Result<Self, ParseError> {
        let version = if bytes.len() == HEADER_2_BYTES { 2 } else { 1 };
        let fields = if version == 2 { second(bytes, big_endian)? } else { first(bytes, big_endian)? };
        let (shape, volumes) = shape(&fields.dim)?;
        let data_type = NiftiType::from_code(fields.data_type)?;
        let size = data_type.kind().bytes();
        if fields.bits != 0 && fields.bits as i64 != 8 * size as i64 {
            let problem = format!("bitpix is {}, datatype {:?} has {}", fields.bits, data_type, 8 * size);
            return Err(ParseError::Invalid(problem));
        }
        let bytes_of_volume = shape.iter().product::<usize>() as u64 * size as u64;
        let (limit, name) = (limits::MAX_VOLUME_BYTES, "MAX_VOLUME_BYTES");
        ParseError::check("size of a volume in bytes", bytes_of_volume, limit, name)?;
        Ok(Self {
            version,
            big_endian,
            data_type,
            grid: Grid { shape, affine: affine(&fields.placement, shape)? },
            volumes,
            scaling: scaling(fields.slope, fields.inter)?,
            data_offset: data_offset(fields.offset, bytes.len() + EXTENDER_BYTES)?,
            placement: fields.placement,
        })
    }
}

/// Three axes and the number of volumes. Further axes must have length 1.
fn shape(dim: &[i64; 8]) -> Result<([usize; 3], usize), ParseError> {
    let axes = usize::try_from(dim[0]).ok().filter(|axes| (1..=7).contains(axes));
    let axes = axes.ok_or_else(|| ParseError::Invalid(format!("dim[0] is {}, it must be 1 to 7", dim[0])))?;
    let mut lengths = [1usize; 7];
    for (axis, length) in lengths.iter_mut().enumerate().take(axes) {
        let found = u64::try_from(dim[axis + 1]).ok().filter(|&n| n > 0);
        let found = found.ok_or_else(|| {
            ParseError::Invalid(format!("dim[{}] is {}, an axis has at least 1", axis + 1, dim[axis + 1]))
        })?;
        ParseError::check("length of an axis", found, limits::MAX_VOLUME_AXIS, "MAX_VOLUME_AXIS")?;
        *length = found as usize;
    }
    if lengths[4..].iter().any(|&length| length != 1) {
        let shape = lengths[..axes].iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        let what = format!("a file of {axes} axes ({shape})");
        return Err(ParseError::Unsupported(what, "three or four axes are read; split the file"));
    }
    let volumes = lengths[3];
    ParseError::check("number of volumes", volumes as u64, limits::MAX_VOLUMES as u64, "MAX_VOLUMES")?;
    let voxels = lengths[..3].iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64)).unwrap_or(u64::MAX);
    ParseError::check("number of voxels", voxels, limits::MAX_VOXELS, "MAX_VOXELS")?;
    Ok(([lengths[0], lengths[1], lengths[2]], volumes))
}

fn scaling(slope: f64, inter: f64) -> Result<Option<(f64, f64)>, ParseError> {
    if slope == 0.0 || !slope.is_finite() {
        return Ok(None);
    }
    if !inter.is_finite() {
        return Err(ParseError::Invalid(format!("scl_inter is {inter} beside scl_slope {slope}")));
    }
    Ok((slope != 1.0 || inter != 0.0).then_some((slope, inter)))
}

/// `vox_offset`; 0 means right behind the header.
fn data_offset(offset: f64, least: usize) -> Result<u64, ParseError> {
    if offset == 0.0 {
        return Ok(least as u64);
    }
    if offset.fract() != 0.0 || offset < least as f64 {
        return Err(ParseError::Invalid(format!(
            "vox_offset is {offset}, it must be a whole number from {least}"
        )));
    }
    ParseError::check("vox_offset", offset as u64, limits::MAX_NIFTI_OFFSET, "MAX_NIFTI_OFFSET")?;
    Ok(offset as u64)
}

fn check_magic(magic: &[u8], single: &[u8], pair: &[u8]) -> Result<(), ParseError> {
    if magic.starts_with(single) {
        return Ok(());
    }
    if magic.starts_with(pair) {
        let advice = "convert it to a single .nii or .nii.gz file";
        return Err(ParseError::Unsupported("a pair of .hdr and .img files".into(), advice));
    }
    Err(ParseError::invalid(format!("the magic string is {:?}", String::from_utf8_lossy(magic))))
}

fn first(bytes: &[u8], big_endian: bool) -> Result<Fields, ParseError> {
    check_magic(&bytes[HEADER_1_BYTES - 4..], b"n+1\0", b"ni1\0")?;
    let header = nifti::NiftiHeader::from_reader(bytes).map_err(|e| ParseError::Invalid(e.to_string()))?;
    // The crate takes the byte order from dim[0], not from the header's length.
    if (header.endianness == Endianness::Big) != big_endian {
        return Err(ParseError::invalid("dim[0] is not 1 to 7 in the byte order of the header"));
    }
    let wide = |row: [f32; 4]| row.map(f64::from);
    Ok(Fields {
        // Stored signed; the crate reads unsigned.
        dim: header.dim.map(|d| i64::from(d.cast_signed())),
        data_type: header.datatype,
        bits: header.bitpix,
        offset: f64::from(header.vox_offset),
        slope: f64::from(header.scl_slope),
        inter: f64::from(header.scl_inter),
        placement: Placement {
            qform_code: header.qform_code,
            sform_code: header.sform_code,
            quaternion: [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from),
            offset: [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from),
            srow: [wide(header.srow_x), wide(header.srow_y), wide(header.srow_z)],
            pixdim: header.pixdim.map(f64::from),
            units: header.xyzt_units,
        },
    })
}

/// NIfTI-2, which the crate does not read. Offsets: nifti2.h.
fn second(bytes: &[u8], big_endian: bool) -> Result<Fields, ParseError> {
    check_magic(&bytes[4..12], b"n+2\0\r\n\x1a\n", b"ni2\0")?;
    let at = At { bytes, big_endian };
    let code = |name: &str, at: i32| {
        i16::try_from(at).map_err(|_| ParseError::Invalid(format!("{name} is {at}, which no format defines")))
    };
    let offset = at.i64(168);
    if offset < 0 {
        return Err(ParseError::Invalid(format!("vox_offset is {offset}")));
    }
    Ok(Fields {
        dim: std::array::from_fn(|i| at.i64(16 + 8 * i)),
        data_type: at.i16(12),
        bits: at.i16(14),
        // Limits are far below what f64 cannot hold.
        offset: offset as f64,
        slope: at.f64(176),
        inter: at.f64(184),
        placement: Placement {
            qform_code: code("qform_code", at.i32(344))?,
            sform_code: code("sform_code", at.i32(348))?,
            quaternion: at.f64s(352),
            offset: at.f64s(376),
            srow: [at.f64s(400), at.f64s(432), at.f64s(464)],
            pixdim: at.f64s(104),
            units: u8::try_from(at.i32(500)).unwrap_or(0),
        },
    })
}

/// Numbers at places of a header whose length was checked.
struct At<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl At<'_> {
    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut number: [u8; N] = std::array::from_fn(|i| self.bytes[at + i]);
        if self.big_endian {
            number.reverse();
        }
        number
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.take(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.take(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.take(at))
    }

    fn f64(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.take(at))
    }

    fn f64s<const N: usize>(&self, at: usize) -> [f64; N] {
        std::array::from_fn(|i| self.f64(at + 8 * i))
    }
}
