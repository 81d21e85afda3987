//! Rows of trials from a CSV file, from several in a tar archive, or from the presentations of an assembly.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use globset::{GlobBuilder, GlobMatcher};

use super::super::locate::Roots;
use super::TrialsCard;
use crate::error::{Error, ParseError, Result};
use crate::limits;
use crate::netcdf::read_assembly;
use crate::table::{Table, parse_table, read_table};

const FORMAT: &str = "trials";

/// The tables of all files that the section names, in the order of the files' names.
pub(super) fn read(card: &TrialsCard, roots: &Roots<'_>) -> Result<Vec<Table>> {
    let path = roots.path("trials", &card.file, &card.data)?;
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    if name.ends_with(".nc") {
        return Ok(vec![read_assembly(&path)?.presentation]);
    }
    let archive = [".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end));
    if !archive {
        return match &card.pattern {
            None => Ok(vec![read_table(&path)?]),
            Some(_) => Err(roots.field("trials.pattern", "is for archives, this is one file; remove it")),
        };
    }
    let pattern = card.pattern.as_deref().ok_or_else(|| {
        roots.field("trials.pattern", "is missing; say which files of the archive hold the trials")
    })?;
    let matcher = GlobBuilder::new(pattern).literal_separator(true).build();
    let matcher = matcher.map_err(|e| roots.field("trials.pattern", &e.to_string()))?.compile_matcher();
    let mut tables = from_tar(&path, &name, &matcher)?;
    tables.sort_by(|a, b| a.0.cmp(&b.0));
    if tables.is_empty() {
        return Err(roots.field("trials.pattern", &format!("`{pattern}` matches no file; correct it")));
    }
    Ok(tables.into_iter().map(|(_, table)| table).collect())
}

fn from_tar(path: &Path, name: &str, matcher: &GlobMatcher) -> Result<Vec<(String, Table)>> {
    let file = crate::files::open(path)?;
    let reader: Box<dyn Read> =
        if name.ends_with(".tar") { Box::new(file) } else { Box::new(GzDecoder::new(file)) };
    let mut archive = tar::Archive::new(reader.take(limits::MAX_INFLATED_BYTES));
    let mut tables = Vec::new();
    let mut left = limits::MAX_TEXT_BYTES;
    for (index, entry) in archive.entries().map_err(|e| Error::io(path, e))?.enumerate() {
        let entry = entry.map_err(|e| Error::io(path, e))?;
        let count = index as u64 + 1;
        ParseError::check("entries", count, limits::MAX_ARCHIVE_ENTRIES as u64, "MAX_ARCHIVE_ENTRIES")
            .map_err(|e| Error::parse(path, FORMAT, e))?;
        let inside = entry.path().map_err(|e| Error::io(path, e))?.to_string_lossy().into_owned();
        if !entry.header().entry_type().is_file() || !matcher.is_match(&inside) {
            continue;
        }
        let place = path.with_file_name(format!("{name}!{inside}"));
        let size = entry.size();
        ParseError::check(
            "bytes of all trials",
            limits::MAX_TEXT_BYTES - left + size,
            limits::MAX_TEXT_BYTES,
            "MAX_TEXT_BYTES",
        )
        .map_err(|e| Error::parse(&place, FORMAT, e))?;
        left -= size;
        let mut text = String::new();
        entry.take(size).read_to_string(&mut text).map_err(|e| Error::io(&place, e))?;
        tables.push((inside, parse_table(&text).map_err(|e| Error::parse(&place, "CSV", e))?));
    }
    Ok(tables)
}
