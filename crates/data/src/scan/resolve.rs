//! From a card to a scan: every header read, every volume given its condition.

use std::collections::HashMap;
use std::path::Path;

use ventral_searchlight::Grid;

use super::card::{Alignment, ScanCard};
use super::labels::{self, Labels};
use super::orient::{Orientation, same_shape};
use super::sources::{self, Source, SubjectSource};
use super::{FilePlan, Scan, ScanSubject, rdms};
use crate::benchmark::locate::Roots;
use crate::benchmark::open_set;
use crate::error::{Error, ParseError, Result};
use crate::limits;
use crate::nifti::{NiftiHeader, read_header, read_volume};
use crate::stimuli::StimulusSet;

/// Reads a scan without its volumes: the card, headers, masks, labels, images' names and given dissimilarities. `card` is the
/// card's file or folder, `data_dir` is where `data = ...` files lie.
///
/// # Errors
/// Those of reading these files; [`Error::Field`] naming the file and what differs, for shapes or affines that do not agree,
/// labels that are not one per volume, conditions that are unknown or that a run lacks, images that do not exist, empty masks.
pub fn load_scan(card: &Path, data_dir: Option<&Path>) -> Result<Scan> {
    let path = super::card_file(card);
    let card = ScanCard::load(&path)?;
    let roots = Roots { card: &path, data_dir };
    let mut notes = Vec::new();
    let sources = sources::resolve(&card, &roots)?;
    let labels: Vec<Vec<Labels>> = sources
        .iter()
        .map(|subject| subject.runs.iter().map(|run| run.labels.read()).collect())
        .collect::<Result<_>>()?;
    let first = first_run(&labels);
    let conditions = labels::names(&card.conditions, &first, &path)?;
    let mut subjects = Vec::with_capacity(sources.len());
    for (source, labels) in sources.into_iter().zip(&labels) {
        let subject = Subject { card: &card, path: &path, conditions: &conditions };
        subjects.push(subject.check(source, labels, &mut notes)?);
    }
    let (stimuli, pools) = images(&card, &conditions, &roots)?;
    let rdms = rdms::read(&card, &conditions, &roots)?;
    let space = card.space.clone().or_else(|| Some(card.bids.as_ref()?.entities.get("space")?.clone()));
    Ok(Scan { space, conditions, stimuli, pools, rdms, subjects, notes, path, card })
}

/// Labels of the first run of the first subject.
fn first_run(labels: &[Vec<Labels>]) -> Vec<String> {
    let Some(first) = labels.first().and_then(|runs| runs.first()) else { return Vec::new() };
    match &first.runs {
        Some(runs) => {
            let of_first = first.conditions.iter().zip(runs).filter(|(_, run)| Some(*run) == runs.first());
            of_first.map(|(condition, _)| condition.clone()).collect()
        }
        None => first.conditions.clone(),
    }
}

/// The images and those of each condition.
fn images(
    card: &ScanCard,
    conditions: &[String],
    roots: &Roots<'_>,
) -> Result<(Option<StimulusSet>, Vec<Vec<usize>>)> {
    let Some(stimuli) = &card.stimuli else {
        if let Some(name) = card.conditions.stimuli.keys().next() {
            let problem = "names images, and there is no `[stimuli]`; add it";
            return Err(roots.field(&format!("conditions.stimuli.{name}"), problem));
        }
        return Ok((None, Vec::new()));
    };
    let set = open_set("stimuli", &card.identifier, stimuli, roots)?;
    if let Some(name) = card.conditions.stimuli.keys().find(|name| !conditions.contains(name)) {
        return Err(
            roots.field(&format!("conditions.stimuli.{name}"), "is no condition of the scan; remove it")
        );
    }
    let known: HashMap<&str, usize> = set.ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
    let mut pools = Vec::with_capacity(conditions.len());
    for condition in conditions {
        let field = format!("conditions.stimuli.{condition}");
        let own = std::slice::from_ref(condition);
        let ids = card.conditions.stimuli.get(condition).map_or(own, |texts| texts.as_slice());
        let pool = ids.iter().map(|id| {
            known.get(id.as_str()).copied().ok_or_else(|| {
                roots.field(&field, &format!("there is no image `{id}` in {}; name it here", set.identifier))
            })
        });
        let pool: Vec<usize> = pool.collect::<Result<_>>()?;
        if pool.is_empty() {
            return Err(roots.field(&field, "is empty; name an image"));
        }
        pools.push(pool);
    }
    Ok((Some(set), pools))
}

/// Checks of one subject.
struct Subject<'a> {
    card: &'a ScanCard,
    path: &'a Path,
    conditions: &'a [String],
}

impl Subject<'_> {
    fn check(
        &self,
        source: SubjectSource,
        labels: &[Labels],
        notes: &mut Vec<String>,
    ) -> Result<ScanSubject> {
        let headers: Vec<Vec<NiftiHeader>> = source
            .runs
            .iter()
            .map(|run| run.files.iter().map(|file| read_header(&file.path)).collect())
            .collect::<Result<_>>()?;
        let Some(header) = headers.first().and_then(|files| files.first()).cloned() else {
            return Err(Error::field(self.path, format!("subject[{}].run", source.id), "has no volumes"));
        };
        let grid = header.grid;
        let mut runs: Vec<String> = Vec::new();
        let mut plan = Vec::with_capacity(headers.len());
        for ((run, headers), labels) in source.runs.iter().zip(&headers).zip(labels) {
            let first = runs.len();
            let volumes = self.volumes(&source.id, run, headers, labels, &mut runs)?;
            self.check_complete(&source.id, &runs[first..], first, &volumes)?;
            let mut volumes = volumes.into_iter();
            let mut files = Vec::with_capacity(headers.len());
            for (file, header) in run.files.iter().zip(headers) {
                let orientation = self.orientation(&grid, &header.grid, file, notes)?;
                files
                    .push(FilePlan { orientation, volumes: volumes.by_ref().take(header.volumes).collect() });
            }
            plan.push(files);
        }
        let volumes = plan.iter().flatten().flat_map(|file| &file.volumes).filter(|v| v.is_some()).count();
        let mut mask_voxels = grid.len();
        let mask = match &source.mask {
            Some(mask) => {
                let volume = read_volume(&mask.path)?;
                let orientation = self.orientation(&grid, &volume.header.grid, mask, notes)?;
                mask_voxels = volume.values.iter().filter(|&&value| value > 0.0).count();
                if mask_voxels == 0 {
                    let problem = "the mask is empty: no voxel is above zero; give another one";
                    return Err(Error::field(&mask.path, &mask.field, problem));
                }
                Some(orientation)
            }
            None => {
                notes.push(format!("subject {} has no mask: every voxel with data is looked at", source.id));
                None
            }
        };
        let values = mask_voxels as u64 * self.conditions.len() as u64 * runs.len() as u64;
        ParseError::check("voxels x conditions x runs", values, limits::MAX_SCAN_VALUES, "MAX_SCAN_VALUES")
            .map_err(|e| Error::parse(self.path, "scan", e))?;
        let mut regions = Vec::with_capacity(source.regions.len());
        for (_, region) in &source.regions {
            regions.push(self.orientation(&grid, &read_header(&region.path)?.grid, region, notes)?);
        }
        Ok(ScanSubject {
            id: source.id.clone(),
            grid,
            header,
            mask_voxels,
            runs,
            volumes,
            source,
            plan,
            mask,
            regions,
        })
    }

    /// Run and condition of each volume of a run of the card, which may be several runs of the scan.
    fn volumes(
        &self,
        subject: &str,
        run: &sources::RunSource,
        headers: &[NiftiHeader],
        labels: &Labels,
        runs: &mut Vec<String>,
    ) -> Result<Vec<Option<(usize, usize)>>> {
        let field = format!("subject[{subject}].run[{}]", run.name);
        let found: usize = headers.iter().map(|header| header.volumes).sum();
        if found != labels.conditions.len() {
            let problem = format!(
                "has {found} volumes in {} files, and {} has {} labels; each volume needs one",
                headers.len(),
                labels.source,
                labels.conditions.len()
            );
            return Err(Error::field(self.path, field, problem));
        }
        let position: HashMap<&str, usize> =
            self.conditions.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        let first = runs.len();
        let mut volumes = Vec::with_capacity(found);
        for (index, label) in labels.conditions.iter().enumerate() {
            if self.card.conditions.exclude.contains(label) {
                volumes.push(None);
                continue;
            }
            let Some(&condition) = position.get(label.as_str()) else {
                let problem = format!(
                    "volume {} shows `{label}` ({}), which is no condition; add it to `conditions.names` or `conditions.exclude`",
                    index + 1,
                    labels.source
                );
                return Err(Error::field(self.path, field, problem));
            };
            let name = labels.runs.as_ref().map_or(&run.name, |runs| &runs[index]);
            let known = runs[first..].iter().position(|r| r == name).map(|r| first + r);
            let run = known.unwrap_or_else(|| {
                runs.push(name.clone());
                runs.len() - 1
            });
            volumes.push(Some((run, condition)));
        }
        let all = "has only volumes that are left out";
        if runs.len() == first {
            return Err(Error::field(self.path, field, all));
        }
        Ok(volumes)
    }

    /// An error unless each of these runs, numbered from `first`, shows every condition.
    fn check_complete(
        &self,
        subject: &str,
        runs: &[String],
        first: usize,
        volumes: &[Option<(usize, usize)>],
    ) -> Result<()> {
        let shown: std::collections::HashSet<(usize, usize)> = volumes.iter().flatten().copied().collect();
        for (index, run) in runs.iter().enumerate() {
            let lacks = |&condition: &usize| !shown.contains(&(first + index, condition));
            let missing: Vec<usize> = (0..self.conditions.len()).filter(lacks).collect();
            if let Some(&one) = missing.first() {
                let problem = format!(
                    "does not show {} of {} conditions, the first is `{}`; put runs together or correct the labels",
                    missing.len(),
                    self.conditions.len(),
                    self.conditions[one]
                );
                return Err(Error::field(self.path, format!("subject[{subject}].run[{run}]"), problem));
            }
        }
        Ok(())
    }

    fn orientation(
        &self,
        grid: &Grid,
        file: &Grid,
        source: &Source,
        notes: &mut Vec<String>,
    ) -> Result<Orientation> {
        let named = |problem: String| Error::field(&source.path, &source.field, problem);
        // Notes go into results, which do not depend on where the data are.
        let name = source.path.file_name().unwrap_or_default().to_string_lossy();
        let by_affine = Orientation::between(grid, file);
        match (self.card.alignment, by_affine) {
            (Alignment::Affine, Ok(orientation)) => {
                if orientation != Orientation::same(grid) {
                    notes.push(format!(
                        "{name} stores its axes in another order or direction than the volumes; it was reordered by its affine"
                    ));
                }
                Ok(orientation)
            }
            (Alignment::Affine, Err(problem)) => Err(named(problem)),
            (Alignment::Index, by_affine) => {
                same_shape(grid, file).map_err(named)?;
                if by_affine != Ok(Orientation::same(grid)) {
                    notes.push(format!(
                        "{name} has another affine than the volumes; it was laid on them by voxel index, as the card says"
                    ));
                }
                Ok(Orientation::same(grid))
            }
        }
    }
}
