//! Files about the data themselves: reliability of each subject, noise ceilings of the group.

use serde_json::json;
use ventral_data::{Intent, bids_label};
use ventral_plan::MapSource;

use super::volume::{Frame, placement};
use super::{Folder, Labels, sidecar};
use crate::Error;
use crate::maps::stage::{Quality, Stage};

/// Adds reliability and ceilings to their folder.
pub(crate) fn add(stage: &Stage<'_>, quality: &Quality, folder: &mut Folder<'_>) -> Result<(), Error> {
    let scan = &stage.plan.scans[quality.scan];
    let light = folder.naming.searchlight.clone();
    for (index, maps) in &quality.reliability {
        let facts = &scan.subjects[*index];
        let placement = placement(&facts.placement, &facts.grid);
        let frame = Frame { grid: &facts.grid, placement, places: &maps.places };
        for (row, column) in maps.values.rows().into_iter().zip(&maps.columns) {
            let all = column == "reliability";
            let what = if all {
                "reliability of the RSM of all runs (Spearman-Brown)"
            } else {
                "RSM of odd against that of even runs"
            };
            let bytes = frame.numbers(row.iter().copied(), Intent::Correlation(0.0), what)?;
            let desc = format!("{light}{}", bids_label(column));
            let entities = [("desc", desc.as_str()), ("stat", "r")];
            let special = json!({ "Runs": facts.runs });
            folder.add_map(Labels::new(Some(&facts.id), &entities, "statmap", what, &special), bytes)?;
        }
    }
    let (Some(ceiling), Some(first)) = (&quality.ceiling, scan.subjects.first()) else { return Ok(()) };
    let placement = placement(&first.placement, &first.grid);
    let frame = Frame { grid: &first.grid, placement, places: &ceiling.places };
    folder.common = sidecar::common(stage, quality.scan, MapSource::Ceiling, &[]);
    for (row, bound) in ceiling.values.rows().into_iter().zip(&ceiling.columns) {
        let what = format!("{bound} noise ceiling");
        let bytes = frame.numbers(row.iter().copied(), Intent::Correlation(0.0), &what)?;
        let desc = format!("{light}ceiling{bound}");
        let labels = Labels {
            subject: None,
            entities: &[("desc", &desc), ("stat", "r")],
            suffix: "statmap",
            what,
            special: json!({ "Subjects": scan.subjects.len() }),
        };
        folder.add_map(labels, bytes)?;
    }
    Ok(())
}
