//! Reading with a limit, writing all or nothing.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, ParseError, Result};

/// [`ventral_input::open`], with this crate's error.
pub(crate) fn open(path: &Path) -> Result<File> {
    ventral_input::open(path).map_err(|e| Error::io(path, e))
}

/// The text of a card or manifest.
pub(crate) fn read_card(path: &Path) -> Result<String> {
    ventral_input::read_card(path).map_err(|e| Error::io(path, e))
}

/// The whole file, refused before reading when it is larger than `limit`.
pub(crate) fn read_file(path: &Path, limit: u64, limit_name: &'static str) -> Result<Vec<u8>> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(|e| Error::io(path, e))?;
    let bytes = metadata.len();
    ParseError::check("size in bytes", bytes, limit, limit_name)
        .map_err(|e| Error::parse(path, "a file", e))?;
    let mut content = Vec::new();
    content.try_reserve_exact(bytes as usize).map_err(|e| Error::io(path, std::io::Error::other(e)))?;
    // A file may grow, and some of the system's have no length.
    file.take(limit + 1).read_to_end(&mut content).map_err(|e| Error::io(path, e))?;
    ParseError::check("size in bytes", content.len() as u64, limit, limit_name)
        .map_err(|e| Error::parse(path, "a file", e))?;
    Ok(content)
}

/// A text file; bytes that are not UTF-8 are an error.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let bytes = read_file(path, crate::limits::MAX_TEXT_BYTES, "MAX_TEXT_BYTES")?;
    String::from_utf8(bytes).map_err(|e| {
        Error::parse(path, "text", ParseError::invalid(format!("not UTF-8: {e}; save it as UTF-8")))
    })
}

/// Writes through a temporary file in the same folder and a rename, so that a reader sees the old file or the new one.
pub(crate) fn write_atomic(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = temporary_sibling(path);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::io(path, e)
    })
}

/// A name next to `path` that only this process uses.
pub(crate) fn temporary_sibling(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-1 of a file in lower-case hexadecimal, without holding it in memory.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn sha1_file(path: &Path) -> Result<String> {
    let mut file = open(path)?;
    let mut hasher = sha1::Sha1::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io(path, e))?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..n]);
    }
}

/// SHA-256 of a file in lower-case hexadecimal, and its length, without holding it in memory.
///
/// # Errors
/// [`Error::Io`].
pub fn sha256_file(path: &Path) -> Result<(String, u64)> {
    let mut file = open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    let mut total = 0;
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io(path, e))?;
        if n == 0 {
            return Ok((hex(&hasher.finalize()), total));
        }
        hasher.update(&buffer[..n]);
        total += n as u64;
    }
}
