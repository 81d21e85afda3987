//! Stimulus sets from folders, archives, tables and MATLAB files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use ndarray::{Array3, Ix3};

use super::archive::{Archive, is_inside};
use super::{Source, StimulusSet};
use crate::assembly::STIMULUS_ID;
use crate::error::{Error, Result, other_side};
use crate::mat::{numeric, read_mat};
use crate::table::{Table, Values, read_table};

/// Deepest folder below a stimulus folder that is looked into.
const MAX_FOLDER_DEPTH: usize = 8;
/// Columns that name the image of a row of a stimulus table; the second is what older sets call it.
const FILENAME: [&str; 2] = ["filename", "image_file_name"];

impl StimulusSet {
    /// The images below `folder` whose relative path matches `pattern` (a glob; `*` does not cross `/`), sorted by path.
    ///
    /// The identifier is the relative path without its extension; `folder` and `filename` are columns.
    ///
    /// # Errors
    /// [`Error::Io`], a bad pattern, no image, or two images with the same identifier.
    pub fn from_directory(identifier: &str, folder: &Path, pattern: &str) -> Result<StimulusSet> {
        let matcher = glob(folder, pattern)?;
        let mut names = list(folder)?;
        names.retain(|name| matcher.is_match(name));
        names.sort();
        let sources = names.iter().map(|name| Source::File(folder.join(name))).collect();
        named_set(identifier, folder, &names, sources)
    }

    /// The images of a zip archive whose name matches `pattern`, sorted by name; identifiers and columns as in
    /// [`StimulusSet::from_directory`].
    ///
    /// # Errors
    /// [`Error::Io`], a damaged archive, an entry that points outside of it, or as there.
    pub fn from_zip(identifier: &str, archive: &Path, pattern: &str) -> Result<StimulusSet> {
        let matcher = glob(archive, pattern)?;
        let zip = Arc::new(Archive::open(archive)?);
        let mut entries: Vec<(String, usize)> = zip
            .names()
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.ends_with('/') && matcher.is_match(name))
            .map(|(index, name)| (name.clone(), index))
            .collect();
        entries.sort();
        let sources = entries.iter().map(|(_, index)| Source::Archive(zip.clone(), *index)).collect();
        let names: Vec<String> = entries.into_iter().map(|(name, _)| name).collect();
        named_set(identifier, archive, &names, sources)
    }

    /// A table (columns `stimulus_id` and `filename`, or the older `image_id`) and its images, in a zip archive or a
    /// folder; the order of the table is the order of the set (spec §7.2).
    ///
    /// # Errors
    /// [`Error::Field`] without those columns, [`Error::Missing`] for images that are not there,
    /// [`Error::DuplicateId`], or those of reading the table and the archive.
    pub fn from_table(identifier: &str, table: &Path, images: &Path) -> Result<StimulusSet> {
        let labels = read_table(table)?;
        let column = |names: &[&str]| {
            labels.first_of(names).map(Values::to_text).ok_or_else(|| {
                let problem = format!("no such column; the table has: {}", labels.names());
                Error::field(table, names[0], problem)
            })
        };
        let (ids, names) = (column(&STIMULUS_ID)?, column(&FILENAME)?);
        let sources = if images.is_dir() {
            in_folder(table, images, &names)?
        } else {
            in_archive(table, images, &names)?
        };
        StimulusSet::new(identifier, table, ids, labels, sources)
    }

    /// Images stored as height x width x 3 bytes in a MATLAB file; `path` names them, for instance `stimuli[*].image`.
    /// Identifiers are the positions from 1, with leading zeros.
    ///
    /// # Errors
    /// Those of [`read_mat`], and [`Error::Field`] if the path names anything else than such images.
    pub fn from_mat(identifier: &str, file: &Path, path: &str) -> Result<StimulusSet> {
        let mat = read_mat(file)?;
        let values = mat.lookup(path).map_err(|e| Error::field(file, path, e))?;
        let digits = values.len().to_string().len();
        let ids: Vec<String> = (1..=values.len()).map(|i| format!("{i:0digits$}")).collect();
        let mut sources = Vec::with_capacity(values.len());
        for (value, id) in values.into_iter().zip(&ids) {
            let image = numeric(value).and_then(|array| pixels(array.to_u8()));
            let image = image.map_err(|e| Error::field(file, path, format!("image {id}: {e}")))?;
            sources.push(Source::Pixels(file.to_path_buf(), Arc::new(image)));
        }
        let mut table = Table::new(ids.len());
        table
            .push(STIMULUS_ID[0], Values::Text(ids.clone()))
            .map_err(|e| Error::parse(file, "stimulus set", e))?;
        StimulusSet::new(identifier, file, ids, table, sources)
    }
}

fn pixels(array: Option<ndarray::ArrayD<u8>>) -> std::result::Result<Array3<u8>, String> {
    let array = array.ok_or("its pixels are not bytes (uint8)")?;
    let shape = array.shape().to_vec();
    match array.into_dimensionality::<Ix3>() {
        Ok(image) if image.dim().2 == 3 && !image.is_empty() => Ok(image.as_standard_layout().into_owned()),
        _ => Err(format!("its shape is {shape:?}, height x width x 3 is needed")),
    }
}

fn glob(path: &Path, pattern: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map(|g| g.compile_matcher()).map_err(|e| Error::field(path, "pattern", e.to_string()))
}

/// Relative paths with `/` of the files below a folder.
fn list(root: &Path) -> Result<Vec<String>> {
    let files = ventral_input::walk(root, MAX_FOLDER_DEPTH).map_err(|e| Error::io(root, e))?;
    let relative = |path: &PathBuf| {
        let relative = path.strip_prefix(root).ok()?.components();
        let parts: Vec<String> = relative.map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
        Some(parts.join("/"))
    };
    Ok(files.iter().filter_map(relative).collect())
}

fn named_set(identifier: &str, path: &Path, names: &[String], sources: Vec<Source>) -> Result<StimulusSet> {
    let id = |name: &String| match name.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') && !stem.is_empty() => stem.to_string(),
        _ => name.clone(),
    };
    let ids: Vec<String> = names.iter().map(id).collect();
    let folders =
        names.iter().map(|n| n.rsplit_once('/').map_or("", |(folder, _)| folder).to_string()).collect();
    let mut table = Table::new(ids.len());
    let columns = [(STIMULUS_ID[0], ids.clone()), (FILENAME[0], names.to_vec()), ("folder", folders)];
    for (name, values) in columns {
        table.push(name, Values::Text(values)).map_err(|e| Error::parse(path, "stimulus set", e))?;
    }
    StimulusSet::new(identifier, path, ids, table, sources)
}

fn in_archive(table: &Path, images: &Path, names: &[String]) -> Result<Vec<Source>> {
    let archive = Arc::new(Archive::open(images)?);
    let positions: HashMap<&str, usize> =
        archive.names().iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
    let find =
        |name: &String| positions.get(name.as_str()).map(|&entry| Source::Archive(archive.clone(), entry));
    all_found(table, images, names, find, || other_side(names, archive.names()))
}

fn in_folder(table: &Path, images: &Path, names: &[String]) -> Result<Vec<Source>> {
    if let Some(name) = names.iter().find(|n| !is_inside(n)) {
        return Err(Error::field(
            table,
            FILENAME[0],
            format!("`{name}` points outside of {}", images.display()),
        ));
    }
    let find = |name: &String| Some(images.join(name)).filter(|p: &PathBuf| p.is_file()).map(Source::File);
    // A folder that cannot be listed has no example.
    let there = || other_side(names, &list(images).ok()?);
    all_found(table, images, names, find, there)
}

fn all_found(
    table: &Path,
    images: &Path,
    names: &[String],
    find: impl Fn(&String) -> Option<Source>,
    there: impl FnOnce() -> Option<Box<str>>,
) -> Result<Vec<Source>> {
    let found: Vec<Option<Source>> = names.iter().map(find).collect();
    let missing: Vec<&String> =
        names.iter().zip(&found).filter(|(_, f)| f.is_none()).map(|(n, _)| n).collect();
    match missing.first() {
        None => Ok(found.into_iter().flatten().collect()),
        Some(first) => Err(Error::Missing {
            path: table.to_path_buf(),
            what: "images",
            other: images.display().to_string(),
            missing: missing.len(),
            total: names.len(),
            first: first.to_string(),
            there: there(),
        }),
    }
}
