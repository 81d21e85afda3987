//! Sets of images with identifiers, decoded one at a time.

mod archive;
mod build;

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::Array3;
use sha2::{Digest, Sha256};

use crate::error::{Error, ParseError, Result};
use crate::files::{hex, read_file};
use crate::image::Image;
use crate::limits;
use crate::table::{Table, Values};
use archive::Archive;

/// Where one image is.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File(PathBuf),
    Archive(Arc<Archive>, usize),
    Pixels(PathBuf, Arc<Array3<u8>>),
}

/// Images in a fixed order, each with an identifier and a row of labels.
#[derive(Debug, Clone)]
pub struct StimulusSet {
    /// Name of the set.
    pub identifier: String,
    /// Identifier of each stimulus, unique.
    pub ids: Vec<String>,
    /// One row of labels per stimulus.
    pub table: Table,
    sources: Vec<Source>,
}

impl StimulusSet {
    pub(crate) fn new(
        identifier: &str,
        path: &std::path::Path,
        ids: Vec<String>,
        table: Table,
        sources: Vec<Source>,
    ) -> Result<Self> {
        let format = "stimulus set";
        ParseError::check("number of stimuli", ids.len() as u64, limits::MAX_STIMULI as u64, "MAX_STIMULI")
            .map_err(|e| Error::parse(path, format, e))?;
        if ids.is_empty() {
            return Err(Error::parse(
                path,
                format,
                ParseError::invalid("there is no image in it; correct the pattern"),
            ));
        }
        check_unique(path, "stimulus", &ids)?;
        Ok(StimulusSet { identifier: identifier.to_string(), ids, table, sources })
    }

    /// Number of stimuli.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no stimuli; a set that was read has at least one.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Decodes one stimulus.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Parse`] as [`Image::decode`], naming the file.
    pub fn image(&self, index: usize) -> Result<Image> {
        if let Some(Source::Pixels(_, pixels)) = self.sources.get(index) {
            return Ok(Image { pixels: pixels.as_ref().clone() });
        }
        let bytes = self.bytes(index)?;
        Image::decode(&bytes).map_err(|e| Error::parse(&self.location(index), "image", e))
    }

    /// SHA-256 over the identifiers and the bytes of the images, in order, in lower-case hexadecimal.
    ///
    /// # Errors
    /// Those of reading the images.
    pub fn digest(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        for (index, id) in self.ids.iter().enumerate() {
            let bytes = self.bytes(index)?;
            for part in [id.as_bytes(), &bytes] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Ok(hex(&hasher.finalize()))
    }

    /// The given stimuli, in that order; `None` when one does not exist.
    pub fn select(&self, rows: &[usize]) -> Option<StimulusSet> {
        Some(StimulusSet {
            identifier: self.identifier.clone(),
            ids: rows.iter().map(|&r| self.ids.get(r).cloned()).collect::<Option<_>>()?,
            table: self.table.select(rows)?,
            sources: rows.iter().map(|&r| self.sources.get(r).cloned()).collect::<Option<_>>()?,
        })
    }

    /// These stimuli and then others, whose identifiers get a prefix. Their labels are those of these stimuli's columns, empty.
    pub(crate) fn followed_by(mut self, others: StimulusSet, prefix: &str) -> StimulusSet {
        self.ids.extend(others.ids.iter().map(|id| format!("{prefix}{id}")));
        self.sources.extend(others.sources);
        self.table = Table::new(self.ids.len());
        self
    }

    /// The labels of a column as text.
    pub fn labels(&self, column: &str) -> Option<Vec<String>> {
        self.table.column(column).map(Values::to_text)
    }

    /// The files that the images are in, each once, in order of first use.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut seen = std::collections::HashSet::new();
        let files = self.sources.iter().map(|source| match source {
            Source::File(path) | Source::Pixels(path, _) => path,
            Source::Archive(archive, _) => archive.path(),
        });
        files.filter(|path| seen.insert(path.as_path())).cloned().collect()
    }

    /// The file of a stimulus, for messages; archive and entry are joined by `!`.
    pub fn location(&self, index: usize) -> PathBuf {
        match self.sources.get(index) {
            Some(Source::File(path)) => path.clone(),
            Some(Source::Archive(archive, entry)) => archive.location(*entry),
            Some(Source::Pixels(path, _)) => PathBuf::from(format!("{}!{}", path.display(), self.ids[index])),
            None => PathBuf::from(format!("stimulus {index} of {}, which does not exist", self.len())),
        }
    }

    /// The encoded bytes of a stimulus; for decoded sources the shape and the pixels.
    fn bytes(&self, index: usize) -> Result<Vec<u8>> {
        match self.sources.get(index) {
            Some(Source::File(path)) => read_file(path, limits::MAX_IMAGE_BYTES, "MAX_IMAGE_BYTES"),
            Some(Source::Archive(archive, entry)) => archive.read(*entry),
            Some(Source::Pixels(_, pixels)) => {
                let shape = pixels.shape().iter().flat_map(|&d| (d as u64).to_le_bytes());
                Ok(shape.chain(pixels.iter().copied()).collect())
            }
            None => Err(Error::io(&self.location(index), std::io::Error::other("no such stimulus"))),
        }
    }
}

/// An error that names the first identifier that appears twice.
pub(crate) fn check_unique(path: &std::path::Path, what: &'static str, ids: &[String]) -> Result<()> {
    check_unique_or(path, what, ids, "identifiers must be unique")
}

/// The same, with something else to do about it.
pub(crate) fn check_unique_or(
    path: &std::path::Path,
    what: &'static str,
    ids: &[String],
    remedy: &'static str,
) -> Result<()> {
    let mut rows = std::collections::HashMap::with_capacity(ids.len());
    for (second, id) in ids.iter().enumerate() {
        if let Some(first) = rows.insert(id.as_str(), second) {
            let (path, id) = (path.to_path_buf(), id.clone());
            return Err(Error::DuplicateId { path, what, id, first, second, remedy });
        }
    }
    Ok(())
}
