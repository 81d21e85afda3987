//! What planning needs to know about a scan; reads the volumes of every subject once.

use ventral_data::Scan;
use ventral_plan::maps::{CEILING_SUBJECTS, is_common_space};
use ventral_plan::{CommonFacts, Digest, ScanFacts, ScanStimuli, SearchlightSpec, SubjectFacts};
use ventral_searchlight::Neighbourhoods;

use super::load::{Voxels, common_voxels};
use crate::Error;

/// The facts of a scan.
///
/// # Errors
/// Volumes that cannot be read, subjects without a usable voxel, responses that cannot be prepared as the spec says.
pub fn of_scan(scan: &Scan, spec: &SearchlightSpec) -> Result<ScanFacts, Error> {
    let mut subjects = Vec::with_capacity(scan.subjects.len());
    let mut lists = Vec::new();
    for index in 0..scan.subjects.len() {
        let voxels = Voxels::of_subject(scan, index, spec)?;
        subjects.push(of_subject(scan, index, &voxels)?);
        lists.push(voxels.patterns.first().map(|patterns| patterns.voxels().to_vec()).unwrap_or_default());
    }
    let stimuli = scan.stimuli.as_ref().map(|set| -> Result<ScanStimuli, Error> {
        Ok(ScanStimuli {
            digest: digest(set.digest()?)?,
            count: set.len(),
            degrees: scan.card.stimuli.as_ref().and_then(|card| card.degrees),
            pools: Digest::of_identity(&scan.pools),
        })
    });
    let values: Vec<_> = scan.rdms.iter().map(|rdm| (&rdm.name, rdm.similarity, &rdm.values)).collect();
    Ok(ScanFacts {
        identifier: scan.identifier().to_owned(),
        version: scan.card.version.clone(),
        digest: digest(scan.digest()?)?,
        conditions: scan.conditions.clone(),
        stimuli: stimuli.transpose()?,
        rdms: scan.rdms.iter().map(|rdm| rdm.name.clone()).collect(),
        rdms_digest: (!values.is_empty()).then(|| Digest::of_identity(&values)),
        common: common(scan, spec, &lists),
        subjects,
        space: scan.space.clone(),
        citation: scan.card.citation.clone(),
        notes: scan.notes.clone(),
    })
}

fn digest(text: String) -> Result<Digest, Error> {
    Digest::try_from(text).map_err(|error| Error::Mismatch(error.to_string()))
}

fn of_subject(scan: &Scan, index: usize, voxels: &Voxels) -> Result<SubjectFacts, Error> {
    let subject = &scan.subjects[index];
    let placement = serde_json::to_value(subject.header.placement)
        .map_err(|error| Error::Mismatch(format!("{} {}: {error}", scan.identifier(), subject.id)))?;
    Ok(SubjectFacts {
        id: subject.id.clone(),
        digest: digest(scan.subject_digest(index)?)?,
        grid: subject.grid,
        placement,
        centres: voxels.neighbourhoods.centres(),
        voxels: voxels.neighbourhoods.voxels(),
        outside_mask: voxels.left_out.outside_mask,
        non_finite: voxels.left_out.non_finite,
        constant: voxels.left_out.constant,
        largest: voxels.neighbourhoods.largest(),
        runs: subject.runs.len(),
    })
}

/// What subjects on one grid of a common space, with neighbourhoods in the volume, have in common.
fn common(scan: &Scan, spec: &SearchlightSpec, lists: &[Vec<u32>]) -> Option<CommonFacts> {
    let (first, others) = scan.subjects.split_first()?;
    let one_grid = others.iter().all(|other| first.grid.same(&other.grid).is_ok());
    if scan.subjects.len() < CEILING_SUBJECTS
        || !one_grid
        || !is_common_space(scan.space.as_deref())
        || scan.card.subjects.iter().any(|subject| subject.neighbourhoods.is_some())
    {
        return None;
    }
    let voxels = common_voxels(lists.iter().map(Vec::as_slice));
    let hoods = Neighbourhoods::in_volume(&first.grid, &voxels, &spec.neighbourhood()).ok()?;
    Some(CommonFacts { centres: hoods.centres(), largest: hoods.largest() })
}
