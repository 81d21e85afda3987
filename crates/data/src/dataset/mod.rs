//! Known data sets: what they are, under which licence, and getting their files.
//!
//! A manifest (`datasets/<id>.toml`) names files below the data directory with their digests. Files come over HTTP or
//! from a local mirror; a file is placed only when its digest is right, and never replaces one that is there.

mod fetch;
mod place;

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::benchmark::parse::{check_name, parse_toml};
use crate::error::{Error, Result};
use crate::files::{read_card, sha1_file, sha256_file};

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
    /// Folders of the scan cards that read it.
    #[serde(default)]
    pub scans: Vec<String>,
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
    /// Where it is published.
    pub url: Option<String>,
    /// How it was made from published files, if it is not itself published.
    pub derived: Option<String>,
    /// Whom to ask for it, if no public location is known.
    pub supply: Option<String>,
    /// SHA-256 in lower-case hexadecimal; needed for files with a URL or made from such, unless there is `sha1`.
    pub sha256: Option<String>,
    /// SHA-1 in lower-case hexadecimal, where its publisher states no other.
    pub sha1: Option<String>,
    /// Length in bytes; needed beside `sha256`.
    pub bytes: Option<u64>,
}

/// Digest that the bytes of a file must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected<'a> {
    Sha256(&'a str),
    Sha1(&'a str),
    /// None is known.
    Unknown,
}

impl Expected<'_> {
    /// The name of the algorithm and the digest of a file under it; SHA-256 where none is expected.
    fn measure(self, path: &Path) -> Result<(&'static str, String)> {
        Ok(match self {
            Self::Sha1(_) => ("sha1", sha1_file(path)?),
            Self::Sha256(_) | Self::Unknown => ("sha256", sha256_file(path)?.0),
        })
    }

    fn accepts(self, found: &str) -> bool {
        match self {
            Self::Sha256(digest) | Self::Sha1(digest) => digest == found,
            Self::Unknown => true,
        }
    }

    fn error(self, path: &Path, algorithm: &'static str, found: String) -> Error {
        let expected = match self {
            Self::Sha256(digest) | Self::Sha1(digest) => digest.to_string(),
            Self::Unknown => String::new(),
        };
        Error::Digest { path: path.to_path_buf(), algorithm, expected, found }
    }
}

impl DatasetFile {
    fn expected(&self) -> Expected<'_> {
        match (&self.sha256, &self.sha1) {
            (Some(digest), _) => Expected::Sha256(digest),
            (None, Some(digest)) => Expected::Sha1(digest),
            (None, None) => Expected::Unknown,
        }
    }
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
        /// Digest found.
        digest: String,
    },
    /// There, and the manifest knows no digest to compare it with.
    Unverified {
        /// SHA-256 found.
        digest: String,
    },
}

/// An entry of a data set and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileStatus {
    /// Path below the data directory.
    pub path: PathBuf,
    /// Length that the manifest states, if it does.
    pub bytes: Option<u64>,
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
    /// Those of both whose digest the manifest does not know.
    pub unverified: Vec<PathBuf>,
}

impl DatasetManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::UnknownField`], or [`Error::Field`] for missing fields, bad digests and paths that leave
    /// the data directory.
    pub fn load(path: &Path) -> Result<DatasetManifest> {
        DatasetManifest::parse(&read_card(path)?, path)
    }

    /// Parses a manifest; `path` is for messages.
    ///
    /// # Errors
    /// As [`DatasetManifest::load`].
    pub fn parse(text: &str, path: &Path) -> Result<DatasetManifest> {
        let manifest: DatasetManifest = parse_toml(text, path)?;
        check_name("id", &manifest.id, path)?;
        for file in &manifest.files {
            check_file(file, path)?;
        }
        for folder in &manifest.folders {
            check_entry("folders", path, &folder.path, Some(&folder.sha256), None, Some(folder.bytes))?;
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

    /// Length of all files together, as far as it is known.
    pub fn bytes(&self) -> u64 {
        let files = self.files.iter().filter_map(|file| file.bytes);
        files.chain(self.folders.iter().map(|folder| folder.bytes)).fold(0, u64::saturating_add)
    }

    /// Whether every file is somewhere public or made from what is.
    pub fn is_available(&self) -> bool {
        self.files.iter().all(|file| file.supply.is_none())
    }

    /// The state of every file and folder, by digest.
    ///
    /// # Errors
    /// [`Error::Io`] for files that cannot be read.
    pub fn status(&self, data_dir: &Path) -> Result<Vec<FileStatus>> {
        let file = |f: &DatasetFile| {
            let state = state(&data_dir.join(&f.path), f.expected(), |p| f.expected().measure(p))?;
            Ok(FileStatus { path: f.path.clone(), bytes: f.bytes, published: f.url.is_some(), state })
        };
        let folder = |f: &DatasetFolder| {
            let state = state(&data_dir.join(&f.path), Expected::Sha256(&f.sha256), measure_tree)?;
            Ok(FileStatus { path: f.path.clone(), bytes: Some(f.bytes), published: false, state })
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
    /// server failures, [`Error::NotAvailable`] for files without a public location when there is no mirror (everything else
    /// is fetched before), [`Error::Io`].
    pub fn fetch(
        &self,
        data_dir: &Path,
        from: FetchFrom<'_>,
        progress: &dyn Fn(FetchProgress<'_>),
    ) -> Result<FetchReport> {
        let mut report = FetchReport::default();
        let mut absent = Vec::new();
        for file in &self.files {
            let target = data_dir.join(&file.path);
            match state(&target, file.expected(), |p| file.expected().measure(p))? {
                FileState::Present | FileState::Unverified { .. } => report.present.push(file.path.clone()),
                FileState::Damaged { .. } => {
                    let (algorithm, found) = file.expected().measure(&target)?;
                    return Err(file.expected().error(&target, algorithm, found));
                }
                FileState::Missing if file.supply.is_some() && matches!(from, FetchFrom::Network) => {
                    absent.push(file);
                    continue;
                }
                FileState::Missing => {
                    fetch_file(file, &target, from, progress)?;
                    report.fetched.push(file.path.clone());
                }
            }
            if file.expected() == Expected::Unknown {
                report.unverified.push(file.path.clone());
            }
        }
        for folder in &self.folders {
            let target = data_dir.join(&folder.path);
            let expected = Expected::Sha256(&folder.sha256);
            match state(&target, expected, measure_tree)? {
                FileState::Present | FileState::Unverified { .. } => report.present.push(folder.path.clone()),
                FileState::Damaged { digest } => return Err(expected.error(&target, "sha256", digest)),
                FileState::Missing => {
                    let FetchFrom::Mirror(mirror) = from else {
                        return Err(not_published(&target, &folder.derived));
                    };
                    place::copy_folder(folder, &mirror.join(&folder.path), &target, progress)?;
                    report.fetched.push(folder.path.clone());
                }
            }
        }
        match absent.split_first() {
            Some((first, others)) => Err(not_supplied(&self.id, data_dir, first, others)),
            None => Ok(report),
        }
    }
}

fn check_file(file: &DatasetFile, path: &Path) -> Result<()> {
    check_entry("files", path, &file.path, file.sha256.as_deref(), file.sha1.as_deref(), file.bytes)?;
    let wrong =
        |problem: &str| Err(Error::field(path, "files", format!("{}: {problem}", file.path.display())));
    let origins = [&file.url, &file.derived, &file.supply].into_iter().flatten().count();
    if origins != 1 {
        return wrong(
            "needs one of `url`, `derived` and `supply` (how to get it where no location is known)",
        );
    }
    if file.supply.is_none() && file.expected() == Expected::Unknown {
        return wrong("needs `sha256` and `bytes`, or the `sha1` that its publisher states");
    }
    if file.sha256.is_some() && file.bytes.is_none() {
        return wrong("needs `bytes` beside `sha256`");
    }
    Ok(())
}

fn check_entry(
    field: &str,
    path: &Path,
    entry: &Path,
    sha256: Option<&str>,
    sha1: Option<&str>,
    bytes: Option<u64>,
) -> Result<()> {
    let named = |problem: String| Error::field(path, field, format!("{}: {problem}", entry.display()));
    if entry.as_os_str().is_empty() || !entry.components().all(|c| matches!(c, Component::Normal(_))) {
        return Err(named("points outside of the data directory".into()));
    }
    for (name, digest, length) in [("sha256", sha256, 64), ("sha1", sha1, 40)] {
        let Some(digest) = digest else { continue };
        if digest.len() != length || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(named(format!("{name} `{digest}` is not {length} lower-case hexadecimal digits")));
        }
    }
    match bytes {
        Some(bytes) if bytes > MAX_DATASET_FILE_BYTES => Err(named(format!(
            "{bytes} bytes, the limit is {MAX_DATASET_FILE_BYTES} (MAX_DATASET_FILE_BYTES)"
        ))),
        _ => Ok(()),
    }
}

/// Files that nobody can fetch: what they are and how they get here.
fn not_supplied(id: &str, data_dir: &Path, first: &DatasetFile, others: &[&DatasetFile]) -> Error {
    let supply = first.supply.as_deref().unwrap_or_default();
    let others = others.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>();
    let also = if others.is_empty() { String::new() } else { format!("; nor have {}", others.join(", ")) };
    let problem = format!(
        "has no known public location ({supply}){also}; put the files there, or take them from a directory laid out alike: \
         `ventral datasets fetch {id} --mirror DIR`"
    );
    Error::NotAvailable { path: data_dir.join(&first.path), problem }
}

fn measure_tree(path: &Path) -> Result<(&'static str, String)> {
    Ok(("sha256", tree_digest(path)?.0))
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

fn state(
    path: &Path,
    expected: Expected<'_>,
    measure: impl Fn(&Path) -> Result<(&'static str, String)>,
) -> Result<FileState> {
    if !path.exists() {
        return Ok(FileState::Missing);
    }
    let (_, digest) = measure(path)?;
    Ok(match expected {
        Expected::Unknown => FileState::Unverified { digest },
        _ if expected.accepts(&digest) => FileState::Present,
        _ => FileState::Damaged { digest },
    })
}
