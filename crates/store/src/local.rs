//! A store in a directory: temporary file, sync, link into place.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tempfile::NamedTempFile;
use ventral_plan::Digest;

use crate::backend::{
    Backend, CHUNK_BYTES, Listed, Pieces, Scanned, Scanning, copy_hashed, read_pieces, record_time,
};
use crate::key::{JOBS, Key, check_name};
use crate::{Error, JobEntry, MAX_OBJECT_BYTES};

/// Temporary files older than this are left-overs of a killed process.
const STALE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Permissions of a new file, before the umask: others who share the directory may read it.
const FILE_MODE: u32 = 0o644;

/// A directory.
#[derive(Debug)]
pub(crate) struct Local {
    root: PathBuf,
}

impl Local {
    /// Creates the directory if needed, and removes left-over temporary files.
    pub fn open(root: PathBuf) -> Result<Self, Error> {
        let local = Self { root };
        for directory in [local.root.join("objects"), local.temporary()] {
            fs::create_dir_all(&directory).map_err(|e| Error::io("cannot create", &directory, e))?;
        }
        remove_stale(&local.temporary())?;
        Ok(local)
    }

    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Runs `fill` on a new temporary file and syncs it; the directory of `path` is there afterwards.
    fn filled<T>(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> Result<(NamedTempFile, T), Error> {
        let directory = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(directory).map_err(|e| Error::io("cannot create", directory, e))?;
        let filled = || -> io::Result<(NamedTempFile, T)> {
            let mut file = new_file_in(&self.temporary())?;
            let result = fill(file.as_file_mut())?;
            file.as_file().sync_all()?;
            Ok((file, result))
        };
        filled().map_err(|e| Error::io("cannot write", path, e))
    }

    fn link(&self, file: NamedTempFile, path: &Path) -> Result<bool, Error> {
        match file.persist_noclobber(path) {
            Ok(_) => Ok(true),
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(refused) => Err(Error::io("cannot write", path, refused.error)),
        }
    }
}

impl Backend for Local {
    fn place(&self, key: &Key) -> PathBuf {
        self.path(key)
    }

    fn max_bytes(&self) -> u64 {
        MAX_OBJECT_BYTES
    }

    fn create(&self, key: &Key, parts: &[&[u8]]) -> Result<bool, Error> {
        let (path, began) = (self.path(key), Instant::now());
        let (file, ()) = self.filled(&path, |file| parts.iter().try_for_each(|part| file.write_all(part)))?;
        let created = self.link(file, &path);
        record_time("write", began);
        created
    }

    fn create_from(&self, key: &Key, source: &Path, _: u64, expected: &Digest) -> Result<bool, Error> {
        let path = self.path(key);
        let mut from = File::open(source).map_err(|e| Error::io("cannot read", source, e))?;
        let (file, found) = self.filled(&path, |file| copy_hashed(&mut from, file))?;
        if found != *expected {
            return Err(Error::Changed { path: source.to_owned(), expected: expected.clone(), found });
        }
        self.link(file, &path)
    }

    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(key);
        let (file, ()) = self.filled(&path, |file| file.write_all(bytes))?;
        if path.is_dir() {
            self.remove(key)?;
        }
        file.persist(&path).map_err(|refused| Error::io("cannot write", &path, refused.error))?;
        Ok(())
    }

    fn read(&self, key: &Key, head: usize, limit: u64) -> Result<Option<Pieces>, Error> {
        let (path, began) = (self.path(key), Instant::now());
        let Some((mut file, size)) = open(&path)? else { return Ok(None) };
        if size > limit {
            let problem = format!("{size} bytes, more than the {limit} it may have");
            return Err(Error::Damaged { path, problem });
        }
        let pieces = read_pieces(&mut file, size, head, limit);
        record_time("read", began);
        pieces.map(Some).map_err(|e| Error::io("cannot read", &path, e))
    }

    fn scan(&self, key: &Key, skip: usize, start: usize) -> Result<Option<Scanned>, Error> {
        let path = self.path(key);
        let Some((mut file, _)) = open(&path)? else { return Ok(None) };
        let mut scanning = Scanning::new(skip, start);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match file.read(&mut chunk).map_err(|e| Error::io("cannot read", &path, e))? {
                0 => return Ok(Some(scanning.finish())),
                count => scanning.take(&chunk[..count]),
            }
        }
    }

    fn list(&self, directory: &str) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        for shelf in names(&self.root.join(directory))? {
            let path = self.root.join(directory).join(&shelf);
            if !path.is_dir() {
                listed.push(Listed { key: Key::listed(format!("{directory}/{shelf}")), bytes: 0 });
                continue;
            }
            for name in names(&path)? {
                let bytes = fs::symlink_metadata(path.join(&name)).map_or(0, |metadata| metadata.len());
                listed.push(Listed { key: Key::listed(format!("{directory}/{shelf}/{name}")), bytes });
            }
        }
        Ok(listed)
    }

    fn fetch(&self, key: &Key, expected: &Digest, target: &Path) -> Result<bool, Error> {
        link_verified(&self.path(key), expected, target)
    }

    fn size(&self, key: &Key) -> Result<Option<u64>, Error> {
        let path = self.path(key);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(Error::io("cannot read", path, e)),
        }
    }

    fn exist(&self, keys: &[Key]) -> Result<Vec<bool>, Error> {
        keys.iter().map(|key| Ok(self.size(key)?.is_some())).collect()
    }

    fn remove(&self, key: &Key) -> Result<(), Error> {
        let mut path = self.path(key);
        // So is a file in the place of its folder.
        if let Some(folder) =
            path.parent().filter(|folder| fs::symlink_metadata(folder).is_ok() && !folder.is_dir())
        {
            path = folder.to_owned();
        }
        // A directory in the place of an object is damage, too.
        let directory = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        match if directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) } {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("cannot remove", path, e)),
            _ => Ok(()),
        }
    }

    fn job_ids(&self) -> Result<Vec<String>, Error> {
        let directory = self.root.join(JOBS);
        let mut ids = names(&directory)?;
        ids.retain(|id| check_name("job id", id).is_ok() && directory.join(id).is_dir());
        Ok(ids)
    }

    fn jobs_with(&self, name: &str) -> Result<Vec<JobEntry>, Error> {
        let entry = |id: String| {
            let path = self.root.join(JOBS).join(&id).join(name);
            let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
            Some(JobEntry { id, modified })
        };
        Ok(self.job_ids()?.into_iter().filter_map(entry).collect())
    }

    fn ping(&self) -> Result<(), Error> {
        let path = self.path(&Key::probe());
        self.filled(&path, |file| file.write_all(b"ping")).map(drop)
    }
}

/// A new temporary file that others may read once it is in place.
pub(crate) fn new_file_in(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().permissions(Permissions::from_mode(FILE_MODE)).tempfile_in(directory)
}

/// An error unless the digest found is the one expected.
pub(crate) fn check_blob(place: &Path, expected: &Digest, found: &Digest) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    let problem = format!("its bytes have the SHA-256 {found}");
    Err(Error::Damaged { path: place.to_owned(), problem })
}

/// Puts a blob's file in a second place if its digest is `expected`; false if there is no such file.
pub(crate) fn link_verified(path: &Path, expected: &Digest, target: &Path) -> Result<bool, Error> {
    let Some((mut file, _)) = open(path)? else { return Ok(false) };
    let found = copy_hashed(&mut file, io::sink()).map_err(|e| Error::io("cannot read", path, e))?;
    check_blob(path, expected, &found)?;
    link_or_copy(path, target)?;
    Ok(true)
}

/// Puts a file in a second place: as a hard link where the file system allows, else as a copy.
fn link_or_copy(path: &Path, target: &Path) -> Result<(), Error> {
    let write_error = |e| Error::io("cannot write", target, e);
    match fs::remove_file(target) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(write_error(e)),
        _ => {}
    }
    if fs::hard_link(path, target).is_ok() {
        return Ok(());
    }
    let copied = || -> io::Result<()> {
        let mut file = new_file_in(target.parent().unwrap_or(Path::new(".")))?;
        io::copy(&mut File::open(path)?, file.as_file_mut())?;
        file.persist(target)?;
        Ok(())
    };
    copied().map_err(write_error)
}

/// Whether there is nothing at a path: no file, a link to itself, a file in the place of its folder.
fn is_absent(error: &io::Error) -> bool {
    const ELOOP: i32 = 40;
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(ELOOP)
}

/// A file and its size; `None` if there is none. What lies in its place and is no file that can be read is damage.
fn open(path: &Path) -> Result<Option<(File, u64)>, Error> {
    let damaged = |problem: &str| Err(Error::Damaged { path: path.to_owned(), problem: problem.to_owned() });
    // Looked at first: opening a pipe would wait for a writer.
    let size = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return damaged("a directory lies in its place"),
        Ok(metadata) if !metadata.is_file() => return damaged("it is not a regular file"),
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) if is_absent(&e) => return damaged(&format!("it cannot be reached ({e})")),
        Err(e) => return Err(Error::io("cannot read", path, e)),
    };
    match File::open(path) {
        Ok(file) => Ok(Some((file, size))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            damaged("it may not be read (permission denied)")
        }
        Err(e) => Err(Error::io("cannot read", path, e)),
    }
}

/// Names in a directory, sorted; none if it is not there.
fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let list_error = |e| Error::io("cannot list", directory, e);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(list_error(e)),
    };
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let names: io::Result<Vec<String>> = entries.map(|entry| entry.map(name)).collect();
    let mut names = names.map_err(list_error)?;
    names.sort();
    Ok(names)
}

/// Removes temporary files that no living process can still need.
pub(crate) fn remove_stale(directory: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(directory).map_err(|e| Error::io("cannot list", directory, e))?;
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
