//! Whether a machine that failed units can be trusted again.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ventral_plan::pool::MIN_CLASS;
use ventral_queue::consumer::machine_fault;
use ventral_store::Store;

use crate::machine::available_memory_bytes;

/// Bytes that a disk has to take and give back.
const PROBE_BYTES: usize = 1 << 20;

/// What a machine must be able to do.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Folder of the machine's cache.
    pub cache: PathBuf,
    /// The store.
    pub store: Store,
}

impl Probe {
    /// Writes to and reads from the disks, asks the store, looks at the memory.
    ///
    /// # Errors
    /// What does not work.
    pub fn run(&self) -> Result<(), String> {
        disk(&self.cache)?;
        disk(&self.store.temporary())?;
        self.store.ping().map_err(|error| error.to_string())?;
        let (free, least) = (available_memory_bytes(), 1_u64 << MIN_CLASS);
        if free < least {
            return Err(format!("memory is short: {} MiB are free, {} are needed", free >> 20, least >> 20));
        }
        Ok(())
    }
}

fn disk(folder: &Path) -> Result<(), String> {
    let file = folder.join(format!(".probe-{}", std::process::id()));
    let outcome = fs::create_dir_all(folder).and_then(|()| round_trip(&file));
    // Also a file that was written by half; one that was not begun cannot be removed.
    let _ = fs::remove_file(&file);
    outcome.map_err(|error| {
        let cause = machine_fault(&error).map_or(String::new(), |cause| format!("{cause}: "));
        format!("{cause}{}: {error}", folder.display())
    })
}

fn round_trip(path: &Path) -> io::Result<()> {
    let written: Vec<u8> = (0..PROBE_BYTES).map(|at| (at % 251) as u8).collect();
    let mut file = File::create(path)?;
    file.write_all(&written)?;
    file.sync_all()?;
    let mut read = Vec::with_capacity(PROBE_BYTES);
    File::open(path)?.read_to_end(&mut read)?;
    if read != written {
        return Err(io::Error::other("other bytes came back than were written"));
    }
    Ok(())
}
