//! Which condition each volume shows, by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::card::{ConditionsCard, LabelsCard};
use crate::benchmark::locate::Roots;
use crate::error::{Error, ParseError, Result};
use crate::limits;

/// Columns that hold the condition unless the card names another one.
const CONDITION_COLUMNS: [&str; 4] = ["condition", "trial_type", "label", "stimulus_id"];

/// Condition and run of each volume, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labels {
    /// Where they come from, for messages.
    pub(super) source: String,
    /// Condition of each volume.
    pub(super) conditions: Vec<String>,
    /// Run of each volume, if a column says so.
    pub(super) runs: Option<Vec<String>>,
}

/// Where the labels of a run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LabelSource {
    /// On the card, or an entity of the files' names.
    Given { field: String, conditions: Vec<String> },
    /// In a table.
    Table { path: PathBuf, card: LabelsCard },
}

impl LabelSource {
    /// Finds the labels of a section of the card.
    pub(super) fn of(section: &str, card: &LabelsCard, roots: &Roots<'_>) -> Result<Self> {
        let table = roots.optional(section, &card.file, &card.data)?;
        match (&card.conditions, table) {
            (Some(_), Some(_)) => {
                Err(roots.field(section, "has both `conditions` and a table; keep one of them"))
            }
            (None, None) => {
                Err(roots.field(section, "names neither `conditions` nor a table (`file` or `data`)"))
            }
            (Some(conditions), None) => {
                Ok(Self::Given { field: format!("{section}.conditions"), conditions: conditions.clone() })
            }
            (None, Some(path)) => Ok(Self::Table { path, card: card.clone() }),
        }
    }

    pub(super) fn read(&self) -> Result<Labels> {
        match self {
            Self::Given { field, conditions } => {
                Ok(Labels { source: format!("`{field}`"), conditions: conditions.clone(), runs: None })
            }
            Self::Table { path, card } => {
                let text = crate::files::read_text(path)?;
                let table = Cells::parse(&text, path, card.columns.as_deref())?;
                let column = match &card.column {
                    Some(name) => table.column(path, name)?,
                    None => {
                        let found = CONDITION_COLUMNS.iter().find_map(|name| table.find(name));
                        found.ok_or_else(|| table.absent(path, CONDITION_COLUMNS[0]))?
                    }
                };
                let runs = card.run.as_ref().map(|name| table.column(path, name)).transpose()?;
                Ok(Labels {
                    source: path.display().to_string(),
                    conditions: table.cells(column),
                    runs: runs.map(|run| table.cells(run)),
                })
            }
        }
    }
}

/// A table of texts.
struct Cells {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Cells {
    /// Commas in `.csv`, tabs in `.tsv`, otherwise blanks.
    fn parse(text: &str, path: &Path, names: Option<&[String]>) -> Result<Self> {
        let invalid = |problem: String| Error::parse(path, "table", ParseError::Invalid(problem));
        let is = |extension: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
        let mut rows: Vec<Vec<String>> = Vec::new();
        if is("csv") || is("tsv") {
            let delimiter = if is("csv") { b',' } else { b'\t' };
            let columns = crate::csv::columns(text, delimiter).map_err(|e| Error::parse(path, "table", e))?;
            for column in &columns {
                rows.resize(column.iter().count(), Vec::new());
                rows.iter_mut().zip(column.iter()).for_each(|(row, cell)| row.push(cell.trim().to_owned()));
            }
        } else {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            rows.extend(lines.map(|line| line.split_whitespace().map(str::to_owned).collect()));
        }
        let names = match names {
            Some(names) => names.to_vec(),
            None if rows.is_empty() => return Err(invalid("it is empty".into())),
            None => rows.remove(0),
        };
        if let Some(row) = rows.iter().position(|row| row.len() != names.len()) {
            let found = rows[row].len();
            return Err(invalid(format!(
                "row {} has {found} cells, there are {} columns",
                row + 1,
                names.len()
            )));
        }
        Ok(Self { names, rows })
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    fn column(&self, path: &Path, name: &str) -> Result<usize> {
        self.find(name).ok_or_else(|| self.absent(path, name))
    }

    fn absent(&self, path: &Path, name: &str) -> Error {
        let problem = format!("there is no column `{name}`; the table has: {}", self.names.join(", "));
        Error::field(path, name, problem)
    }

    fn cells(&self, column: usize) -> Vec<String> {
        self.rows.iter().map(|row| row[column].clone()).collect()
    }
}

/// The conditions of a scan in the order of its results.
///
/// `first` are the labels of the first run, whose order of appearance counts where the card gives no names.
pub(super) fn names(card: &ConditionsCard, first: &[String], path: &Path) -> Result<Vec<String>> {
    let mut seen = HashSet::new();
    let names: Vec<String> = match &card.names {
        Some(names) => {
            if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
                return Err(Error::field(
                    path,
                    "conditions.names",
                    format!("has `{twice}` twice; remove one"),
                ));
            }
            names.clone()
        }
        None => {
            let counted = first.iter().filter(|label| !card.exclude.contains(label));
            counted.filter(|label| seen.insert(label.as_str())).cloned().collect()
        }
    };
    if let Some(both) = card.exclude.iter().find(|name| card.names.iter().flatten().any(|n| n == *name)) {
        return Err(Error::field(
            path,
            "conditions.exclude",
            format!("has `{both}`, which is in `names` too"),
        ));
    }
    if names.len() < 2 {
        let problem = format!("{} condition is too few, a pair needs two", names.len());
        return Err(Error::field(path, "conditions", problem));
    }
    ParseError::check(
        "number of conditions",
        names.len() as u64,
        limits::MAX_CONDITIONS as u64,
        "MAX_CONDITIONS",
    )
    .map_err(|e| Error::parse(path, "card", e))?;
    Ok(names)
}
