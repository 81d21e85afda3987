//! Checkpoints: how far a long unit has come, `checkpoints/<2>/<digest of the unit>`. The only things in a store that are replaced
//! and removed; a result never depends on whether there is one.

use std::path::PathBuf;

use ventral_plan::Digest;

use crate::backend::check_size;
use crate::frame::{self, HEAD_BYTES};
use crate::key::Key;
use crate::{Error, Store};

/// Largest checkpoint in bytes.
pub const MAX_CHECKPOINT_BYTES: u64 = 4 << 30;

impl Store {
    /// Keeps how far the unit of this name has come, replacing an older checkpoint.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Io`], [`Error::Remote`].
    pub fn save_checkpoint(&self, unit: &Digest, bytes: &[u8]) -> Result<(), Error> {
        check_size((bytes.len() + HEAD_BYTES) as u64, self.checkpoint_limit())?;
        let key = Key::checkpoint(unit);
        let mut framed = frame::head(&key, bytes).to_vec();
        framed.extend_from_slice(bytes);
        self.backend.replace(&key, &framed)
    }

    /// How far the unit of this name has come, verified; `None` if it has not begun.
    ///
    /// # Errors
    /// [`Error::Damaged`] if its bytes are not those that were written; [`Error::Io`], [`Error::Remote`].
    pub fn checkpoint(&self, unit: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let key = Key::checkpoint(unit);
        let Some((head, bytes)) = self.backend.read(&key, HEAD_BYTES, self.checkpoint_limit())? else {
            return Ok(None);
        };
        frame::verify(&self.backend.place(&key), &key, &head, &bytes)?;
        Ok(Some(bytes))
    }

    /// Forgets how far a unit has come; none need be there.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn remove_checkpoint(&self, unit: &Digest) -> Result<(), Error> {
        self.backend.remove(&Key::checkpoint(unit))
    }

    /// File or URL of the checkpoint of this unit, for messages.
    pub fn checkpoint_path(&self, unit: &Digest) -> PathBuf {
        self.backend.place(&Key::checkpoint(unit))
    }

    fn checkpoint_limit(&self) -> u64 {
        self.backend.max_bytes().min(MAX_CHECKPOINT_BYTES)
    }
}
