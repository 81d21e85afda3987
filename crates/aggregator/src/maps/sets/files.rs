//! The comparison as files: tables of pairs and layers, a summary, the figure.

use serde_json::{Value, json};

use super::figure::mean;
use super::{Contrast, file};
use crate::Error;
use crate::maps::files::tables::{number, table};
use crate::maps::files::{names, sidecar};
use crate::maps::stage::Stage;
use crate::output::JobFile;

/// Folder of the comparisons beside those of the scans.
const FOLDER: &str = "stimulus-sets";

/// The files of all comparisons.
pub(crate) fn files(stage: &Stage<'_>, contrasts: &[Contrast]) -> Result<Vec<JobFile>, Error> {
    let mut files = Vec::new();
    for contrast in contrasts {
        let folder = names::source_folder(stage.plan, contrast.source);
        let mut add = |name: &str, what: &str, bytes: Vec<u8>| {
            let name = format!("{FOLDER}/{folder}/{name}");
            files.push(JobFile::new(name, what, bytes));
        };
        let what = "overlap of each pair of layers with synthesised and natural images";
        add("overlap.tsv", what, overlap(contrast)?);
        let what = "agreement of each layer's map of natural images with that of synthesised ones";
        add("agreement.tsv", what, agreement(contrast)?);
        add(
            "summary.json",
            "means, differences and p of the comparison",
            sidecar::pretty(&summary(contrast)),
        );
        add("comparison.svg", "the figure of the comparison", file(contrast).into_bytes());
    }
    Ok(files)
}

/// A row per level, set and pair of layers.
fn overlap(contrast: &Contrast) -> Result<Vec<u8>, Error> {
    let header = ["level", "images", "method", "first", "second", "dice", "jaccard"];
    let method = contrast.method.unwrap_or_default();
    let mut rows = Vec::new();
    for level in &contrast.levels {
        let sets = [
            ("synthesised", "raw", Some(&level.synthesised)),
            ("natural", "raw", Some(&level.natural)),
            ("natural", method, level.residual.as_ref()),
        ];
        for (images, method, found) in sets {
            let Some(found) = found else { continue };
            for first in 0..contrast.layers.len() {
                for second in first + 1..contrast.layers.len() {
                    let layer = |layer: usize| contrast.layers[layer].clone();
                    let mut row: Vec<String> = [&level.name, images, method].map(str::to_owned).to_vec();
                    row.extend([layer(first), layer(second)]);
                    row.extend([found.dice[[first, second]], found.jaccard[[first, second]]].map(number));
                    rows.push(row);
                }
            }
        }
    }
    table(&header, rows)
}

/// A row per level and layer.
fn agreement(contrast: &Contrast) -> Result<Vec<u8>, Error> {
    let header = ["level", "layer", "dice_raw", "dice_residual", "correlation_raw", "correlation_residual"];
    let mut rows = Vec::new();
    for level in &contrast.levels {
        let Some(found) = &level.agreement else { continue };
        for (layer, name) in contrast.layers.iter().enumerate() {
            let mut row = vec![level.name.clone(), name.clone()];
            let values =
                [&found.raw.dice, &found.residual.dice, &found.raw.correlation, &found.residual.correlation];
            row.extend(values.map(|values| number(values[layer])));
            rows.push(row);
        }
    }
    table(&header, rows)
}

/// Everything but the single pairs and layers.
pub(crate) fn summary(contrast: &Contrast) -> Value {
    let finite = |value: f64| value.is_finite().then_some(value);
    let levels = contrast.levels.iter().map(|level| {
        let agreement = level.agreement.as_ref().map(|found| {
            json!({
                "dice": {
                    "raw": finite(mean(&found.raw.dice)),
                    "residual": finite(mean(&found.residual.dice)),
                    "difference": finite(found.dice.mean),
                    "p": finite(found.dice.p),
                    "undefined_layers": found.dice.undefined,
                },
                "correlation": {
                    "raw": finite(mean(&found.raw.correlation)),
                    "residual": finite(mean(&found.residual.correlation)),
                    "difference": finite(found.correlation.mean),
                    "p": finite(found.correlation.p),
                    "undefined_layers": found.correlation.undefined,
                },
            })
        });
        json!({
            "level": level.name,
            "centres": level.centres,
            "overlap": {
                "synthesised": finite(level.synthesised.mean_dice),
                "natural_raw": finite(level.natural.mean_dice),
                "natural_residual": level.residual.as_ref().and_then(|table| finite(table.mean_dice)),
            },
            "agreement_with_synthesised": agreement,
        })
    });
    json!({
        "synthesised": contrast.synthesised,
        "natural": contrast.natural,
        "images": { "synthesised": contrast.images[0], "natural": contrast.images[1] },
        "layers": contrast.layers,
        "residual_method": contrast.method,
        "voxels_of_a_layer": format!("the {} % with the largest values", contrast.top_percent),
        "p": "two-sided, sign flips of the difference of each layer",
        "levels": levels.collect::<Vec<_>>(),
        "notes": contrast.notes,
    })
}
