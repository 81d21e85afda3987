//! `scan.toml`: brain volumes of subjects under named conditions, and where the files are.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::benchmark::StimuliCard;
use crate::benchmark::parse::{check_name, parse_toml};
use crate::error::{Error, ParseError, Result};
use crate::limits;

/// A scan as its card states it. Paths under `file` are relative to the card, under `data` to the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanCard {
    /// Name in tables and results: letters, digits, `.`, `_` and `-`.
    pub identifier: String,
    /// Version; a change of anything that changes maps is a new version.
    pub version: String,
    /// One line about it.
    pub title: Option<String>,
    /// Reference to cite.
    pub citation: Option<String>,
    /// Licence of the data.
    pub licence: Option<String>,
    /// Data set that its files belong to, as `ventral datasets` names it.
    pub dataset: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// Name of the space that the volumes are in, for the names of maps: letters and digits.
    pub space: Option<String>,
    /// How the files of a subject are laid on each other.
    #[serde(default)]
    pub alignment: Alignment,
    /// Which conditions count, and the images that were shown.
    #[serde(default)]
    pub conditions: ConditionsCard,
    /// Conditions of the volumes of every run that says nothing else.
    pub labels: Option<LabelsCard>,
    /// The images, as in a benchmark card.
    pub stimuli: Option<StimuliCard>,
    /// The subjects, unless they are found in a BIDS directory.
    #[serde(default, rename = "subject")]
    pub subjects: Vec<SubjectCard>,
    /// A directory of BIDS derivatives.
    pub bids: Option<BidsCard>,
    /// Given dissimilarities, each a layer of its own.
    #[serde(default, rename = "rdm")]
    pub rdms: Vec<RdmCard>,
}

/// How the files of a subject are laid on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// By their affines. Files that store the same voxels in another order of axes or direction are reordered; any other
    /// difference is an error.
    #[default]
    Affine,
    /// By voxel index: only the shapes must agree, affines are not looked at. For parity with programs that do so.
    Index,
}

/// A file (a table of two fields, one of which is given).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCard {
    /// Relative to the card.
    pub file: Option<PathBuf>,
    /// Relative to the data directory.
    pub data: Option<PathBuf>,
}

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    /// The texts.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// The conditions (`[conditions]`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionsCard {
    /// The conditions in the order of results; those of the first run in order of appearance unless given.
    pub names: Option<Vec<String>>,
    /// Labels of volumes that are left out, such as `rest`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Images of each condition, whose features are averaged; unless given, a condition has the identifier of its image.
    #[serde(default)]
    pub stimuli: BTreeMap<String, Texts>,
}

/// Which condition each volume shows, in the order of the volumes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelsCard {
    /// The conditions themselves.
    pub conditions: Option<Vec<String>>,
    /// A table with a row per volume, relative to the card: `.csv`, `.tsv`, or columns separated by blanks.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// Names of the columns of a table without a header row.
    pub columns: Option<Vec<String>>,
    /// Column with the condition; `condition`, `trial_type`, `label` or `stimulus_id` unless given.
    pub column: Option<String>,
    /// Column with the run, if the volumes belong to several.
    pub run: Option<String>,
}

/// A person (`[[subject]]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectCard {
    /// Label in the names of maps: letters and digits.
    pub id: String,
    /// Voxels to look at: those above zero. All of them unless given.
    pub mask: Option<FileCard>,
    /// A volume to show maps on.
    pub anatomy: Option<FileCard>,
    /// Named masks that results are also summarised over.
    #[serde(default)]
    pub regions: BTreeMap<String, FileCard>,
    /// Neighbourhoods of voxels that take the place of balls.
    pub neighbourhoods: Option<FileCard>,
    /// The volumes.
    #[serde(default, rename = "run")]
    pub runs: Vec<RunCard>,
}

/// Volumes that were taken together (`[[subject.run]]`). Each run shows every condition, once or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCard {
    /// Label; its number from 1 unless given.
    pub name: Option<String>,
    /// Files of one or several volumes, in the order of the labels.
    pub volumes: Vec<FileCard>,
    /// Conditions of the volumes; those of the card unless given.
    pub labels: Option<LabelsCard>,
}

/// Subjects found in a directory of BIDS derivatives (`[bids]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BidsCard {
    /// The directory, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// Labels of the subjects; all unless given.
    pub subjects: Option<Vec<String>>,
    /// Suffix of the volumes, such as `statmap` or `bold`.
    pub suffix: String,
    /// Entities that the volumes have, such as `task`, `space` and `desc`.
    #[serde(default)]
    pub entities: BTreeMap<String, String>,
    /// Entity whose value is the condition, for files of one volume; otherwise a `.tsv` file beside each file of volumes has
    /// a row per volume, or `[labels]` has.
    pub condition: Option<String>,
    /// Entities of the mask, whose suffix is `mask`; `desc = "brain"` and the space of the volumes unless given.
    pub mask: Option<BTreeMap<String, String>>,
    /// Entities of the anatomy, whose suffix is `T1w`; without, there is none.
    pub anatomy: Option<BTreeMap<String, String>>,
}

/// Given dissimilarities (`[[rdm]]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RdmCard {
    /// Name of the layer, or of each matrix that `variable` names.
    pub name: Texts,
    /// npy, MATLAB or CSV file, relative to the card: a square matrix, or its strict upper triangle row by row.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// For MATLAB: the matrices, for instance `RDMs[*].RDM`.
    pub variable: Option<String>,
    /// Conditions in the order of rows; needed unless a CSV file has them as its header.
    pub conditions: Option<Vec<String>>,
    /// Whether larger numbers mean more alike.
    #[serde(default)]
    pub similarity: bool,
}

impl ScanCard {
    /// Parses a card; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::UnknownField`] with the nearest known name, or [`Error::Field`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let card: Self = parse_toml(text, path)?;
        check_name("identifier", &card.identifier, path)?;
        check_name("version", &card.version, path)?;
        if let Some(space) = &card.space {
            check_label(path, "space", space)?;
        }
        match (&card.bids, card.subjects.is_empty()) {
            (None, true) => {
                return Err(Error::field(path, "subject", "is missing; add `[[subject]]` or `[bids]`"));
            }
            (Some(_), false) => {
                return Err(Error::field(path, "bids", "is beside `[[subject]]`; keep one of them"));
            }
            _ => {}
        }
        let (found, limit) = (card.subjects.len() as u64, limits::MAX_SUBJECTS as u64);
        ParseError::check("number of subjects", found, limit, "MAX_SUBJECTS")
            .map_err(|e| Error::parse(path, "card", e))?;
        let mut ids = HashSet::with_capacity(card.subjects.len());
        for (index, subject) in card.subjects.iter().enumerate() {
            check_label(path, &format!("subject[{index}].id"), &subject.id)?;
            if !ids.insert(&subject.id) {
                let problem = format!("`{}` is the id of two subjects; rename one", subject.id);
                return Err(Error::field(path, format!("subject[{index}].id"), problem));
            }
            if subject.runs.is_empty() {
                let field = format!("subject[{}].run", subject.id);
                return Err(Error::field(path, field, "is missing; add `[[subject.run]]` with its volumes"));
            }
            for (run, card) in subject.runs.iter().enumerate() {
                if card.volumes.is_empty() {
                    let field = format!("subject[{}].run[{run}].volumes", subject.id);
                    return Err(Error::field(path, field, "is empty; name the files"));
                }
            }
        }
        Ok(card)
    }

    /// Reads a card; `path` is the file or its folder.
    ///
    /// # Errors
    /// [`Error::Io`], or as [`ScanCard::parse`].
    pub fn load(path: &Path) -> Result<Self> {
        let path = &super::card_file(path);
        Self::parse(&crate::files::read_card(path)?, path)
    }
}

/// Labels go into the names of files, where BIDS allows letters and digits.
fn check_label(path: &Path, field: &str, label: &str) -> Result<()> {
    super::bids::check_label(label).map_err(|problem| Error::field(path, field, problem))
}
