//! Reading one volume at a time, so that a long time series is never in memory whole.

use std::io::{BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::FORMAT;
use super::header::NiftiHeader;
use crate::error::{Error, ParseError, Result};

/// First bytes of a gzip stream.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// One volume in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct NiftiVolume {
    /// What the file says about itself.
    pub header: NiftiHeader,
    /// Values, x fastest.
    pub values: Vec<f32>,
}

/// An open NIfTI file: its header, and its volumes in order.
pub struct NiftiReader {
    path: PathBuf,
    header: NiftiHeader,
    source: Box<dyn Read + Send>,
    compressed: bool,
    buffer: Vec<u8>,
    read: usize,
}

impl NiftiReader {
    /// Opens a `.nii` or `.nii.gz` file, told apart by content, and checks its header.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Parse`] for a header that contradicts the format or itself, more than four axes, complex and
    /// colour types, sizes beyond [`crate::limits`], an uncompressed file shorter than its header says.
    pub fn open(path: &Path) -> Result<Self> {
        let file = crate::files::open(path)?;
        let metadata = file.metadata().map_err(|e| Error::io(path, e))?;
        let reader = Self::new(file, path)?;
        let header = &reader.header;
        let needed = header.data_offset + header.volumes as u64 * header.volume_bytes() as u64;
        if !reader.compressed && metadata.len() < needed {
            let problem = ParseError::Truncated { what: "the volumes", needed, found: metadata.len() };
            return Err(Error::parse(path, FORMAT, problem));
        }
        Ok(reader)
    }

    /// [`NiftiReader::open`] of bytes in memory; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Parse`] as there.
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self> {
        Self::new(Cursor::new(bytes), path)
    }

    fn new(mut source: impl Read + Send + 'static, path: &Path) -> Result<Self> {
        let mut start = Vec::with_capacity(GZIP_MAGIC.len());
        let taken = (&mut source).take(GZIP_MAGIC.len() as u64).read_to_end(&mut start);
        taken.map_err(|e| Error::io(path, e))?;
        let compressed = start == GZIP_MAGIC;
        let whole = BufReader::with_capacity(1 << 18, Cursor::new(start).chain(source));
        let source: Box<dyn Read + Send> =
            if compressed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        let mut source = Source { path, source, compressed };
        let header = source.header()?;
        let Source { source, .. } = source;
        Ok(Self { path: path.to_owned(), header, source, compressed, buffer: Vec::new(), read: 0 })
    }

    /// What the file says about itself.
    pub fn header(&self) -> &NiftiHeader {
        &self.header
    }

    /// Appends the next volume to `out`: all of it, or the voxels at `positions` in their order.
    ///
    /// # Errors
    /// [`Error::Parse`] if the file is truncated or its compression damaged, if there is no further volume, or if a position lies
    /// outside of it.
    pub fn next(&mut self, positions: Option<&[u32]>, out: &mut Vec<f32>) -> Result<()> {
        let voxels = self.header.voxels();
        if let Some(&outside) = positions.and_then(|p| p.iter().find(|&&p| p as usize >= voxels)) {
            let problem = format!("there is no voxel {outside}, a volume has {voxels}");
            return Err(self.invalid(problem));
        }
        self.fill()?;
        match positions {
            Some(positions) => self.header.decode(&self.buffer, positions.iter().map(|&p| p as usize), out),
            None => self.header.decode(&self.buffer, 0..voxels, out),
        }
        Ok(())
    }

    /// Passes over the next volume.
    ///
    /// # Errors
    /// Those of [`NiftiReader::next`].
    pub fn skip(&mut self) -> Result<()> {
        self.fill()
    }

    /// Checks what follows the last volume: less than one more volume, and the checksum of the compression. Unread volumes are
    /// passed over.
    ///
    /// # Errors
    /// [`Error::Parse`] if there is more or the checksum is wrong.
    pub fn finish(mut self) -> Result<()> {
        while self.read < self.header.volumes {
            self.skip()?;
        }
        let bytes = self.header.volume_bytes();
        let found = self.take(bytes as u64)?;
        if found == bytes {
            let problem = format!("the header announces {} volumes, there are more", self.header.volumes);
            return Err(self.invalid(problem));
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        if self.read == self.header.volumes {
            let problem = format!("there is no volume {}, the header announces {0}", self.read);
            return Err(self.invalid(problem));
        }
        let needed = self.header.volume_bytes();
        let found = self.take(needed as u64)?;
        if found < needed {
            let problem =
                ParseError::Truncated { what: "a volume", needed: needed as u64, found: found as u64 };
            return Err(Error::parse(&self.path, FORMAT, problem));
        }
        self.read += 1;
        Ok(())
    }

    /// Reads up to so many bytes into the buffer, which grows with what is there and not with what is announced.
    fn take(&mut self, bytes: u64) -> Result<usize> {
        self.buffer.clear();
        let taken = (&mut self.source).take(bytes).read_to_end(&mut self.buffer);
        taken.map_err(|e| read_error(&self.path, self.compressed, e))
    }

    fn invalid(&self, problem: String) -> Error {
        Error::parse(&self.path, FORMAT, ParseError::Invalid(problem))
    }
}

impl std::fmt::Debug for NiftiReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NiftiReader").field("path", &self.path).field("header", &self.header).finish()
    }
}

/// The beginning of a file, before its header is known.
struct Source<'a> {
    path: &'a Path,
    source: Box<dyn Read + Send>,
    compressed: bool,
}

impl Source<'_> {
    fn header(&mut self) -> Result<NiftiHeader> {
        let parsed = |e| Error::parse(self.path, FORMAT, e);
        let start = self.exactly(4)?;
        let (length, big_endian) =
            NiftiHeader::length([start[0], start[1], start[2], start[3]]).map_err(parsed)?;
        let mut bytes = start;
        bytes.extend(self.exactly(length - 4)?);
        let header = NiftiHeader::parse(&bytes, big_endian).map_err(parsed)?;
        self.exactly(header.data_offset as usize - length)?;
        Ok(header)
    }

    fn exactly(&mut self, bytes: usize) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let taken = (&mut self.source).take(bytes as u64).read_to_end(&mut content);
        let found = taken.map_err(|e| read_error(self.path, self.compressed, e))?;
        if found < bytes {
            let (needed, found) = (bytes as u64, found as u64);
            return Err(Error::parse(
                self.path,
                FORMAT,
                ParseError::Truncated { what: "the header", needed, found },
            ));
        }
        Ok(content)
    }
}

/// An error of the decoder is one of the file's content.
fn read_error(path: &Path, compressed: bool, error: std::io::Error) -> Error {
    let problem = match error.kind() {
        ErrorKind::UnexpectedEof if compressed => {
            "the gzip stream is truncated; fetch the file again".to_owned()
        }
        ErrorKind::InvalidInput | ErrorKind::InvalidData if compressed => {
            format!("the gzip stream is damaged ({error}); fetch the file again")
        }
        _ => return Error::io(path, error),
    };
    Error::parse(path, FORMAT, ParseError::Invalid(problem))
}

/// The header of a NIfTI file.
///
/// # Errors
/// Those of [`NiftiReader::open`].
pub fn read_header(path: &Path) -> Result<NiftiHeader> {
    Ok(NiftiReader::open(path)?.header)
}

/// Reads a file of one volume, such as a mask or an anatomy.
///
/// # Errors
/// Those of [`NiftiReader`], and several volumes.
pub fn read_volume(path: &Path) -> Result<NiftiVolume> {
    let mut reader = NiftiReader::open(path)?;
    if reader.header.volumes != 1 {
        let problem = format!("it has {} volumes, one is needed", reader.header.volumes);
        return Err(reader.invalid(problem));
    }
    let mut values = Vec::new();
    reader.next(None, &mut values)?;
    let header = reader.header.clone();
    reader.finish()?;
    Ok(NiftiVolume { header, values })
}
