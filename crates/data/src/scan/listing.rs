//! Which files a scan reads, without reading the data.

use std::path::{Path, PathBuf};

use super::card::{FileCard, LabelsCard, ScanCard};
use super::sources;
use crate::benchmark::locate::Roots;
use crate::benchmark::{CardFile, CardFiles, open_set};
use crate::error::{Error, Result};

/// A field of a card that names a file.
struct Reference {
    field: String,
    file: FileCard,
}

/// Lists the files that [`crate::load_scan`] and [`crate::load_subject`] open for this card, found in the same way.
///
/// Never an error: a card that cannot be used is listed with what was found of it.
pub fn scan_files(card: &Path, data_dir: Option<&Path>) -> CardFiles {
    let path = super::card_file(card);
    let mut files = vec![CardFile { path: path.clone(), in_data: false }];
    let problem = match ScanCard::load(&path) {
        Ok(card) => add_all(&card, &Roots { card: &path, data_dir }, &mut files),
        Err(error) => Some(error),
    };
    CardFiles { files, problem }
}

/// Where the fields of a card point to, whether or not anything is there.
///
/// # Errors
/// Those of reading the card.
pub fn scan_references(card: &Path, data_dir: &Path) -> Result<Vec<PathBuf>> {
    let path = super::card_file(card);
    let card = ScanCard::load(&path)?;
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let bids = card.bids.as_ref().map(|bids| FileCard { file: bids.file.clone(), data: bids.data.clone() });
    let all = references(&card).into_iter().map(|reference| reference.file).chain(bids);
    Ok(all
        .flat_map(|r| [r.file.map(|f| folder.join(f)), r.data.map(|d| data_dir.join(d))])
        .flatten()
        .collect())
}

fn references(card: &ScanCard) -> Vec<Reference> {
    let mut all = Vec::new();
    let mut add = |field: String, file: &Option<PathBuf>, data: &Option<PathBuf>| {
        all.push(Reference { field, file: FileCard { file: file.clone(), data: data.clone() } });
    };
    let table = |field: String, labels: &Option<LabelsCard>| {
        labels.as_ref().map(|l| (field, l.file.clone(), l.data.clone()))
    };
    if let Some((field, file, data)) = table("labels".into(), &card.labels) {
        add(field, &file, &data);
    }
    if let Some(stimuli) = &card.stimuli {
        add("stimuli".into(), &stimuli.file, &stimuli.data);
        let (file, data) = stimuli.table_paths();
        add("stimuli.table".into(), &file, &data);
    }
    for (index, rdm) in card.rdms.iter().enumerate() {
        add(format!("rdm[{index}]"), &rdm.file, &rdm.data);
    }
    for subject in &card.subjects {
        let section = format!("subject[{}]", subject.id);
        for (index, run) in subject.runs.iter().enumerate() {
            for (i, volumes) in run.volumes.iter().enumerate() {
                add(format!("{section}.run[{index}].volumes[{i}]"), &volumes.file, &volumes.data);
            }
            if let Some((field, file, data)) = table(format!("{section}.run[{index}].labels"), &run.labels) {
                add(field, &file, &data);
            }
        }
        let named = [
            ("mask", &subject.mask),
            ("anatomy", &subject.anatomy),
            ("neighbourhoods", &subject.neighbourhoods),
        ];
        for (name, file) in named.into_iter().filter_map(|(name, file)| Some((name, file.as_ref()?))) {
            add(format!("{section}.{name}"), &file.file, &file.data);
        }
        for (name, file) in &subject.regions {
            add(format!("{section}.regions.{name}"), &file.file, &file.data);
        }
    }
    all
}

/// Adds what the card names; returns the first problem.
fn add_all(card: &ScanCard, roots: &Roots<'_>, files: &mut Vec<CardFile>) -> Option<Error> {
    let mut problem = None;
    let mut add = |path: PathBuf, in_data: bool| {
        let file = CardFile { path, in_data };
        if !files.contains(&file) {
            files.push(file);
        }
    };
    for Reference { field, file } in references(card) {
        match roots.optional(&field, &file.file, &file.data) {
            Ok(None) => {}
            Ok(Some(path)) if path.is_dir() => {
                // Images are the only files that are named by their folder.
                let Some(stimuli) = &card.stimuli else { continue };
                match open_set("stimuli", &card.identifier, stimuli, roots) {
                    Ok(set) => set.files().into_iter().for_each(|path| add(path, file.data.is_some())),
                    Err(error) => problem = problem.or(Some(error)),
                }
            }
            Ok(Some(path)) => add(path, file.data.is_some()),
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    if let Some(bids) = &card.bids {
        match sources::resolve(card, roots) {
            Ok(subjects) => {
                let paths = subjects.iter().flat_map(sources::SubjectSource::paths);
                paths.for_each(|path| add(path, bids.data.is_some()));
            }
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    problem
}
