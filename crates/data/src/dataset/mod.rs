//! Known data sets: what they are, under which licence, and getting their files.
//!
//! A manifest (`datasets/<id>.toml`) names files below the data directory with their digests. Files come over HTTP or
//! from a local mirror; a file is placed only when its digest is right, and never replaces one that is there.

mod fetch;
mod place;

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::benchmark::parse::{check_identifier, parse_toml};
use crate::error::{Error, Result};
use crate::files::{read_text, sha256_file};

pub use place::tree_digest;

/// Largest file that a manifest may name.
pub const MAX_DATASET_FILE_BYTES: u64 = 1 << 40;

/// A data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetManifest {
    /// Name: letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// One line about it.
    pub title: String,
    /// Licence of the data, or that none is stated.
    pub licence: String,
    /// Reference to cite.
    pub citation: String,
    /// Free text.
    pub note: Option<String>,
    /// Folders of the benchmark cards that read it.
    #[serde(default)]
    pub benchmarks: Vec<String>,
    /// Folders of the model cards that read it.
    #[serde(default)]
    pub models: Vec<String>,
    /// Single files.
    #[serde(default)]
    pub files: Vec<DatasetFile>,
    /// Folders with many small files, taken as one.
    #[serde(default)]
    pub folders: Vec<DatasetFolder>,
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFile {
    /// Path below the data directory, with `/`.
    pub path: PathBuf,
    /// Where it is published; absent for derived files.
    pub url: Option<String>,
    /// How it was made from published files, if it is not itself published.
    pub derived: Option<String>,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
}

/// A folder of a data set, available from mirrors only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFolder {
    /// Path below the data directory, with `/`.
    pub path: PathBuf,
    /// How it was made from published files.
    pub derived: String,
    /// Number of files.
    pub files: usize,
    /// Their length together.
    pub bytes: u64,
    /// SHA-256 over one line `<sha256>  <relative path>` per file, sorted by path.
    pub sha256: String,
}

/// State of a file or folder of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// There, with the right digest.
    Present,
    /// Not there.
    Missing,
    /// There, with another digest.
    Damaged {
        /// SHA-256 found.
        sha256: String,
    },
}

/// An entry of a data set and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileStatus {
    /// Path below the data directory.
    pub path: PathBuf,
    /// Length that the manifest states.
    pub bytes: u64,
    /// Whether the file has a URL.
    pub published: bool,
    /// Its state.
    pub state: FileState,
}

/// Where to fetch from.
#[derive(Debug, Clone, Copy)]
pub enum FetchFrom<'a> {
    /// The URLs of the manifest.
    Network,
    /// A directory laid out like a data directory.
    Mirror(&'a Path),
}

/// Progress of one file.
#[derive(Debug, Clone, Copy)]
pub struct FetchProgress<'a> {
    /// Path below the data directory.
    pub path: &'a Path,
    /// Bytes here.
    pub done: u64,
    /// Bytes of the whole file.
    pub total: u64,
}

/// What a fetch did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FetchReport {
    /// Entries that were there already, with the right digest.
    pub present: Vec<PathBuf>,
    /// Entries that were fetched.
    pub fetched: Vec<PathBuf>,
}

impl DatasetManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::UnknownField`], or [`Error::Field`] for missing fields, bad digests and paths that leave
    /// the data directory.
    pub fn load(path: &Path) -> Result<DatasetManifest> {
        DatasetManifest::parse(&read_text(path)?, path)
    }

    /// Parses a manifest; `path` is for messages.
    ///
    /// # Errors
    /// As [`DatasetManifest::load`].
    pub fn parse(text: &str, path: &Path) -> Result<DatasetManifest> {
        let manifest: DatasetManifest = parse_toml(text, path)?;
        check_identifier(&manifest.id, path)?;
        for (field, entry, sha256, bytes) in manifest.entries() {
            let named =
                |problem: String| Error::field(path, field, format!("{}: {problem}", entry.display()));
            if entry.as_os_str().is_empty() || !entry.components().all(|c| matches!(c, Component::Normal(_)))
            {
                return Err(named("points outside of the data directory".into()));
            }
            if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(named(format!("sha256 `{sha256}` is not 64 lower-case hexadecimal digits")));
            }
            if bytes > MAX_DATASET_FILE_BYTES {
                return Err(named(format!(
                    "{bytes} bytes, the limit is {MAX_DATASET_FILE_BYTES} (MAX_DATASET_FILE_BYTES)"
                )));
            }
        }
        if let Some(file) = manifest.files.iter().find(|f| f.url.is_some() == f.derived.is_some()) {
            let problem = format!("{}: needs either `url` or `derived`", file.path.display());
            return Err(Error::field(path, "files", problem));
        }
        Ok(manifest)
    }

    /// Every manifest of a directory, sorted by file name.
    ///
    /// # Errors
    /// [`Error::Io`], as [`DatasetManifest::load`], or [`Error::DuplicateId`].
    pub fn load_all(directory: &Path) -> Result<Vec<DatasetManifest>> {
        let entries = std::fs::read_dir(directory).map_err(|e| Error::io(directory, e))?;
        let mut paths = entries
            .map(|e| e.map(|e| e.path()))
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|e| Error::io(directory, e))?;
        paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
        paths.sort();
        let manifests = paths.iter().map(|p| DatasetManifest::load(p)).collect::<Result<Vec<_>>>()?;
        let ids: Vec<String> = manifests.iter().map(|m| m.id.clone()).collect();
        crate::stimuli::check_unique(directory, "data set", &ids)?;
        Ok(manifests)
    }

    /// Length of all files together.
    pub fn bytes(&self) -> u64 {
        self.entries().map(|(_, _, _, bytes)| bytes).fold(0, u64::saturating_add)
    }

    /// The state of every file and folder, by digest.
    ///
    /// # Errors
    /// [`Error::Io`] for files that cannot be read.
    pub fn status(&self, data_dir: &Path) -> Result<Vec<FileStatus>> {
        let file = |f: &DatasetFile| {
            let state = state(&data_dir.join(&f.path), &f.sha256, |p| Ok(sha256_file(p)?.0))?;
            Ok(FileStatus { path: f.path.clone(), bytes: f.bytes, published: f.url.is_some(), state })
        };
        let folder = |f: &DatasetFolder| {
            let state = state(&data_dir.join(&f.path), &f.sha256, |p| Ok(tree_digest(p)?.0))?;
            Ok(FileStatus { path: f.path.clone(), bytes: f.bytes, published: false, state })
        };
        self.files.iter().map(file).chain(self.folders.iter().map(folder)).collect()
    }

    /// Gets everything that is missing.
    ///
    /// Downloads resume where an interrupted one stopped. Each file is checked before it is put in its place; files
    /// that are there are left alone.
    ///
    /// # Errors
    /// [`Error::Digest`] for a file that is there or arrives with the wrong bytes, [`Error::Fetch`] for network and
    /// server failures, [`Error::NotAvailable`] for derived files without a mirror, [`Error::Io`].
    pub fn fetch(
        &self,
        data_dir: &Path,
        from: FetchFrom<'_>,
        progress: &dyn Fn(FetchProgress<'_>),
    ) -> Result<FetchReport> {
        let mut report = FetchReport::default();
        for file in &self.files {
            let target = data_dir.join(&file.path);
            match state(&target, &file.sha256, |p| Ok(sha256_file(p)?.0))? {
                FileState::Present => report.present.push(file.path.clone()),
                FileState::Damaged { sha256 } => return Err(digest_error(&target, &file.sha256, sha256)),
                FileState::Missing => {
                    fetch_file(file, &target, from, progress)?;
                    report.fetched.push(file.path.clone());
                }
            }
        }
        for folder in &self.folders {
            let target = data_dir.join(&folder.path);
            match state(&target, &folder.sha256, |p| Ok(tree_digest(p)?.0))? {
                FileState::Present => report.present.push(folder.path.clone()),
                FileState::Damaged { sha256 } => return Err(digest_error(&target, &folder.sha256, sha256)),
                FileState::Missing => {
                    let FetchFrom::Mirror(mirror) = from else {
                        return Err(not_published(&target, &folder.derived));
                    };
                    place::copy_folder(folder, &mirror.join(&folder.path), &target, progress)?;
                    report.fetched.push(folder.path.clone());
                }
            }
        }
        Ok(report)
    }

    fn entries(&self) -> impl Iterator<Item = (&'static str, &Path, &str, u64)> {
        let files = self.files.iter().map(|f| ("files", f.path.as_path(), f.sha256.as_str(), f.bytes));
        files.chain(self.folders.iter().map(|f| ("folders", f.path.as_path(), f.sha256.as_str(), f.bytes)))
    }
}

fn fetch_file(
    file: &DatasetFile,
    target: &Path,
    from: FetchFrom<'_>,
    progress: &dyn Fn(FetchProgress<'_>),
) -> Result<()> {
    match (from, &file.url) {
        (FetchFrom::Mirror(mirror), _) => place::copy_file(file, &mirror.join(&file.path), target, progress),
        (FetchFrom::Network, Some(url)) => fetch::download(file, url, target, progress),
        (FetchFrom::Network, None) => {
            Err(not_published(target, file.derived.as_deref().unwrap_or("a derived file")))
        }
    }
}

fn not_published(target: &Path, derived: &str) -> Error {
    let problem =
        format!("is not published ({derived}); copy it with --mirror DIR from a machine that has it");
    Error::NotAvailable { path: target.to_path_buf(), problem }
}

fn digest_error(path: &Path, expected: &str, found: String) -> Error {
    Error::Digest { path: path.to_path_buf(), expected: expected.to_string(), found }
}

fn state(path: &Path, expected: &str, digest: impl Fn(&Path) -> Result<String>) -> Result<FileState> {
    if !path.exists() {
        return Ok(FileState::Missing);
    }
    let sha256 = digest(path)?;
    Ok(if sha256 == expected { FileState::Present } else { FileState::Damaged { sha256 } })
}
