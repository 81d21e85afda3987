//! A temporary file of tiles.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ndarray::ArrayView2;
use ventral_metrics::TILE_FEATURES;

use crate::Error;

/// One file without a name, tile after tile, each row-major over all stimuli. Having no name, it is gone when the process ends,
/// however it ends.
pub(super) struct SpillFile {
    file: File,
    directory: PathBuf,
    bytes: u64,
}

impl SpillFile {
    /// Creates the file in `directory`, which is made if it does not exist; `bytes` is the size it will get.
    pub fn create(directory: &Path, bytes: u64) -> Result<Self, Error> {
        let failed = |source| Error::Spill { directory: directory.to_owned(), bytes, source };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let file = tempfile::tempfile_in(directory).map_err(failed)?;
        Ok(Self { file, directory: directory.to_owned(), bytes })
    }

    /// Writes values, row by row, at a byte offset.
    pub fn write(
        &self,
        offset: u64,
        values: ArrayView2<'_, f32>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Error> {
        scratch.clear();
        scratch.reserve_exact(values.len() * 4);
        scratch.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.file.write_all_at(scratch, offset).map_err(|source| self.failed(source))
    }

    /// Reads values from a byte offset, in pieces.
    pub fn read(&self, mut offset: u64, values: &mut [f32], scratch: &mut Vec<u8>) -> Result<(), Error> {
        for piece in values.chunks_mut(TILE_FEATURES) {
            scratch.resize(piece.len() * 4, 0);
            self.file.read_exact_at(scratch, offset).map_err(|source| self.failed(source))?;
            for (value, bytes) in piece.iter_mut().zip(scratch.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*bytes);
            }
            offset += scratch.len() as u64;
        }
        Ok(())
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::Spill { directory: self.directory.clone(), bytes: self.bytes, source }
    }
}
