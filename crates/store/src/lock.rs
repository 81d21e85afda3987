//! Who computes a job: a lock on `jobs/<id>/lock` that the system takes back from a process that ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::{Error, Store};

/// File of the lock in a job's directory.
pub(crate) const LOCK: &str = "lock";

/// Longest description of an owner in bytes.
const MAX_OWNER_BYTES: u64 = 64 << 10;

/// How often the lock is tried: whoever asks for the owner holds it for a moment.
const TRIES: usize = 5;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// The process that computes a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its number.
    pub pid: u32,
    /// Name of its machine; empty where it is not known.
    pub host: String,
    /// When it took the lock, in seconds since 1970.
    pub since: u64,
    /// Its command line.
    pub command: String,
}

impl Owner {
    fn this() -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
        Self {
            pid: std::process::id(),
            host: host.trim().to_owned(),
            since: seconds_now(),
            command: arguments.collect::<Vec<_>>().join(" "),
        }
    }

    /// Whether it runs on this machine.
    pub fn is_here(&self) -> bool {
        self.host == Self::this().host
    }

    /// Seconds since it took the lock, by this machine's clock.
    pub fn seconds(&self) -> u64 {
        seconds_now().saturating_sub(self.since)
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whether the lock of a job could be had.
#[derive(Debug)]
pub enum Locked {
    /// It is this process's until the file is dropped.
    Mine(JobLock),
    /// Another process has it; `None` if it has not said yet who it is.
    By(Option<Owner>),
}

/// The lock of a job.
#[derive(Debug)]
pub struct JobLock(File);

impl Drop for JobLock {
    fn drop(&mut self) {
        // Whoever reads it afterwards finds nobody. Closing the file would free the lock too, but not while a child that is just being
        // started has a copy of it.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}

impl Store {
    /// Takes the lock of a job, if nobody has it, and writes there who has it now. Only for a store that is a directory.
    ///
    /// # Errors
    /// [`Error::Io`] for a directory that cannot be written or knows no locks; [`Error::Name`].
    pub fn lock_job(&self, job: &str) -> Result<Locked, Error> {
        let path = self.backend.place(&Key::document(job, LOCK)?);
        let directory = path.parent().unwrap_or(self.root());
        fs::create_dir_all(directory).map_err(|e| Error::io("cannot create", directory, e))?;
        let mut options = File::options();
        let file = options.create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = file.map_err(|e| Error::io("cannot write", &path, e))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => {
                    let owner = serde_json::to_vec(&Owner::this()).unwrap_or_default();
                    let written = file.set_len(0).and_then(|()| file.write_all(&owner));
                    written.map_err(|e| Error::io("cannot write", &path, e))?;
                    return Ok(Locked::Mine(JobLock(file)));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(source)) => return Err(no_locks(&path, source)),
            }
        }
        Ok(Locked::By(read_owner(&path)))
    }

    /// Whether a process computes a job, and which, if it has said so.
    ///
    /// # Errors
    /// [`Error::Name`]. A lock that cannot be looked at counts as free.
    pub fn running(&self, job: &str) -> Result<Option<Option<Owner>>, Error> {
        let path = self.backend.place(&Key::document(job, LOCK)?);
        if self.is_remote() || !path.is_file() {
            return Ok(None);
        }
        let Ok(file) = File::open(&path) else { return Ok(None) };
        Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| read_owner(&path)))
    }
}

fn read_owner(path: &Path) -> Option<Owner> {
    let file = File::open(path).ok()?;
    serde_json::from_reader(io::Read::take(file, MAX_OWNER_BYTES)).ok()
}

fn no_locks(path: &Path, source: io::Error) -> Error {
    let hint = "; this file system has no locks: take care that nobody else computes the job, and say so with --force";
    Error::Io { action: "cannot lock", path: path.to_owned(), source, hint }
}
