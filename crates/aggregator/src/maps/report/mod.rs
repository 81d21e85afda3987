//! The page of the maps: one self-contained file, read without network and without a script.

mod contrasts;
pub(crate) mod figures;
pub(crate) mod slices;
mod views;

use askama::Template;

use super::stage::{Gap, Stage};
use crate::Error;
use crate::picture::thousands;
use crate::report::page::counted;
use contrasts::ContrastView;
use views::{QualityView, Section};

/// Most missing ranges that are named.
const MAX_NAMED: usize = 20;

#[derive(Template)]
#[template(path = "maps.html")]
struct Page {
    title: String,
    counts: String,
    gaps: Vec<GapView>,
    contrasts: Vec<ContrastView>,
    sections: Vec<Section>,
    quality: Vec<QualityView>,
    settings: Vec<(String, String)>,
    style: &'static str,
    more: &'static str,
}

struct GapView {
    units: String,
    reason: String,
}

/// The page.
pub(crate) fn html(stage: &Stage<'_>) -> Result<String, Error> {
    let sections: Vec<Section> = stage
        .sources
        .iter()
        .enumerate()
        .map(|(number, source)| views::section(stage, source, number))
        .collect::<Result<_, _>>()?;
    let mut quality = Vec::new();
    for found in &stage.quality {
        quality.extend(views::quality(stage, found)?);
    }
    let page = Page {
        title: stage.plan.spec.title().to_owned(),
        counts: counts(stage),
        gaps: stage.gaps.iter().map(gap).collect(),
        contrasts: contrasts::views(stage),
        sections,
        quality,
        settings: views::settings(stage),
        style: include_str!("../../../templates/report.css"),
        more: include_str!("../../../templates/maps.css"),
    };
    Ok(page.render()?)
}

fn counts(stage: &Stage<'_>) -> String {
    let plan = stage.plan;
    let subjects = plan.scans.iter().map(|scan| scan.subjects.len()).sum();
    let centres: usize =
        plan.scans.iter().flat_map(|scan| &scan.subjects).map(|subject| subject.centres).sum();
    let mut parts = vec![
        counted(plan.scans.len(), "scan"),
        counted(subjects, "subject"),
        format!("{} centres", thousands(centres)),
    ];
    if !plan.models.is_empty() {
        parts.insert(0, counted(plan.models.len(), "model"));
    }
    parts.join(" · ")
}

fn gap(gap: &Gap) -> GapView {
    let named: Vec<&str> = gap.units.iter().map(String::as_str).take(MAX_NAMED).collect();
    let more = gap.units.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    GapView {
        units: format!("{}{more}", named.join("; ")),
        reason: gap.reason.clone().unwrap_or_else(|| "not computed".to_owned()),
    }
}
