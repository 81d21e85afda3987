//! The files of a job by name and content.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use ventral_plan::{CardKind, Digest};

use crate::Error;

/// Format of a manifest; others are refused.
pub const REVISION: u32 = 1;
/// Most files of a bundle.
pub const MAX_FILES: usize = 200_000;
/// Most cards of a bundle.
pub const MAX_CARDS: usize = 20_000;
/// Most entries of all the cards' lists together.
pub const MAX_CARD_ENTRIES: usize = 2_000_000;
/// Largest file of a bundle in bytes.
pub const MAX_FILE_BYTES: u64 = 32 << 30;
/// Most bytes of all files together.
pub const MAX_TOTAL_BYTES: u64 = 1 << 40;
/// Longest virtual path in bytes.
pub const MAX_PATH_BYTES: usize = 1024;
/// Longest part of a virtual path in bytes: what file systems allow.
pub const MAX_PART_BYTES: usize = 255;
/// Most parts of a virtual path.
pub const MAX_DEPTH: usize = 32;
/// Largest manifest in bytes.
pub const MAX_MANIFEST_BYTES: usize = 64 << 20;

/// First part of the path of a file that is named relative to the spec or a card.
pub(crate) const FILES: &str = "files";
/// First part of the path of a file that is named relative to the data directory.
pub(crate) const DATA: &str = "data";

/// The files of a job, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`REVISION`].
    pub revision: u32,
    /// Virtual path of the spec.
    pub spec: String,
    /// All files, sorted by path.
    pub files: Vec<FileEntry>,
    /// The cards among them in the order of the spec, models before benchmarks before scans before natural images: who has the bundle need not search for them.
    pub cards: Vec<CardEntry>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Virtual path: `files/...` or `data/...`, with `/`.
    pub path: String,
    /// SHA-256 of its bytes: the name of its blob.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

/// A card and what it reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardEntry {
    /// Model, benchmark, scan or set of natural images.
    pub kind: CardKind,
    /// Virtual path of the card.
    pub path: String,
    /// Positions in `files` of all that it reads, itself included, ascending.
    pub files: Vec<usize>,
}

impl Manifest {
    /// Canonical JSON: the same manifest always has the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|e| unreachable!("a manifest is plain data: {e}"))
    }

    /// The digest of its bytes: the name of its blob.
    pub fn digest(&self) -> Digest {
        Digest::of_bytes(&self.to_bytes())
    }

    /// Reads a manifest that somebody else wrote.
    ///
    /// # Errors
    /// [`Error::Manifest`] for anything that [`crate::collect`] would not have written: paths that lead elsewhere, that appear
    /// twice (also in other case) or are folders of others, another order, sizes beyond the limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            let problem = format!("{} bytes; at most {MAX_MANIFEST_BYTES} are allowed", bytes.len());
            return Err(Error::Manifest { field: "manifest".to_owned(), problem });
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|e| Error::Manifest { field: "manifest".to_owned(), problem: e.to_string() })?;
        manifest.check()?;
        if manifest.to_bytes() != bytes {
            let problem = "is not in canonical form; write it as compact JSON, fields in order".to_owned();
            return Err(Error::Manifest { field: "manifest".to_owned(), problem });
        }
        Ok(manifest)
    }

    /// The entry of a virtual path.
    pub fn entry(&self, path: &str) -> Option<&FileEntry> {
        self.position(path).and_then(|index| self.files.get(index))
    }

    pub(crate) fn position(&self, path: &str) -> Option<usize> {
        self.files.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()
    }

    /// The different blobs that the files are, sorted.
    pub fn blobs(&self) -> Vec<Digest> {
        let all: BTreeSet<&str> = self.files.iter().map(|entry| entry.digest.as_str()).collect();
        all.into_iter().filter_map(|text| Digest::try_from(text.to_owned()).ok()).collect()
    }

    /// Bytes of all files together.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().fold(0, |total, entry| total.saturating_add(entry.bytes))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |field: &str, problem: String| Err(Error::Manifest { field: field.to_owned(), problem });
        if self.revision != REVISION {
            return refuse("revision", format!("{} is not known; {REVISION} is", self.revision));
        }
        if self.files.len() > MAX_FILES {
            return refuse("files", format!("{} files; at most {MAX_FILES} are allowed", self.files.len()));
        }
        for (index, entry) in self.files.iter().enumerate() {
            let field = format!("files[{index}]");
            check_path(&entry.path).map_err(|problem| Error::Manifest {
                field: format!("{field}.path"),
                problem: format!("{:?} {problem}", shown(&entry.path)),
            })?;
            if entry.bytes > MAX_FILE_BYTES {
                let problem = format!("{} bytes; at most {MAX_FILE_BYTES} are allowed", entry.bytes);
                return refuse(&format!("{field}.bytes"), problem);
            }
        }
        if let Some(pair) = self.files.windows(2).find(|pair| pair[0].path >= pair[1].path) {
            let (first, second) = (shown(&pair[0].path), shown(&pair[1].path));
            return refuse("files", format!("{first:?} and {second:?} are twice the same or not in order"));
        }
        if self.total_bytes() > MAX_TOTAL_BYTES {
            let problem =
                format!("{} bytes in all; at most {MAX_TOTAL_BYTES} are allowed", self.total_bytes());
            return refuse("files", problem);
        }
        self.check_folders()?;
        if self.position(&self.spec).is_none() || !self.spec.starts_with("files/") {
            return refuse("spec", format!("{:?} is not one of the files", shown(&self.spec)));
        }
        self.check_cards()
    }

    /// No two paths that differ in case only, and no file that is a folder of another: neither can be put on every disk.
    fn check_folders(&self) -> Result<(), Error> {
        let refuse = |problem: String| Err(Error::Manifest { field: "files".to_owned(), problem });
        let folded: Vec<String> = self.files.iter().map(|entry| entry.path.to_lowercase()).collect();
        let mut all = HashSet::with_capacity(folded.len());
        for (path, entry) in folded.iter().zip(&self.files) {
            if !all.insert(path.as_str()) {
                let path = shown(&entry.path);
                return refuse(format!("{path:?} differs from another path in case only; rename one"));
            }
        }
        for path in &folded {
            let mut folders = path.match_indices('/').map(|(end, _)| &path[..end]);
            if let Some(folder) = folders.find(|folder| all.contains(folder)) {
                return refuse(format!("{:?} is a file and a folder", shown(folder)));
            }
        }
        Ok(())
    }

    fn check_cards(&self) -> Result<(), Error> {
        let refuse = |problem: String| Err(Error::Manifest { field: "cards".to_owned(), problem });
        if self.cards.len() > MAX_CARDS {
            return refuse(format!("{} cards; at most {MAX_CARDS} are allowed", self.cards.len()));
        }
        let entries: usize = self.cards.iter().map(|card| card.files.len()).sum();
        if entries > MAX_CARD_ENTRIES {
            return refuse(format!("{entries} entries; at most {MAX_CARD_ENTRIES} are allowed"));
        }
        if !self.cards.is_sorted_by_key(|card| card.kind) {
            return refuse("models must come before benchmarks, and these before scans".to_owned());
        }
        let mut seen = HashSet::with_capacity(self.cards.len());
        if let Some(twice) = self.cards.iter().find(|card| !seen.insert((card.kind, &card.path))) {
            return refuse(format!("{:?} is there twice", shown(&twice.path)));
        }
        for card in &self.cards {
            let position = self.position(&card.path);
            let ascending = card.files.windows(2).all(|pair| pair[0] < pair[1]);
            let inside = card.files.last().is_none_or(|&last| last < self.files.len());
            if !ascending || !inside || position.is_none_or(|own| card.files.binary_search(&own).is_err()) {
                return refuse(format!("{:?} does not list itself and files in order", shown(&card.path)));
            }
        }
        Ok(())
    }
}

/// Refuses a virtual path that could lead elsewhere, or that some file system cannot hold.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    if path.len() > MAX_PATH_BYTES {
        return Err(format!("has {} bytes; at most {MAX_PATH_BYTES} are allowed", path.len()));
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.len() < 2 || !matches!(parts.first(), Some(&(FILES | DATA))) {
        return Err("does not begin with files/ or data/".to_owned());
    }
    if parts.len() > MAX_DEPTH {
        return Err(format!("has {} parts; at most {MAX_DEPTH} are allowed", parts.len()));
    }
    if let Some(part) = parts.iter().find(|part| part.len() > MAX_PART_BYTES) {
        return Err(format!("has a part of {} bytes; at most {MAX_PART_BYTES} are allowed", part.len()));
    }
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Err("has an empty part, '.' or '..'".to_owned());
    }
    if path.contains(|c: char| c == '\\' || c.is_control()) {
        return Err("has a backslash or a control character".to_owned());
    }
    Ok(())
}

/// The beginning of a path, for messages.
fn shown(path: &str) -> &str {
    &path[..path.floor_char_boundary(100)]
}
