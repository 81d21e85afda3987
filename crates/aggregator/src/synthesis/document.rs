//! The sets of a job as a document: their files by their digests, and the numbers that people look for.

use serde::{Deserialize, Serialize};
use ventral_plan::Plan;
use ventral_store::{Failure, Store};
use ventral_synthesis::natural::{distribution, quantile};

use super::collect::{Set, Stage, stage};
use super::files::files;
use crate::Error;
use crate::output::{FileEntry, JobFile, entries, save};

pub use ventral_plan::SYNTHESIS_DOCUMENT;

/// The synthesised images of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Syntheses {
    /// What is not there, in words; empty for a complete job.
    pub gaps: Vec<String>,
    /// The sets, by model in the order of the spec; a model without a complete restart has none.
    pub sets: Vec<SetSummary>,
    /// The files, each a blob of the store.
    pub files: Vec<FileEntry>,
}

/// The images of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetSummary {
    /// The model.
    pub model: String,
    /// Folder of its files, relative to that of all.
    pub folder: String,
    /// Its page, relative to the same.
    pub page: String,
    /// Number of images.
    pub images: usize,
    /// Names of the layers, from the first to the last.
    pub layers: Vec<String>,
    /// Restarts that are complete.
    pub restarts: usize,
    /// Restarts that were asked for.
    pub restarts_planned: usize,
    /// Seed of the best one, whose images these are.
    pub seed: u64,
    /// Its steps.
    pub steps: u64,
    /// Why it stopped, in words.
    pub stop: String,
    /// E1: mean |r| of two layers over pairs of the 8-bit images.
    pub mean_abs_r: f64,
    /// E2: the largest.
    pub max_abs_r: f64,
    /// The layers that have it.
    pub worst: [String; 2],
    /// E1 of the images before the first step.
    pub initial_mean_abs_r: Option<f64>,
    /// E1 of natural images.
    pub natural: Option<NaturalSummary>,
    /// What a reader must be warned of.
    pub warnings: Vec<String>,
}

/// E1 of random draws of as many natural images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NaturalSummary {
    /// The benchmark whose stimuli they are.
    pub pool: String,
    /// Number of draws.
    pub draws: usize,
    /// Mean of E1.
    pub mean: f64,
    /// Its standard deviation over draws.
    pub sd: f64,
    /// Share of draws with a smaller E1 than the synthesised images.
    pub quantile: f64,
}

impl Syntheses {
    /// Whether something is missing or failed.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.gaps.is_empty()
    }
}

/// All files of the synthesised images of a job, and what they are worth; `None` for a job without synthesis.
///
/// The same bytes for the same records and spec.
/// # Errors
/// A store that cannot be read, a damaged record, images that cannot be written.
pub fn synthesis_files(
    plan: &Plan,
    store: &Store,
    failures: &[Failure],
) -> Result<Option<(Syntheses, Vec<JobFile>)>, Error> {
    let Some(mut stage) = stage(plan, store, failures)? else { return Ok(None) };
    let files = files(&mut stage)?;
    let syntheses = Syntheses {
        gaps: stage.gaps.iter().map(|gap| format!("{}: {}", gap.unit, gap.reason)).collect(),
        sets: stage.sets.iter().map(|set| summary(&stage, set)).collect(),
        files: entries(&files),
    };
    Ok(Some((syntheses, files)))
}

/// Makes the files of [`synthesis_files`], puts all into the store, and then the document that names them.
///
/// # Errors
/// As there, and a store that cannot be written. Nothing is named unless all of it is there.
pub fn save_synthesis(
    plan: &Plan,
    store: &Store,
    job: &str,
    failures: &[Failure],
) -> Result<Option<(Syntheses, Vec<JobFile>)>, Error> {
    let Some((syntheses, files)) = synthesis_files(plan, store, failures)? else { return Ok(None) };
    save(store, job, SYNTHESIS_DOCUMENT, &syntheses, &files)?;
    Ok(Some((syntheses, files)))
}

fn summary(stage: &Stage<'_>, set: &Set) -> SetSummary {
    let (chosen, values) = (set.chosen(), &set.after.pearson);
    let natural = set.natural.as_ref().and_then(|pool| {
        let draws = &pool.draws.pearson.mean_abs_r;
        let found = distribution(draws).ok()?;
        Some(NaturalSummary {
            pool: pool.identifier.clone(),
            draws: draws.len(),
            mean: found.mean,
            sd: found.sd,
            quantile: quantile(draws, values.mean_abs_r),
        })
    });
    SetSummary {
        model: stage.plan.models[set.model].identifier.clone(),
        folder: set.folder.clone(),
        page: format!("{}/{}", set.folder, super::files::PAGE),
        images: set.images.dim().0,
        layers: set.layers.clone(),
        restarts: set.restarts.len(),
        restarts_planned: set.planned,
        seed: chosen.seed,
        steps: chosen.steps,
        stop: chosen.stop.clone(),
        mean_abs_r: values.mean_abs_r,
        max_abs_r: values.max_abs_r,
        worst: values.worst.map(|layer| set.layers[layer].clone()),
        initial_mean_abs_r: set.before.as_ref().map(|before| before.pearson.mean_abs_r),
        natural,
        warnings: set.warnings.clone(),
    }
}
