//! Which files a benchmark reads, without reading the data.

use std::path::{Path, PathBuf};

use super::card::BenchmarkCard;
use super::locate::Roots;
use super::resolve::{open_set, open_stimuli};
use crate::error::{Error, Result};

/// Section of the images that principal components are fitted on.
const IMAGES: &str = "pca.images";

/// A file that a card reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFile {
    /// The file.
    pub path: PathBuf,
    /// Whether the card names it relative to the data directory; to the card otherwise.
    pub in_data: bool,
}

/// The files that a card reads.
#[derive(Debug)]
pub struct CardFiles {
    /// The card itself first, then those that were found.
    pub files: Vec<CardFile>,
    /// Why there may be more: what loading the card would fail with.
    pub problem: Option<Error>,
}

/// A section of a card that names a file: its name, `file`, `data`.
type Reference = (&'static str, Option<PathBuf>, Option<PathBuf>);

/// Lists the files that [`crate::load_benchmark`] opens for this card, found in the same way.
///
/// Never an error: a card that cannot be used is listed with what was found of it.
pub fn benchmark_files(card: &Path, data_dir: Option<&Path>) -> CardFiles {
    let path = super::card_file(card);
    let mut files = vec![CardFile { path: path.clone(), in_data: false }];
    let problem = match BenchmarkCard::load(&path) {
        Ok(card) => add_all(&card, &Roots { card: &path, data_dir }, &mut files),
        Err(error) => Some(error),
    };
    CardFiles { files, problem }
}

/// Where the fields of a card point to, whether or not anything is there.
///
/// # Errors
/// Those of reading the card.
pub fn benchmark_references(card: &Path, data_dir: &Path) -> Result<Vec<PathBuf>> {
    let path = super::card_file(card);
    let card = BenchmarkCard::load(&path)?;
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let references = references(&card).into_iter();
    Ok(references
        .flat_map(|(_, file, data)| [file.map(|f| folder.join(f)), data.map(|d| data_dir.join(d))])
        .flatten()
        .collect())
}

/// What is wrong with the files that a card names: those that are not there above all.
pub(super) fn missing(card: &BenchmarkCard, roots: &Roots<'_>) -> Vec<Error> {
    let wrong = |(section, file, data): Reference| roots.optional(section, &file, &data).err();
    references(card).into_iter().filter_map(wrong).collect()
}

fn references(card: &BenchmarkCard) -> Vec<Reference> {
    let mut all: Vec<Reference> = vec![
        ("stimuli", card.stimuli.file.clone(), card.stimuli.data.clone()),
        ("assembly", card.assembly.file.clone(), card.assembly.data.clone()),
        ("splits", card.splits.file.clone(), card.splits.data.clone()),
        ("ceiling", card.ceiling.file.clone(), card.ceiling.data.clone()),
    ];
    let (file, data) = card.stimuli.table_paths();
    all.push(("stimuli.table", file, data));
    if let Some(trials) = &card.trials {
        all.push(("trials", trials.file.clone(), trials.data.clone()));
    }
    if let Some(decisions) = &card.decisions {
        all.push(("decisions", decisions.file.clone(), decisions.data.clone()));
    }
    if let Some(pca) = &card.pca {
        all.push((IMAGES, pca.images.file.clone(), pca.images.data.clone()));
        let (file, data) = pca.images.table_paths();
        all.push(("pca.images.table", file, data));
    }
    if let Some(property) = &card.property {
        all.push(("property", property.file.clone(), property.data.clone()));
    }
    if let Some(repeats) = &card.repeats {
        all.push(("repeats", repeats.file.clone(), repeats.data.clone()));
    }
    if let Some(subjects) = &card.subjects {
        all.push(("subjects", subjects.file.clone(), subjects.data.clone()));
    }
    all
}

fn opened(section: &str, card: &BenchmarkCard, roots: &Roots<'_>) -> Result<crate::stimuli::StimulusSet> {
    match &card.pca {
        Some(pca) if section == IMAGES => open_set(IMAGES, IMAGES, &pca.images, roots),
        _ => open_stimuli(card, roots),
    }
}

/// Adds what the card names; returns the first problem.
fn add_all(card: &BenchmarkCard, roots: &Roots<'_>, files: &mut Vec<CardFile>) -> Option<Error> {
    let mut problem = None;
    let mut add = |path: PathBuf, in_data: bool| {
        let file = CardFile { path, in_data };
        if !files.contains(&file) {
            files.push(file);
        }
    };
    for (section, file, data) in references(card) {
        let found = match roots.optional(section, &file, &data) {
            Ok(None) => continue,
            Ok(Some(path)) if path.is_dir() && matches!(section, "stimuli" | IMAGES) => {
                match opened(section, card, roots) {
                    Ok(set) => set.files(),
                    Err(error) => {
                        problem = problem.or(Some(error));
                        continue;
                    }
                }
            }
            Ok(Some(path)) => vec![path],
            Err(error) => {
                problem = problem.or(Some(error));
                continue;
            }
        };
        found.into_iter().for_each(|path| add(path, data.is_some()));
    }
    problem
}
