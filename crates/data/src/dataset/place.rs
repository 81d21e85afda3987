//! Putting checked files in their place, and copying them from a mirror.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{DatasetFile, DatasetFolder, Expected, FetchProgress, MAX_DATASET_FILE_BYTES};
use crate::error::{Error, Result};
use crate::files::{hex, sha256_file, temporary_sibling};

/// Deepest folder inside a data set's folder.
const MAX_DEPTH: usize = 16;
/// Bytes copied between two reports of progress.
const COPY_BYTES: usize = 1 << 20;

/// Digest of a folder: SHA-256 over one line `<sha256>  <relative path>` per file, sorted by path; and files and bytes.
///
/// # Errors
/// [`Error::Io`].
pub fn tree_digest(folder: &Path) -> Result<(String, usize, u64)> {
    let mut names = list(folder)?;
    names.sort();
    let (mut hasher, mut total) = (Sha256::new(), 0);
    for name in &names {
        let (digest, bytes) = sha256_file(&folder.join(name))?;
        hasher.update(format!("{digest}  {name}\n"));
        total += bytes;
    }
    Ok((hex(&hasher.finalize()), names.len(), total))
}

/// Relative paths of the files below a folder, with `/`.
fn list(folder: &Path) -> Result<Vec<String>> {
    let files = ventral_input::walk(folder, MAX_DEPTH).map_err(|e| Error::io(folder, e))?;
    let relative = |path: &PathBuf| path.strip_prefix(folder).ok().map(|p| p.to_string_lossy().into_owned());
    Ok(files.iter().filter_map(relative).collect())
}

/// Makes the folder that a file goes into.
pub(super) fn prepare(target: &Path) -> Result<()> {
    let parent = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))
}

/// Checks a complete temporary file and gives it its name, unless that name is taken by then.
pub(super) fn place(temporary: &Path, target: &Path, expected: Expected<'_>) -> Result<()> {
    let (algorithm, found) = expected.measure(temporary)?;
    if !expected.accepts(&found) {
        let _ = fs::remove_file(temporary);
        return Err(expected.error(target, algorithm, found));
    }
    // A link fails when the name exists; file systems without links get a rename, which is still all or nothing.
    let placed = match fs::hard_link(temporary, target) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists && !target.exists() => {
            fs::rename(temporary, target)
        }
        other => other,
    };
    let _ = fs::remove_file(temporary);
    placed.map_err(|e| Error::io(target, e))
}

pub(super) fn copy_file(
    file: &DatasetFile,
    source: &Path,
    target: &Path,
    progress: &dyn Fn(FetchProgress<'_>),
) -> Result<()> {
    if !source.is_file() {
        let problem = "is not in the mirror; use another mirror, or none if the file has a URL".to_string();
        return Err(Error::NotAvailable { path: source.to_path_buf(), problem });
    }
    prepare(target)?;
    let temporary = temporary_sibling(target);
    let length = fs::metadata(source).map_err(|e| Error::io(source, e))?.len();
    let total = file.bytes.unwrap_or_else(|| length.min(MAX_DATASET_FILE_BYTES));
    let report = |done| progress(FetchProgress { path: &file.path, done, total });
    copy(source, &temporary, total, &report).map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::io(target, e)
    })?;
    place(&temporary, target, file.expected())
}

/// Copies at most one byte more than expected: the digest of anything longer is wrong anyway.
fn copy(source: &Path, target: &Path, bytes: u64, report: &dyn Fn(u64)) -> std::io::Result<()> {
    let (mut from, mut to) = (ventral_input::open(source)?.take(bytes + 1), File::create(target)?);
    let (mut buffer, mut done) = (vec![0; COPY_BYTES], 0);
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return to.sync_all();
        }
        to.write_all(&buffer[..n])?;
        done += n as u64;
        report(done);
    }
}

/// Copies a folder beside its place, checks it as a whole, and renames it.
pub(super) fn copy_folder(
    folder: &DatasetFolder,
    source: &Path,
    target: &Path,
    progress: &dyn Fn(FetchProgress<'_>),
) -> Result<()> {
    if !source.is_dir() {
        let problem = format!("is not in the mirror; use another mirror ({})", folder.derived);
        return Err(Error::NotAvailable { path: source.to_path_buf(), problem });
    }
    prepare(target)?;
    let temporary = temporary_sibling(target);
    let result = copy_checked(folder, source, &temporary, target, progress);
    if result.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    result
}

fn copy_checked(
    folder: &DatasetFolder,
    source: &Path,
    temporary: &PathBuf,
    target: &Path,
    progress: &dyn Fn(FetchProgress<'_>),
) -> Result<()> {
    let names = list(source)?;
    let mut done = 0;
    for name in &names {
        let to = temporary.join(name);
        prepare(&to)?;
        copy(&source.join(name), &to, folder.bytes, &|_| ()).map_err(|e| Error::io(&to, e))?;
        done += fs::metadata(&to).map_err(|e| Error::io(&to, e))?.len();
        progress(FetchProgress { path: &folder.path, done, total: folder.bytes });
    }
    let (found, ..) = tree_digest(temporary)?;
    if found != folder.sha256 {
        return Err(Expected::Sha256(&folder.sha256).error(target, "sha256", found));
    }
    fs::rename(temporary, target).map_err(|e| Error::io(target, e))
}
