//! Finding and opening the files that a card names.

use std::path::{Component, Path, PathBuf};

use crate::arrays::{NpyArray, NumericArray, parse_npy};
use crate::error::{Error, Result};
use crate::limits;
use crate::mat::{MatFile, read_mat};

/// Where relative paths start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roots<'a> {
    /// The card.
    pub(crate) card: &'a Path,
    /// The data directory, if there is one.
    pub(crate) data_dir: Option<&'a Path>,
}

impl Roots<'_> {
    /// The path of a section's `file` or `data`.
    pub(crate) fn path(
        &self,
        section: &str,
        file: &Option<PathBuf>,
        data: &Option<PathBuf>,
    ) -> Result<PathBuf> {
        self.optional(section, file, data)?.ok_or_else(|| {
            self.field(
                section,
                "names no file; add `file` (beside the card) or `data` (in the data directory)",
            )
        })
    }

    /// The same, where the section may name none.
    pub(crate) fn optional(
        &self,
        section: &str,
        file: &Option<PathBuf>,
        data: &Option<PathBuf>,
    ) -> Result<Option<PathBuf>> {
        match (file, data) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(self.field(section, "names both `file` and `data`; keep one")),
            (Some(file), None) if file.is_absolute() => {
                Err(self
                    .field(&format!("{section}.file"), "is an absolute path; make it relative to the card"))
            }
            (Some(file), None) => {
                self.existing(section, self.card.parent().unwrap_or(Path::new(".")).join(file))
            }
            (None, Some(data)) => {
                let field = format!("{section}.data");
                if !data.components().all(|c| matches!(c, Component::Normal(_))) {
                    return Err(self.field(
                        &field,
                        "points outside of the data directory; make it relative, without `..`",
                    ));
                }
                let missing = || {
                    let fetch = self.dataset().map(|id| format!(", then `ventral datasets fetch {id}`"));
                    let fetch = fetch.unwrap_or_default();
                    format!(
                        "{} is in the data directory, and none is given; set VENTRAL_DATA or pass --data{fetch}",
                        data.display()
                    )
                };
                let directory = self.data_dir.ok_or_else(|| self.field(&field, &missing()))?;
                self.existing(section, directory.join(data))
            }
        }
    }

    fn existing(&self, section: &str, path: PathBuf) -> Result<Option<PathBuf>> {
        if path.exists() {
            return Ok(Some(path));
        }
        let problem = match self.dataset() {
            Some(id) => format!(
                "{} does not exist; `ventral datasets fetch {id}` gets it, or says how",
                path.display()
            ),
            None => format!(
                "{} does not exist; fetch it (`ventral datasets`) or correct the path",
                path.display()
            ),
        };
        let problem = match section.ends_with(".table") {
            true => {
                problem + " (the table is looked for in the folder that holds the images' folder or archive)"
            }
            false => problem,
        };
        Err(self.field(section, &problem))
    }

    /// The data set that the card says its files belong to.
    fn dataset(&self) -> Option<String> {
        let text = crate::files::read_card(self.card).ok()?;
        Some(toml::from_str::<toml::Table>(&text).ok()?.get("dataset")?.as_str()?.to_owned())
    }

    pub(crate) fn field(&self, field: &str, problem: &str) -> Error {
        Error::field(self.card, field, problem)
    }

    /// A field that a format needs.
    pub(crate) fn needed<'v>(&self, field: &str, value: &'v Option<String>, format: &str) -> Result<&'v str> {
        self.needed_for(field, value, "format", format)
    }

    /// A field that the value `name` of a field `what` needs.
    pub(crate) fn needed_for<'v>(
        &self,
        field: &str,
        value: &'v Option<String>,
        what: &str,
        name: &str,
    ) -> Result<&'v str> {
        value.as_deref().ok_or_else(|| self.field(field, &format!("is needed for {what} `{name}`; add it")))
    }
}

/// A MATLAB or npy file, told apart by its first bytes.
pub(crate) enum ArrayFile {
    Mat(MatFile),
    Npy(NumericArray),
}

impl ArrayFile {
    pub(crate) fn open(path: &Path) -> Result<ArrayFile> {
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("mat")) {
            return Ok(ArrayFile::Mat(read_mat(path)?));
        }
        let bytes = crate::files::read_file(path, limits::MAX_FILE_BYTES, "MAX_FILE_BYTES")?;
        match parse_npy(&bytes).map_err(|e| Error::parse(path, "npy", e))? {
            NpyArray::Numeric(array) => Ok(ArrayFile::Npy(array)),
            NpyArray::Text(_) => Err(Error::field(path, "array", "holds text, numbers are needed")),
        }
    }

    /// The array: all of an npy file, or a variable of a MATLAB file.
    pub(crate) fn numeric(
        &self,
        roots: &Roots<'_>,
        field: &str,
        variable: &Option<String>,
    ) -> Result<&NumericArray> {
        match self {
            ArrayFile::Npy(array) => Ok(array),
            ArrayFile::Mat(mat) => {
                let variable = roots.needed(field, variable, "mat")?;
                mat.numeric(variable).map_err(|e| roots.field(field, &e))
            }
        }
    }
}
