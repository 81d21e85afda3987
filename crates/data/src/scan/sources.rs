//! Where the files of each subject are: as the card lists them, or as a BIDS directory has them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::bids::{self, BidsName};
use super::card::{BidsCard, FileCard, LabelsCard, ScanCard, SubjectCard};
use super::labels::LabelSource;
use crate::benchmark::locate::Roots;
use crate::error::Result;

/// Extensions of volumes.
const VOLUME_EXTENSIONS: [&str; 2] = [".nii.gz", ".nii"];

/// A file and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Field of the card, for messages.
    pub(super) field: String,
}

/// Files of volumes that belong together.
#[derive(Debug, Clone)]
pub(super) struct RunSource {
    pub(super) name: String,
    pub(super) files: Vec<Source>,
    pub(super) labels: LabelSource,
}

/// All files of a subject.
#[derive(Debug, Clone)]
pub(super) struct SubjectSource {
    pub(super) id: String,
    pub(super) mask: Option<Source>,
    pub(super) anatomy: Option<Source>,
    pub(super) regions: Vec<(String, Source)>,
    pub(super) neighbourhoods: Option<Source>,
    pub(super) runs: Vec<RunSource>,
}

impl SubjectSource {
    /// Every file, in the order in which it is needed.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for run in &self.runs {
            paths.extend(run.files.iter().map(|source| source.path.clone()));
            if let LabelSource::Table { path, .. } = &run.labels {
                paths.push(path.clone());
            }
        }
        let regions = self.regions.iter().map(|(_, source)| source);
        let others = self.mask.iter().chain(&self.anatomy).chain(regions).chain(&self.neighbourhoods);
        paths.extend(others.map(|source| source.path.clone()));
        paths
    }
}

/// The files of all subjects.
pub(super) fn resolve(card: &ScanCard, roots: &Roots<'_>) -> Result<Vec<SubjectSource>> {
    match &card.bids {
        Some(bids) => from_directory(bids, card.labels.as_ref(), roots),
        None => card.subjects.iter().map(|s| from_card(s, card.labels.as_ref(), roots)).collect(),
    }
}

fn from_card(card: &SubjectCard, labels: Option<&LabelsCard>, roots: &Roots<'_>) -> Result<SubjectSource> {
    let section = format!("subject[{}]", card.id);
    let one = |name: &str, file: &FileCard| {
        let field = format!("{section}.{name}");
        roots.path(&field, &file.file, &file.data).map(|path| Source { path, field })
    };
    let optional =
        |name: &str, file: &Option<FileCard>| file.as_ref().map(|file| one(name, file)).transpose();
    let mut runs = Vec::with_capacity(card.runs.len());
    for (index, run) in card.runs.iter().enumerate() {
        let name = run.name.clone().unwrap_or_else(|| (index + 1).to_string());
        let files = run.volumes.iter().enumerate();
        let files =
            files.map(|(i, file)| one(&format!("run[{name}].volumes[{i}]"), file)).collect::<Result<_>>()?;
        let labels = match (&run.labels, labels) {
            (Some(own), _) => LabelSource::of(&format!("{section}.run[{name}].labels"), own, roots)?,
            (None, Some(shared)) => LabelSource::of("labels", shared, roots)?,
            (None, None) => {
                let field = format!("{section}.run[{name}].labels");
                return Err(roots.field(
                    &field,
                    "is missing; say which condition each volume shows, here or in `[labels]`",
                ));
            }
        };
        runs.push(RunSource { name, files, labels });
    }
    let region =
        |(name, file): (&String, &FileCard)| Ok((name.clone(), one(&format!("regions.{name}"), file)?));
    Ok(SubjectSource {
        id: card.id.clone(),
        mask: optional("mask", &card.mask)?,
        anatomy: optional("anatomy", &card.anatomy)?,
        regions: card.regions.iter().map(region).collect::<Result<_>>()?,
        neighbourhoods: optional("neighbourhoods", &card.neighbourhoods)?,
        runs,
    })
}

fn from_directory(
    card: &BidsCard,
    labels: Option<&LabelsCard>,
    roots: &Roots<'_>,
) -> Result<Vec<SubjectSource>> {
    let root = roots.path("bids", &card.file, &card.data)?;
    let subjects = match &card.subjects {
        Some(subjects) => subjects.clone(),
        None => bids::subjects(&root)?,
    };
    if subjects.is_empty() {
        return Err(roots.field("bids", &format!("there is no folder `sub-...` in {}", root.display())));
    }
    let directory = Directory { card, labels, roots };
    subjects.iter().map(|id| directory.subject(&root, id)).collect()
}

struct Directory<'a> {
    card: &'a BidsCard,
    labels: Option<&'a LabelsCard>,
    roots: &'a Roots<'a>,
}

impl Directory<'_> {
    fn subject(&self, root: &Path, id: &str) -> Result<SubjectSource> {
        let files = bids::files_of(root, id)?;
        let volumes = |suffix: &str, entities: &BTreeMap<String, String>| -> Vec<&(PathBuf, BidsName)> {
            let fits = |name: &BidsName| {
                name.suffix() == suffix && VOLUME_EXTENSIONS.contains(&name.extension()) && name.has(entities)
            };
            files.iter().filter(|(_, name)| fits(name)).collect()
        };
        let mut groups: BTreeMap<Vec<String>, Vec<&(PathBuf, BidsName)>> = BTreeMap::new();
        for file in volumes(&self.card.suffix, &self.card.entities) {
            let part = |key: &str| file.1.entity(key).map(|label| format!("{key}-{label}"));
            groups.entry(["ses", "run"].into_iter().filter_map(part).collect()).or_default().push(file);
        }
        if groups.is_empty() {
            let wanted: Vec<String> = self.card.entities.iter().map(|(k, v)| format!("{k}-{v}")).collect();
            let problem = format!(
                "sub-{id} has no volume with the suffix `{}` and the entities {}; correct `[bids]` or leave the subject out",
                self.card.suffix,
                wanted.join(", ")
            );
            return Err(self.roots.field("bids", &problem));
        }
        let runs = groups.into_iter().map(|(key, files)| self.run(id, key.join("_"), files));
        let (mask, given) = match &self.card.mask {
            Some(entities) => (entities.clone(), true),
            None => {
                let space = self.card.entities.get_key_value("space").map(|(k, v)| (k.clone(), v.clone()));
                (space.into_iter().chain([("desc".to_owned(), "brain".to_owned())]).collect(), false)
            }
        };
        let one = |field: &str, found: Vec<&(PathBuf, BidsName)>, needed: bool| match found[..] {
            [(path, _)] => Ok(Some(Source { path: path.clone(), field: format!("bids.{field} (sub-{id})") })),
            [] if !needed => Ok(None),
            _ => {
                let problem = format!("fits {} files of sub-{id}, one is needed", found.len());
                Err(self.roots.field(&format!("bids.{field}"), &problem))
            }
        };
        let anatomy = match &self.card.anatomy {
            Some(entities) => one("anatomy", volumes("T1w", entities), true)?,
            None => None,
        };
        Ok(SubjectSource {
            id: id.to_owned(),
            mask: one("mask", volumes("mask", &mask), given)?,
            anatomy,
            regions: Vec::new(),
            neighbourhoods: None,
            runs: runs.collect::<Result<_>>()?,
        })
    }

    fn run(&self, id: &str, name: String, files: Vec<&(PathBuf, BidsName)>) -> Result<RunSource> {
        let name = if name.is_empty() { "1".to_owned() } else { name };
        let field = format!("bids (sub-{id}, {name})");
        let sources =
            files.iter().map(|(path, _)| Source { path: path.clone(), field: field.clone() }).collect();
        if let Some(key) = &self.card.condition {
            let mut conditions: Vec<String> = Vec::with_capacity(files.len());
            for (path, file) in files {
                let label = file.entity(key).map(str::to_owned).ok_or_else(|| {
                    self.roots.field("bids.condition", &format!("{} has no entity `{key}`", path.display()))
                })?;
                if conditions.contains(&label) {
                    let problem =
                        format!("sub-{id} has several files for `{label}` in {name}; select by entities");
                    return Err(self.roots.field("bids.entities", &problem));
                }
                conditions.push(label);
            }
            return Ok(RunSource { name, files: sources, labels: LabelSource::Given { field, conditions } });
        }
        let [(path, file)] = files[..] else {
            let problem =
                format!("sub-{id} has {} files of volumes in {name}; select by entities", files.len());
            return Err(self.roots.field("bids.entities", &problem));
        };
        let text = path.display().to_string();
        let table = PathBuf::from(format!("{}.tsv", text.strip_suffix(file.extension()).unwrap_or(&text)));
        let labels = match self.labels {
            _ if table.is_file() => {
                let columns = self.labels.cloned().unwrap_or_default();
                let card = LabelsCard { conditions: None, file: None, data: None, ..columns };
                LabelSource::Table { path: table, card }
            }
            Some(shared) => LabelSource::of("labels", shared, self.roots)?,
            None => {
                let problem =
                    format!("{} is not there; add it, `bids.condition` or `[labels]`", table.display());
                return Err(self.roots.field("bids", &problem));
            }
        };
        Ok(RunSource { name, files: sources, labels })
    }
}
