//! The whole stage: from a plan and the store to maps of subjects and groups.

use std::collections::BTreeMap;

use ndarray::Array2;
use ventral_plan::{Digest, MapSource, Plan, Refused, SearchlightSpec};
use ventral_store::{Failure, Store};

use super::collect::{Part, RawMaps, Set, collect};
use super::design::Design;
use super::group::{GroupMaps, group};
use super::sets::{Contrast, contrasts};
use super::subject::SubjectMaps;
use crate::Error;

/// All maps of a job.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) spec: &'a SearchlightSpec,
    /// Comparisons with layers, by scan and what was compared.
    pub(crate) sources: Vec<Source>,
    /// Reliability and ceilings, by scan.
    pub(crate) quality: Vec<Quality>,
    /// Of synthesised with natural images.
    pub(crate) contrasts: Vec<Contrast>,
    /// What is not there, in words; empty for a complete job.
    pub(crate) gaps: Vec<Gap>,
}

/// The maps of one model, or of given RDMs, on one scan.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) scan: usize,
    pub(crate) source: MapSource,
    pub(crate) design: Design,
    pub(crate) subjects: Vec<SubjectMaps>,
    pub(crate) group: Option<GroupMaps>,
    /// Layers x pairs of conditions; empty where there are too many.
    pub(crate) rsms: Array2<f64>,
    pub(crate) notes: Vec<String>,
}

/// How good the data of a scan are.
#[derive(Debug)]
pub(crate) struct Quality {
    pub(crate) scan: usize,
    /// By subject.
    pub(crate) reliability: Vec<(usize, RawMaps)>,
    pub(crate) ceiling: Option<RawMaps>,
}

/// Maps that are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Which ranges, in words.
    pub(crate) units: Vec<String>,
    /// Why; `None` if they were not computed.
    pub(crate) reason: Option<String>,
}

/// Nothing for a job without searchlights.
pub(crate) fn stage<'a>(
    plan: &'a Plan,
    store: &Store,
    failures: &[Failure],
) -> Result<Option<Stage<'a>>, Error> {
    let Some(spec) = &plan.spec.searchlight else { return Ok(None) };
    let reasons: BTreeMap<&Digest, &str> = failures.iter().map(|f| (&f.digest, f.reason.as_str())).collect();
    let mut stage = Stage {
        plan,
        spec,
        sources: Vec::new(),
        quality: Vec::new(),
        contrasts: Vec::new(),
        gaps: refused(&plan.refused),
    };
    for set in collect(plan, store, &reasons)? {
        stage.gaps.extend(set.parts.iter().flat_map(|(_, part)| gaps(part)));
        match set.source {
            MapSource::Model(_) | MapSource::Rdms => stage.sources.extend(source(plan, spec, set)?),
            MapSource::Reliability | MapSource::Ceiling => add_quality(&mut stage.quality, set),
        }
    }
    let (found, missing) = contrasts(&stage)?;
    stage.contrasts = found;
    let comparison = || vec!["comparison of synthesised with natural images".to_owned()];
    stage.gaps.extend(missing.into_iter().map(|why| Gap { units: comparison(), reason: Some(why) }));
    Ok(Some(stage))
}

fn refused(cards: &[Refused]) -> Vec<Gap> {
    cards.iter().map(|card| Gap { units: vec![card.title()], reason: Some(card.reason.clone()) }).collect()
}

/// Units that failed for one reason are named together.
fn gaps(part: &Part) -> Vec<Gap> {
    let Part::Gaps { failed, missing } = part else { return Vec::new() };
    let mut gaps: Vec<Gap> = Vec::new();
    for (unit, reason) in failed {
        match gaps.iter_mut().find(|gap| gap.reason.as_ref() == Some(reason)) {
            Some(gap) => gap.units.push(unit.clone()),
            None => gaps.push(Gap { units: vec![unit.clone()], reason: Some(reason.clone()) }),
        }
    }
    if !missing.is_empty() {
        gaps.push(Gap { units: missing.clone(), reason: None });
    }
    gaps
}

fn source(plan: &Plan, spec: &SearchlightSpec, set: Set) -> Result<Option<Source>, Error> {
    let facts = &plan.scans[set.scan];
    let all = set.parts.len();
    let whole: Vec<(usize, RawMaps)> = whole(set.parts);
    let Some((_, first)) = whole.first() else { return Ok(None) };
    let rsms = first.rsms.clone();
    let design = Design::new(spec, &first.columns, &first.correlation)?;
    let subjects: Vec<SubjectMaps> = whole
        .into_iter()
        .map(|(index, raw)| SubjectMaps::new(spec, &design, index, &facts.subjects[index], raw))
        .collect::<Result<_, _>>()?;
    let mut notes = design.notes.clone();
    if subjects.len() < all {
        notes.push(format!(
            "Only {} of {all} subjects are complete; the group is made of these.",
            subjects.len()
        ));
    }
    // The images are the same for all.
    notes.extend(subjects.iter().find_map(|subject| subject.note.clone()));
    let group = group(spec, facts, &design, &subjects, &mut notes)?;
    Ok(Some(Source { scan: set.scan, source: set.source, design, subjects, group, rsms, notes }))
}

fn whole(parts: Vec<(Option<usize>, Part)>) -> Vec<(usize, RawMaps)> {
    let keep = |(subject, part): (Option<usize>, Part)| match part {
        Part::Whole(maps) => Some((subject.unwrap_or(0), *maps)),
        Part::Gaps { .. } => None,
    };
    parts.into_iter().filter_map(keep).collect()
}

fn add_quality(quality: &mut Vec<Quality>, set: Set) {
    let scan = set.scan;
    let place = quality.iter().position(|quality| quality.scan == scan).unwrap_or_else(|| {
        quality.push(Quality { scan, reliability: Vec::new(), ceiling: None });
        quality.len() - 1
    });
    let found = whole(set.parts);
    match set.source {
        MapSource::Ceiling => quality[place].ceiling = found.into_iter().next().map(|(_, maps)| maps),
        _ => quality[place].reliability = found,
    }
}
