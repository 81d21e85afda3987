use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use ventral_plan::Digest;

use crate::Error;

/// First bytes of every object.
const MAGIC: &[u8; 8] = b"VENTRAL1";

/// Length of the SHA-256 that follows the magic.
const CHECKSUM_BYTES: usize = 32;

/// Largest object in bytes: the Gram of 65,536 stimuli.
pub const MAX_OBJECT_BYTES: u64 = 32 << 30;

/// Temporary files older than this are left-overs of a killed process.
const STALE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A directory of create-only objects: `objects/<2 characters>/<digest>`.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// What a put found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object is new.
    Created,
    /// The object was there with the same bytes.
    Identical,
}

impl Store {
    /// Opens the store at `root`, creating the directory if needed, and removes left-over temporary files.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let store = Self { root: root.into() };
        for directory in [store.root.join("objects"), store.temporary()] {
            fs::create_dir_all(&directory).map_err(|e| Error::io("cannot create", &directory, e))?;
        }
        store.remove_stale()?;
        Ok(store)
    }

    /// The directory it lives in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Directory for temporary files on the same file system.
    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Whether an object of this name exists (its bytes are verified when read).
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Writes `payload` under `digest`, once and for all.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the object exists with other bytes; [`Error::Io`] for a full or unwritable disk.
    pub fn put(&self, digest: &Digest, payload: &[u8]) -> Result<Put, Error> {
        let size = payload.len() as u64;
        if size > MAX_OBJECT_BYTES {
            return Err(Error::TooLarge { found: size, limit: MAX_OBJECT_BYTES });
        }
        let path = self.path(digest);
        let directory = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(directory).map_err(|e| Error::io("cannot create", directory, e))?;
        let write_error = |e| Error::io("cannot write", &path, e);
        let mut file = tempfile::NamedTempFile::new_in(self.temporary()).map_err(write_error)?;
        file.write_all(MAGIC)
            .and_then(|()| file.write_all(&Sha256::digest(payload)))
            .and_then(|()| file.write_all(payload))
            .and_then(|()| file.as_file().sync_all())
            .map_err(write_error)?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(Put::Created),
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                match self.get(digest)? {
                    Some(stored) if stored == payload => Ok(Put::Identical),
                    _ => Err(Error::Conflict { digest: digest.clone(), path }),
                }
            }
            Err(refused) => Err(write_error(refused.error)),
        }
    }

    /// The payload stored under `digest`, verified; `None` if there is none.
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(digest);
        let mut file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("cannot read", path, e)),
        };
        let read_error = |e| Error::io("cannot read", &path, e);
        let size = file.metadata().map_err(read_error)?.len();
        let header = (MAGIC.len() + CHECKSUM_BYTES) as u64;
        let damaged = |problem: String| Error::Damaged { path: path.clone(), problem };
        if size < header || size - header > MAX_OBJECT_BYTES {
            return Err(damaged(format!("{size} bytes is no size of an object")));
        }
        let mut magic = [0; MAGIC.len()];
        let mut checksum = [0; CHECKSUM_BYTES];
        let mut payload = Vec::with_capacity((size - header) as usize);
        file.read_exact(&mut magic)
            .and_then(|()| file.read_exact(&mut checksum))
            .and_then(|()| file.read_to_end(&mut payload))
            .map_err(read_error)?;
        if &magic != MAGIC {
            return Err(damaged("it does not begin as an object".to_owned()));
        }
        if Sha256::digest(&payload)[..] != checksum {
            return Err(damaged("its bytes do not match their checksum".to_owned()));
        }
        Ok(Some(payload))
    }

    /// Removes a damaged object so that it can be computed again.
    pub fn discard(&self, digest: &Digest) -> Result<(), Error> {
        let path = self.path(digest);
        fs::remove_file(&path).map_err(|e| Error::io("cannot remove", path, e))
    }

    /// File of the object named `digest`.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.as_str();
        self.root.join("objects").join(&name[..2]).join(name)
    }

    fn remove_stale(&self) -> Result<(), Error> {
        let directory = self.temporary();
        let entries = fs::read_dir(&directory).map_err(|e| Error::io("cannot list", &directory, e))?;
        let now = SystemTime::now();
        for entry in entries.flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|at| now.duration_since(at).ok());
            if age.is_some_and(|age| age > STALE_AFTER) {
                // Another process may have removed it first.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }
}
