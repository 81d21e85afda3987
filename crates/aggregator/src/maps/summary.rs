//! The maps of a job as a document: its files by their digests, and the numbers that people look for.

use serde::{Deserialize, Serialize};
use ventral_plan::Plan;
use ventral_store::{Failure, Store};

use super::files::{files, source_title, title};
use super::report::html;
use super::sets;
use super::stage::{Source, Stage, stage};
use crate::Error;
use crate::output::{FileEntry, JobFile, entries, save};

pub use ventral_plan::MAPS_DOCUMENT;

/// Name of the page among the files.
const PAGE: &str = "report.html";

/// The maps of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Maps {
    /// What is not there, in words; empty for a complete job.
    pub gaps: Vec<String>,
    /// What was compared with the brain, by scan.
    pub sources: Vec<SourceSummary>,
    /// Of synthesised with natural images, where the spec asks for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<SetsSummary>,
    /// The files, each a blob of the store.
    pub files: Vec<FileEntry>,
}

/// One model, or the given RDMs, on one scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceSummary {
    /// The scan.
    pub scan: String,
    /// The model, or `given RDMs`.
    pub source: String,
    /// Complete subjects.
    pub subjects: Vec<String>,
    /// Whether the numbers are those of the group; else those of the first subject.
    pub group: bool,
    /// The residual method that decides.
    pub method: String,
    /// Condition number of the correlations of the layers.
    pub condition_number: Option<f64>,
    /// Mean Dice index of the highest voxels of the layers, by method.
    pub overlap: Vec<(String, Option<f64>)>,
    /// Rank correlation of depth with place from back to front.
    pub hierarchy: Option<f64>,
    /// Which voxels belong to a layer.
    pub rule: String,
    /// The layers, from the first to the last.
    pub layers: Vec<LayerSummary>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// How much the layers' maps overlap with synthesised and with natural images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetsSummary {
    /// The model, or `given RDMs`.
    pub source: String,
    /// Scan with synthesised images.
    pub synthesised: String,
    /// Scan with natural images.
    pub natural: String,
    /// The residual method, in words; none where the layers are too alike for one.
    pub method: Option<String>,
    /// `group`, or the first subject of both scans.
    pub level: String,
    /// Mean Dice index over pairs of layers: synthesised images.
    pub synthesised_overlap: Option<f64>,
    /// The same, natural images, raw maps.
    pub natural_overlap: Option<f64>,
    /// The same, natural images, residual maps.
    pub residual_overlap: Option<f64>,
}

/// A layer on the brain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerSummary {
    /// Its name.
    pub layer: String,
    /// Variance inflation among the layers.
    pub variance_inflation: Option<f64>,
    /// Voxels that belong to it.
    pub voxels: usize,
    /// Voxels where it is the largest.
    pub won: Option<usize>,
    /// Largest value of its map: t of a group, else the value of the method.
    pub peak: Option<f64>,
    /// Where it is, in mm.
    pub peak_mm: Option<[f64; 3]>,
}

impl Maps {
    /// Whether something is missing or failed.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.gaps.is_empty()
    }
}

/// All files of the maps of a job, and what they say; `None` for a job without searchlights.
///
/// The same bytes for the same records and spec.
/// # Errors
/// A store that cannot be read, a damaged record, statistics that cannot be computed.
pub fn map_files(
    plan: &Plan,
    store: &Store,
    failures: &[Failure],
) -> Result<Option<(Maps, Vec<JobFile>)>, Error> {
    let Some(stage) = stage(plan, store, failures)? else { return Ok(None) };
    let mut files = files(&stage)?;
    files.extend(sets::files(&stage, &stage.contrasts)?);
    let what = "the maps as a page, which needs nothing else";
    files.push(JobFile::new(PAGE.to_owned(), what, html(&stage)?.into_bytes()));
    let maps = Maps {
        gaps: stage.gaps.iter().map(gap).collect(),
        sources: stage.sources.iter().map(|source| summary(&stage, source)).collect(),
        comparisons: stage.contrasts.iter().filter_map(|contrast| sets_summary(&stage, contrast)).collect(),
        files: entries(&files),
    };
    Ok(Some((maps, files)))
}

/// Makes the maps of a job, puts all files into the store, and then the document that names them.
///
/// # Errors
/// As [`map_files`], and a store that cannot be written. Nothing is named unless all of it is there.
pub fn save_maps(
    plan: &Plan,
    store: &Store,
    job: &str,
    failures: &[Failure],
) -> Result<Option<(Maps, Vec<JobFile>)>, Error> {
    let Some((maps, files)) = map_files(plan, store, failures)? else { return Ok(None) };
    save(store, job, MAPS_DOCUMENT, &maps, &files)?;
    Ok(Some((maps, files)))
}

fn gap(gap: &super::stage::Gap) -> String {
    let reason = gap.reason.as_deref().unwrap_or("not computed");
    format!("{}: {reason}", gap.units.join("; "))
}

fn summary(stage: &Stage<'_>, source: &Source) -> SourceSummary {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let subject = source.subjects.first();
    let map = source.group.as_ref().map(|group| &group.layers).or(subject.map(|subject| &subject.layers));
    let overlaps =
        source.group.as_ref().map(|group| &group.overlaps).or(subject.map(|subject| &subject.overlaps));
    let methods = source.design.methods.iter().map(|prepared| prepared.method.name().to_owned());
    let layer = |(index, name): (usize, &String)| LayerSummary {
        layer: name.clone(),
        variance_inflation: source.design.inflation.get(index).copied().and_then(finite),
        voxels: map.map_or(0, |map| map.masks.row(index).iter().filter(|inside| **inside).count()),
        won: map.and_then(|map| Some(map.winner.as_ref()?.voxels[index])),
        peak: map.and_then(|map| map.peaks[index]).map(|peak| peak.value),
        peak_mm: map.and_then(|map| map.peaks[index]).map(|peak| peak.mm),
    };
    SourceSummary {
        scan: stage.plan.scans[source.scan].identifier.clone(),
        source: title(stage, source),
        subjects: source.subjects.iter().map(|subject| subject.id.clone()).collect(),
        group: source.group.is_some(),
        method: source.design.deciding().name().to_owned(),
        condition_number: source.design.condition.and_then(finite),
        overlap: methods
            .zip(overlaps.into_iter().flatten())
            .map(|(name, &value)| (name, finite(value)))
            .collect(),
        hierarchy: map.and_then(|map| finite(map.hierarchy.rank_correlation)),
        rule: map.map(|map| map.rule.clone()).unwrap_or_default(),
        layers: source.design.layers.iter().enumerate().map(layer).collect(),
        notes: source.notes.clone(),
    }
}

fn sets_summary(stage: &Stage<'_>, contrast: &sets::Contrast) -> Option<SetsSummary> {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let level = contrast.main()?;
    Some(SetsSummary {
        source: source_title(stage, contrast.source),
        synthesised: contrast.synthesised.clone(),
        natural: contrast.natural.clone(),
        method: contrast.method.map(str::to_owned),
        level: level.name.clone(),
        synthesised_overlap: finite(level.synthesised.mean_dice),
        natural_overlap: finite(level.natural.mean_dice),
        residual_overlap: level.residual.as_ref().and_then(|table| finite(table.mean_dice)),
    })
}
