//! The same brains with synthesised and with natural images: how much the layers' maps overlap, and whether the residual method
//! brings those of natural images closer to those of synthesised ones.
//!
//! Voxels of a layer are its highest ones, the same share for all: significance would also compare how strong the signals are.

mod figure;
mod files;
mod level;

use ventral_plan::{MapSource, StimulusSets};

use super::design::words;
use super::stage::{Source, Stage};
use super::subject::SubjectMaps;
use crate::Error;
pub(crate) use figure::{figure, file, mean};
pub(crate) use files::files;
pub(crate) use level::Level;
use level::{group_level, subject_level};

/// One model, or the given RDMs, with both sets of images.
#[derive(Debug)]
pub(crate) struct Contrast {
    pub(crate) source: MapSource,
    pub(crate) layers: Vec<String>,
    /// Identifiers of the scans.
    pub(crate) synthesised: String,
    pub(crate) natural: String,
    /// Images of each.
    pub(crate) images: [usize; 2],
    /// The residual method in words; none where the layers are too alike for one.
    pub(crate) method: Option<&'static str>,
    /// Share of voxels that belong to a layer, in per cent.
    pub(crate) top_percent: f64,
    /// The group first, then subjects of both scans.
    pub(crate) levels: Vec<Level>,
    /// What a reader must know.
    pub(crate) notes: Vec<String>,
}

/// All comparisons that a spec asks for and the maps allow, and why others are not there.
pub(crate) fn contrasts(stage: &Stage<'_>) -> Result<(Vec<Contrast>, Vec<String>), Error> {
    let Some(sets) = &stage.spec.stimulus_sets else { return Ok((Vec::new(), Vec::new())) };
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let of = |identifier: &str| {
        stage
            .sources
            .iter()
            .filter(|source| stage.plan.scans[source.scan].identifier == identifier)
            .collect::<Vec<_>>()
    };
    let natural = of(&sets.natural);
    for synthesised in of(&sets.synthesised) {
        let Some(natural) = natural.iter().find(|natural| natural.source == synthesised.source) else {
            continue;
        };
        match contrast(stage, sets, synthesised, natural)? {
            Ok(contrast) => found.push(contrast),
            Err(why) => missing.push(why),
        }
    }
    if found.is_empty() && missing.is_empty() {
        missing.push(format!(
            "no maps of the same layers are there for both {} and {}",
            sets.synthesised, sets.natural
        ));
    }
    Ok((found, missing))
}

/// Two sources of the same layers, or why they cannot be compared.
fn contrast(
    stage: &Stage<'_>,
    sets: &StimulusSets,
    synthesised: &Source,
    natural: &Source,
) -> Result<Result<Contrast, String>, Error> {
    let title = super::files::title(stage, synthesised);
    let layers = &synthesised.design.layers;
    if layers != &natural.design.layers {
        return Ok(Err(format!("{title}: the layers are not the same for both sets of images")));
    }
    if layers.len() < 2 {
        return Ok(Err(format!("{title}: a single layer overlaps with none")));
    }
    let spec = stage.spec;
    let deciding = natural.design.deciding();
    let method = (deciding != ventral_plan::Method::Raw).then(|| words(deciding));
    let mut notes = Vec::new();
    if method.is_none() {
        notes.push("With the natural images the layers are too alike for a residual method; only raw maps are compared.".to_owned());
    }
    let seed = u64::from(spec.seed);
    let mut levels: Vec<Level> = Vec::new();
    if synthesised.group.is_some() && natural.group.is_some() && same_space(stage, synthesised, natural) {
        levels.extend(group_level(&spec.group, seed, synthesised, natural)?);
    }
    for (one, other) in pairs(&synthesised.subjects, &natural.subjects) {
        levels.extend(subject_level(&spec.group, seed, method.is_some(), one, other)?);
    }
    if levels.is_empty() {
        return Ok(Err(format!("{title}: the maps of the two sets of images share no space")));
    }
    let images = [synthesised, natural].map(|source| stage.plan.scans[source.scan].conditions.len());
    Ok(Ok(Contrast {
        source: synthesised.source,
        layers: layers.clone(),
        synthesised: sets.synthesised.clone(),
        natural: sets.natural.clone(),
        images,
        method,
        top_percent: spec.group.top_percent,
        levels,
        notes,
    }))
}

/// Whether both groups are in the same space on the same grid.
fn same_space(stage: &Stage<'_>, one: &Source, other: &Source) -> bool {
    let grid = |source: &Source| source.group.as_ref().map(|group| group.grid);
    let space = |source: &Source| stage.plan.scans[source.scan].space.clone();
    match (grid(one), grid(other)) {
        (Some(first), Some(second)) => first.same(&second).is_ok() && space(one) == space(other),
        _ => false,
    }
}

/// Subjects of one name on one grid.
fn pairs<'a>(
    one: &'a [SubjectMaps],
    other: &'a [SubjectMaps],
) -> impl Iterator<Item = (&'a SubjectMaps, &'a SubjectMaps)> {
    one.iter().filter_map(move |first| {
        let second = other.iter().find(|second| second.id == first.id)?;
        first.grid.same(&second.grid).is_ok().then_some((first, second))
    })
}

impl Contrast {
    /// What the figure and the words are about: the group, or the first subject.
    pub(crate) fn main(&self) -> Option<&Level> {
        self.levels.first()
    }
}
