//! Names of files after BIDS: `sub-01_task-faces_space-T1w_stat-r_statmap.nii.gz`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::{Error, ParseError, Result};
use crate::files::write_atomic;
use crate::limits;

/// Longest label of an entity.
const MAX_LABEL_BYTES: usize = 64;
/// Deepest folder below a subject: session and data type.
const MAX_DEPTH: usize = 4;
/// Version of BIDS that maps are written after.
const BIDS_VERSION: &str = "1.10.0";

/// The name of a file, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BidsName {
    entities: Vec<(String, String)>,
    suffix: String,
    extension: String,
}

/// An error unless a label is letters and digits, as BIDS wants it.
pub(super) fn check_label(label: &str) -> std::result::Result<(), String> {
    let allowed = label.chars().all(|c| c.is_ascii_alphanumeric());
    if allowed && !label.is_empty() && label.len() <= MAX_LABEL_BYTES {
        return Ok(());
    }
    Err(format!(
        "`{label}` is not 1 to {MAX_LABEL_BYTES} letters and digits, which names of files need; rename it"
    ))
}

impl BidsName {
    /// A name with these entities in this order, and for instance the suffix `statmap` and the extension `.nii.gz`.
    ///
    /// # Errors
    /// [`ParseError::Invalid`] for keys, labels or a suffix that are not letters and digits, and for a repeated key.
    pub fn new(
        entities: &[(&str, &str)],
        suffix: &str,
        extension: &str,
    ) -> std::result::Result<Self, ParseError> {
        let texts = entities.iter().flat_map(|(key, label)| [*key, *label]).chain([suffix]);
        texts.into_iter().try_for_each(check_label).map_err(ParseError::Invalid)?;
        for (index, (key, _)) in entities.iter().enumerate() {
            if entities[..index].iter().any(|(other, _)| other == key) {
                return Err(ParseError::Invalid(format!("the entity `{key}` is given twice")));
            }
        }
        Ok(Self {
            entities: entities.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            suffix: suffix.to_owned(),
            extension: extension.to_owned(),
        })
    }

    /// Takes a file name apart; nothing if it is none of BIDS.
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, _) = name.split_once('.')?;
        let mut parts: Vec<&str> = stem.split('_').collect();
        let suffix = parts.pop()?;
        let entities = parts.into_iter().map(|part| part.split_once('-')).collect::<Option<Vec<_>>>()?;
        Self::new(&entities, suffix, &name[stem.len()..]).ok()
    }

    /// Label of an entity.
    pub fn entity(&self, key: &str) -> Option<&str> {
        self.entities.iter().find(|(k, _)| k == key).map(|(_, label)| label.as_str())
    }

    /// What the file is.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// From the first point on.
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// Whether it has these entities.
    pub(super) fn has(&self, entities: &BTreeMap<String, String>) -> bool {
        entities.iter().all(|(key, label)| self.entity(key) == Some(label))
    }
}

impl std::fmt::Display for BidsName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (key, label) in &self.entities {
            write!(f, "{key}-{label}_")?;
        }
        write!(f, "{}{}", self.suffix, self.extension)
    }
}

/// A text without what a label may not have: `inception_4e/output` becomes `inception4eoutput`.
pub fn bids_label(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(MAX_LABEL_BYTES).collect()
}

/// The content of `dataset_description.json` of a folder of maps.
pub fn dataset_description(name: &str, version: &str, sources: &[String]) -> serde_json::Value {
    json!({
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{ "Name": "ventral", "Version": version }],
        "SourceDatasets": sources.iter().map(|source| json!({ "URL": source })).collect::<Vec<_>>(),
    })
}

/// Writes JSON for people: indented, keys in order, a newline at the end.
///
/// # Errors
/// [`Error::Io`].
pub fn write_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::io(path, std::io::Error::other(e)))?;
    write_atomic(path, format!("{text}\n").as_bytes())
}

/// The files of a subject with a name after BIDS, sorted by path.
pub(super) fn files_of(root: &Path, subject: &str) -> Result<Vec<(PathBuf, BidsName)>> {
    let folder = root.join(format!("sub-{subject}"));
    let files = ventral_input::walk(&folder, MAX_DEPTH).map_err(|e| Error::io(&folder, e))?;
    ParseError::check("number of files", files.len() as u64, limits::MAX_BIDS_FILES as u64, "MAX_BIDS_FILES")
        .map_err(|e| Error::parse(&folder, "BIDS directory", e))?;
    let named = |path: PathBuf| {
        let name = BidsName::parse(path.file_name()?.to_str()?)?;
        (name.entity("sub") == Some(subject)).then_some((path, name))
    };
    Ok(files.into_iter().filter_map(named).collect())
}

/// Labels of the subjects of a directory, sorted.
pub(super) fn subjects(root: &Path) -> Result<Vec<String>> {
    let mut labels = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|e| Error::io(root, e))? {
        let path = entry.map_err(|e| Error::io(root, e))?.path();
        let name = path.file_name().and_then(|name| name.to_str()?.strip_prefix("sub-"));
        labels.extend(name.filter(|_| path.is_dir()).filter(|n| check_label(n).is_ok()).map(str::to_owned));
    }
    labels.sort();
    Ok(labels)
}
