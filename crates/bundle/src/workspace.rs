//! The files of a bundle on a worker's disk, fetched when needed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use ventral_data::{benchmark_references, scan_references};
use ventral_models::ModelCard;
use ventral_plan::CardKind;

use crate::Error;
use crate::collect::without_dots;
use crate::manifest::{CardEntry, DATA, FILES, FileEntry, Manifest};

/// Files that are fetched at a time.
pub const CONCURRENT_FETCHES: usize = 8;

/// Name of the manifest in the directory; its time is that of the last use.
const MANIFEST: &str = "manifest.json";
/// Directory of files on their way.
const TEMPORARY: &str = "tmp";

/// Makes the names of temporary files differ within a process.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Why a blob cannot be fetched.
pub type FetchError = Box<dyn std::error::Error + Send + Sync>;

/// Puts the blob of this digest at this path, verified; false if there is no such blob.
pub type Fetch<'a> = dyn Fn(&ventral_plan::Digest, &Path) -> Result<bool, FetchError> + Sync + 'a;

/// A directory with files of one bundle. Several processes may use it at the same time; only whole files are visible.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    manifest: Manifest,
}

impl Workspace {
    /// Opens the workspace of a bundle at `root`, creating the directory if needed. The manifest must have been checked
    /// ([`Manifest::from_bytes`]).
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::File`] for a directory that belongs to another bundle.
    pub fn open(root: &Path, manifest: &Manifest) -> Result<Self, Error> {
        manifest.check()?;
        for directory in [FILES, DATA, TEMPORARY] {
            let path = root.join(directory);
            fs::create_dir_all(&path).map_err(|e| Error::io("cannot create", path, e))?;
        }
        let workspace = Self { root: root.to_owned(), manifest: manifest.clone() };
        let (path, bytes) = (root.join(MANIFEST), manifest.to_bytes());
        match fs::read(&path) {
            Ok(found) if found == bytes => workspace.touch(),
            Ok(_) => {
                let problem = "belongs to another bundle; choose another directory".to_owned();
                return Err(Error::File { path, problem });
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let temporary = workspace.temporary();
                let written = fs::write(&temporary, &bytes).and_then(|()| fs::rename(&temporary, &path));
                written.map_err(|e| Error::io("cannot write", path, e))?;
            }
            Err(e) => return Err(Error::io("cannot read", path, e)),
        }
        Ok(workspace)
    }

    /// The bundle.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the spec is, once it was needed.
    pub fn spec(&self) -> PathBuf {
        self.path(&self.manifest.spec)
    }

    /// The data directory of the cards.
    pub fn data_dir(&self) -> PathBuf {
        self.root.join(DATA)
    }

    /// Where the file of a virtual path is, once it was needed.
    pub fn path(&self, virtual_path: &str) -> PathBuf {
        self.root.join(virtual_path)
    }

    /// The virtual path of a file in this workspace.
    pub fn virtual_path(&self, path: &Path) -> Option<String> {
        let plain = without_dots(path);
        let relative = plain.strip_prefix(without_dots(&self.root)).ok()?.to_str()?;
        self.manifest.entry(relative).map(|entry| entry.path.clone())
    }

    /// The cards of a kind.
    pub fn cards(&self, kind: CardKind) -> impl Iterator<Item = &CardEntry> {
        self.manifest.cards.iter().filter(move |card| card.kind == kind)
    }

    /// Virtual paths of all files that a card reads, itself included.
    ///
    /// # Errors
    /// [`Error::NotListed`] for a path that is no card of the bundle.
    pub fn card_files(&self, kind: CardKind, card: &str) -> Result<Vec<String>, Error> {
        let found = self.cards(kind).find(|entry| entry.path == card);
        let found = found.ok_or_else(|| Error::NotListed { path: card.to_owned() })?;
        let paths = found.files.iter().filter_map(|&index| self.manifest.files.get(index));
        Ok(paths.map(|entry| entry.path.clone()).collect())
    }

    /// Fetches all that a card reads, and makes sure that it reads nothing else: a card that somebody submits must not lead to
    /// files of the worker.
    ///
    /// # Errors
    /// [`Error::Outside`], and as [`Workspace::need`]. What else is wrong with the card is found when it is loaded.
    pub fn need_card(&self, kind: CardKind, card: &str, fetch: &Fetch<'_>) -> Result<PathBuf, Error> {
        let files = self.card_files(kind, card)?;
        self.need(&[card], fetch)?;
        let path = self.path(card);
        let data_dir = self.data_dir();
        let references = match kind {
            CardKind::Model => {
                ModelCard::load(&path, Some(&data_dir)).map(|card| vec![card.source().to_owned()]).ok()
            }
            CardKind::Benchmark | CardKind::Pool => benchmark_references(&path, &data_dir).ok(),
            CardKind::Scan => scan_references(&path, &data_dir).ok(),
        };
        let (inside, data) = (without_dots(&self.root.join(FILES)), without_dots(&data_dir));
        let outside = |found: &PathBuf| {
            let plain = without_dots(found);
            // `..` must not pass through a place outside, either.
            !(plain.starts_with(&inside) || plain.starts_with(&data)) || climbs_out(&self.root, found)
        };
        if let Some(found) = references.into_iter().flatten().find(outside) {
            return Err(Error::Outside { card: card.to_owned(), found });
        }
        let paths: Vec<&str> = files.iter().map(String::as_str).collect();
        self.need(&paths, fetch)?;
        Ok(path)
    }

    /// Makes sure that these files are there; those that are there already are not fetched again.
    ///
    /// # Errors
    /// [`Error::NotListed`], [`Error::Missing`], [`Error::Fetch`], [`Error::Io`].
    pub fn need(&self, paths: &[&str], fetch: &Fetch<'_>) -> Result<(), Error> {
        let mut lacking = Vec::new();
        for path in paths {
            let entry = self.manifest.entry(path);
            let entry = entry.ok_or_else(|| Error::NotListed { path: (*path).to_owned() })?;
            if !self.has(entry) {
                lacking.push(entry);
            }
        }
        self.touch();
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let work = || {
            while let Some(entry) = lacking.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.fetch(entry, fetch) {
                    next.store(lacking.len(), Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..lacking.len().min(CONCURRENT_FETCHES) {
                scope.spawn(work);
            }
            work();
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// [`Workspace::need`] of every file of the bundle.
    ///
    /// # Errors
    /// As there.
    pub fn all(&self, fetch: &Fetch<'_>) -> Result<(), Error> {
        let paths: Vec<&str> = self.manifest.files.iter().map(|entry| entry.path.as_str()).collect();
        self.need(&paths, fetch)
    }

    /// Bytes of the files that are there.
    pub fn size_bytes(&self) -> u64 {
        self.manifest.files.iter().filter(|entry| self.has(entry)).map(|entry| entry.bytes).sum()
    }

    /// When the workspace at `root` was last opened or needed; `None` if there is none.
    pub fn last_used(root: &Path) -> Option<SystemTime> {
        fs::metadata(root.join(MANIFEST)).and_then(|metadata| metadata.modified()).ok()
    }

    /// Removes the directory and all files in it. Who still uses it gets errors and may open it again.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(root: &Path) -> Result<(), Error> {
        match fs::remove_dir_all(root) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("cannot remove", root, e)),
            _ => Ok(()),
        }
    }

    fn has(&self, entry: &FileEntry) -> bool {
        let found = fs::symlink_metadata(self.path(&entry.path));
        found.is_ok_and(|metadata| metadata.is_file() && metadata.len() == entry.bytes)
    }

    fn fetch(&self, entry: &FileEntry, fetch: &Fetch<'_>) -> Result<(), Error> {
        let temporary = self.temporary();
        let fetched = fetch(&entry.digest, &temporary)
            .map_err(|problem| Error::Fetch { path: entry.path.clone(), problem })
            .and_then(|found| self.place(entry, &temporary, found));
        if fetched.is_err() {
            // It may not have been begun.
            let _ = fs::remove_file(&temporary);
        }
        fetched
    }

    fn place(&self, entry: &FileEntry, temporary: &Path, found: bool) -> Result<(), Error> {
        if !found {
            return Err(Error::Missing { path: entry.path.clone(), digest: entry.digest.clone() });
        }
        let write_error = |e| Error::io("cannot write", self.path(&entry.path), e);
        let bytes = fs::metadata(temporary).map_err(write_error)?.len();
        if bytes != entry.bytes {
            let problem = format!("{bytes} bytes came, the manifest says {}", entry.bytes);
            return Err(Error::Fetch { path: entry.path.clone(), problem: problem.into() });
        }
        let target = self.path(&entry.path);
        let folder = target.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).and_then(|()| fs::rename(temporary, &target)).map_err(write_error)?;
        // Renaming one hard link over another of the same file leaves both.
        match fs::remove_file(temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(write_error(e)),
            _ => Ok(()),
        }
    }

    fn temporary(&self) -> PathBuf {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Processes of different containers may have the same number.
        let now =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        self.root.join(TEMPORARY).join(format!("{}-{now}-{number}", std::process::id()))
    }

    /// Notes the use; where that fails the workspace only looks older than it is.
    fn touch(&self) {
        let _ = File::open(self.root.join(MANIFEST)).and_then(|file| file.set_modified(SystemTime::now()));
    }
}

/// Whether a path leaves `root` on its way, wherever it ends.
fn climbs_out(root: &Path, path: &Path) -> bool {
    let Ok(rest) = path.strip_prefix(root) else { return true };
    let mut depth = 0_usize;
    for part in rest.components() {
        match part {
            std::path::Component::ParentDir if depth == 0 => return true,
            std::path::Component::ParentDir => depth -= 1,
            std::path::Component::CurDir => {}
            _ => depth += 1,
        }
    }
    false
}
