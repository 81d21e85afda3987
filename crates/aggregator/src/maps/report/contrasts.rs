//! Synthesised against natural images on the page.

use ventral_searchlight::layermap::PairedDifference;

use super::views::MAX_SUBJECTS;
use crate::maps::files::source_title;
use crate::maps::sets::{Contrast, Level, figure};
use crate::maps::stage::Stage;
use crate::picture::{number, two};
use crate::report::page::both;

/// p below which the page calls a difference one.
const RELIABLE: f64 = 0.05;

/// One comparison.
pub(super) struct ContrastView {
    pub(super) title: String,
    pub(super) anchor: String,
    pub(super) line: String,
    pub(super) caption: String,
    pub(super) notes: Vec<String>,
    pub(super) chart: String,
    /// How to read it.
    pub(super) reading: String,
    pub(super) headings: Vec<&'static str>,
    pub(super) rows: Vec<(String, Vec<String>)>,
    pub(super) hidden: usize,
}

/// All comparisons of a stage.
pub(super) fn views(stage: &Stage<'_>) -> Vec<ContrastView> {
    stage.contrasts.iter().enumerate().map(|(index, contrast)| view(stage, index, contrast)).collect()
}

fn view(stage: &Stage<'_>, index: usize, contrast: &Contrast) -> ContrastView {
    let whose = contrast.main().map_or("", |level| level.name.as_str());
    let shown = MAX_SUBJECTS + 1;
    let mut headings = vec!["Synthesised", "Natural"];
    if contrast.method.is_some() {
        headings.extend(["Residual", "Dice, raw", "residual", "p", "r, raw", "residual", "p"]);
    }
    ContrastView {
        title: format!("Synthesised against natural images: {}", source_title(stage, contrast.source)),
        anchor: format!("sets-{index}"),
        line: format!(
            "{} synthesised images ({}), {} natural images ({}), {} layers; voxels of a layer: the {} % with the largest values",
            contrast.images[0],
            contrast.synthesised,
            contrast.images[1],
            contrast.natural,
            contrast.layers.len(),
            contrast.top_percent
        ),
        caption: format!(
            "How much the layers' maps overlap, and agreement with synthesised images ({whose})"
        ),
        notes: contrast.notes.clone(),
        chart: both(|width| figure(contrast, width)),
        reading: reading(contrast),
        headings,
        rows: contrast.levels.iter().take(shown).map(|level| (level.name.clone(), cells(level))).collect(),
        hidden: contrast.levels.len().saturating_sub(shown),
    }
}

fn cells(level: &Level) -> Vec<String> {
    let mut cells = vec![two(level.synthesised.mean_dice), two(level.natural.mean_dice)];
    cells.extend(level.residual.as_ref().map(|table| two(table.mean_dice)));
    if let Some(found) = &level.agreement {
        for (raw, residual, difference) in [
            (&found.raw.dice, &found.residual.dice, &found.dice),
            (&found.raw.correlation, &found.residual.correlation, &found.correlation),
        ] {
            cells.extend([two(crate::maps::sets::mean(raw)), two(crate::maps::sets::mean(residual))]);
            cells.push(number(difference.p));
        }
    }
    cells
}

/// One paragraph for people who see such a figure for the first time.
fn reading(contrast: &Contrast) -> String {
    let Some(level) = contrast.main() else { return String::new() };
    let mut text = format!(
        "How to read it: natural images look alike to neighbouring layers, so with them the maps of different layers tend to lie on the same \
         voxels; synthesised images are made to tell the layers apart. The mean overlap of two layers is {} with synthesised images and {} with \
         natural ones (Dice index: 0 disjoint, 1 the same voxels).",
        two(level.synthesised.mean_dice),
        two(level.natural.mean_dice)
    );
    let (Some(method), Some(residual), Some(found)) = (contrast.method, &level.residual, &level.agreement)
    else {
        return text;
    };
    text.push_str(&format!(
        " The residual method ({method}) takes from each layer what the others explain; with it the overlap is {}. Little overlap alone could \
         also be noise, so each layer's map of natural images is compared with its map of synthesised ones: on average {} \
         (Dice {} → {}, p = {}; correlation over voxels {} → {}, p = {}; sign flips over the {} layers).",
        two(residual.mean_dice),
        effect(&found.dice),
        two(crate::maps::sets::mean(&found.raw.dice)),
        two(crate::maps::sets::mean(&found.residual.dice)),
        number(found.dice.p),
        two(crate::maps::sets::mean(&found.raw.correlation)),
        two(crate::maps::sets::mean(&found.residual.correlation)),
        number(found.correlation.p),
        contrast.layers.len()
    ));
    text
}

/// What the method does to the agreement of a layer's two maps.
fn effect(difference: &PairedDifference) -> &'static str {
    if difference.p < RELIABLE && difference.mean > 0.0 {
        "the method brings it nearer to that"
    } else if difference.p < RELIABLE {
        "the method takes it farther from that"
    } else {
        "the method makes no reliable difference to how near it is"
    }
}
