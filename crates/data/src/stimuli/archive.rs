//! A zip archive of images, read entry by entry.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use zip::ZipArchive;

use crate::error::{Error, ParseError, Result};
use crate::limits;

const FORMAT: &str = "zip archive";

/// An open archive; entries may be read from several threads.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    names: Vec<String>,
    zip: Mutex<ZipArchive<BufReader<File>>>,
}

impl Archive {
    pub(crate) fn open(path: &Path) -> Result<Archive> {
        let file = crate::files::open(path)?;
        let damaged =
            |e: zip::result::ZipError| Error::parse(path, FORMAT, ParseError::Invalid(e.to_string()));
        let zip = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
        let limit = limits::MAX_ARCHIVE_ENTRIES as u64;
        ParseError::check("number of entries", zip.len() as u64, limit, "MAX_ARCHIVE_ENTRIES")
            .map_err(|e| Error::parse(path, FORMAT, e))?;
        let name = |index| zip.name_for_index(index).transpose().map(|n| n.unwrap_or_default().into_owned());
        let names =
            (0..zip.len()).map(name).collect::<std::result::Result<Vec<String>, _>>().map_err(damaged)?;
        if let Some(name) = names.iter().find(|n| !is_inside(n)) {
            let problem = format!("entry `{name}` points outside of the archive; do not trust this file");
            return Err(Error::parse(path, FORMAT, ParseError::Invalid(problem)));
        }
        Ok(Archive { path: path.to_path_buf(), names, zip: Mutex::new(zip) })
    }

    /// The archive's own file.
    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Names of the entries, folders included (they end in `/`).
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn location(&self, entry: usize) -> PathBuf {
        let name = self.names.get(entry).map_or("", String::as_str);
        PathBuf::from(format!("{}!{name}", self.path.display()))
    }

    /// The inflated bytes of an entry, refused beyond the size of an image.
    pub(crate) fn read(&self, entry: usize) -> Result<Vec<u8>> {
        let at = |e: ParseError| Error::parse(&self.location(entry), FORMAT, e);
        let damaged =
            |e: &dyn std::fmt::Display| at(ParseError::Invalid(format!("{e}; the archive is damaged")));
        let mut zip = self.zip.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut file = zip.by_index(entry).map_err(|e| damaged(&e))?;
        let limit = limits::MAX_IMAGE_BYTES;
        ParseError::check("inflated size in bytes", file.size(), limit, "MAX_IMAGE_BYTES").map_err(at)?;
        let mut content = Vec::new();
        // The declared size may be a lie.
        file.by_ref().take(limit + 1).read_to_end(&mut content).map_err(|e| damaged(&e))?;
        ParseError::check("inflated size in bytes", content.len() as u64, limit, "MAX_IMAGE_BYTES")
            .map_err(at)?;
        Ok(content)
    }
}

/// Whether a name stays below the folder that it is relative to.
pub(crate) fn is_inside(name: &str) -> bool {
    !name.contains(['\\', '\0', ':'])
        && Path::new(name).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
}
