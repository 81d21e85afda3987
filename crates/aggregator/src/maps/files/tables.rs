//! Tables of the layers: tab-separated, `n/a` where there is no number.

use ndarray::Array2;

use crate::Error;
use crate::maps::group::GroupMaps;
use crate::maps::layers::LayerMap;
use crate::maps::stage::Source;
use crate::picture::palette::layer_colours;

/// Whose layer map a row is about.
fn maps(source: &Source) -> impl Iterator<Item = (String, &LayerMap)> {
    let group = source.group.iter().map(|group| ("group".to_owned(), &group.layers));
    group.chain(source.subjects.iter().map(|subject| (format!("sub-{}", subject.id), &subject.layers)))
}

pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Error> {
    let mut writer = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        crate::export::write_row(&mut writer, row)?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}

pub(crate) fn number(value: f64) -> String {
    if value.is_nan() { "n/a".to_owned() } else { format!("{value:.6}") }
}

fn point(point: Option<[f64; 3]>) -> [String; 3] {
    point.map_or(["n/a"; 3].map(str::to_owned), |point| point.map(|mm| format!("{mm:.1}")))
}

/// Names and colours of the labels of a winner map.
pub(crate) fn labels(layers: &[String]) -> Result<Vec<u8>, Error> {
    let colours = layer_colours(layers.len());
    let row = |(index, layer): (usize, &String)| {
        let [r, g, b] = colours[index];
        vec![(index + 1).to_string(), layer.clone(), format!("#{r:02x}{g:02x}{b:02x}")]
    };
    table(&["index", "name", "color"], layers.iter().enumerate().map(row))
}

/// A row per subject (and the group) and layer.
pub(crate) fn layers(source: &Source) -> Result<Vec<u8>, Error> {
    let header = [
        "level",
        "layer",
        "depth",
        "variance_inflation",
        "voxels",
        "largest_cluster",
        "peak",
        "peak_p",
        "peak_x",
        "peak_y",
        "peak_z",
        "centre_x",
        "centre_y",
        "centre_z",
    ];
    let mut rows = Vec::new();
    for (position, (level, map)) in maps(source).enumerate() {
        for (layer, name) in source.design.layers.iter().enumerate() {
            let peak = map.peaks[layer];
            let subject = if source.group.is_some() { position.checked_sub(1) } else { Some(position) };
            let p = peak.and_then(|peak| peak_p(source, subject, layer, peak.centre));
            let voxels = map.masks.row(layer).iter().filter(|inside| **inside).count();
            let inflation = source.design.inflation.get(layer).copied().unwrap_or(f64::NAN);
            let mut row = vec![
                level.clone(),
                name.clone(),
                (layer + 1).to_string(),
                number(inflation),
                voxels.to_string(),
                map.largest_cluster[layer].to_string(),
                number(peak.map_or(f64::NAN, |peak| peak.value)),
                number(p.unwrap_or(f64::NAN)),
            ];
            row.extend(point(peak.map(|peak| peak.mm)));
            row.extend(point(map.hierarchy.centres_mm[layer]));
            rows.push(row);
        }
    }
    table(&header, rows)
}

/// p at a centre that decides about it: corrected for the search over the brain.
fn peak_p(source: &Source, subject: Option<usize>, layer: usize, centre: usize) -> Option<f64> {
    match subject {
        None => group_p(source.group.as_ref()?).map(|p| p[[layer, centre]]),
        Some(subject) => source.subjects[subject].p.as_ref().map(|p| p.fwe[[layer, centre]]),
    }
}

/// The p that the first correction gives.
pub(crate) fn group_p(group: &GroupMaps) -> Option<&Array2<f64>> {
    group.corrections.first().map(|corrected| &corrected.p)
}

/// A row per subject (and the group) and pair of layers.
pub(crate) fn overlap(source: &Source) -> Result<Vec<u8>, Error> {
    let header = [
        "level",
        "first",
        "second",
        "voxels_first",
        "voxels_second",
        "dice",
        "jaccard",
        "overlap_coefficient",
        "map_correlation",
    ];
    let layers = &source.design.layers;
    let mut rows = Vec::new();
    for (level, map) in maps(source) {
        let Some(found) = &map.overlap else { continue };
        for first in 0..layers.len() {
            for second in first + 1..layers.len() {
                let at = [first, second];
                rows.push(vec![
                    level.clone(),
                    layers[first].clone(),
                    layers[second].clone(),
                    found.sizes[first].to_string(),
                    found.sizes[second].to_string(),
                    number(found.dice[at]),
                    number(found.jaccard[at]),
                    number(found.coefficient[at]),
                    number(map.correlations[at]),
                ]);
            }
        }
    }
    table(&header, rows)
}

/// A row per subject (and the group) and layer.
pub(crate) fn winners(source: &Source) -> Result<Vec<u8>, Error> {
    let mut rows = Vec::new();
    for (level, map) in maps(source) {
        let Some(winner) = &map.winner else { continue };
        let all: usize = winner.voxels.iter().sum();
        for (layer, &voxels) in winner.voxels.iter().enumerate() {
            let share = if all > 0 { voxels as f64 / all as f64 } else { f64::NAN };
            rows.push(vec![
                level.clone(),
                (layer + 1).to_string(),
                source.design.layers[layer].clone(),
                voxels.to_string(),
                number(share),
            ]);
        }
    }
    table(&["level", "index", "layer", "voxels_won", "share_of_won"], rows)
}
