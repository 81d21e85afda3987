//! Tables of a set: similarities of images, correlations of layers, steps.

use ndarray::Array2;
use serde::Serialize;
use ventral_synthesis::StepRecord;

use super::images::identifier;
use crate::Error;
use crate::synthesis::collect::Set;

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.9}") } else { String::new() }
}

fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}

fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |first| (first + 1..count).map(move |second| (first, second)))
}

/// A row per set, layer and pair of images.
pub(super) fn rsms(set: &Set) -> Result<Vec<u8>, Error> {
    let mut rows = Vec::new();
    for (images, rsms) in ["initial", "synthesised"].into_iter().zip(&set.rsms) {
        for (layer, values) in set.layers.iter().zip(rsms.rows()) {
            for ((first, second), value) in pairs(set.images.dim().0).zip(values) {
                let mut row = vec![images.to_owned(), layer.clone()];
                row.extend([identifier(first), identifier(second), number(*value)]);
                rows.push(row);
            }
        }
    }
    table(&["images", "layer", "first", "second", "similarity"], rows)
}

/// A row per set of images and pair of layers.
pub(super) fn correlation(set: &Set) -> Result<Vec<u8>, Error> {
    let mut sets: Vec<(&str, &Array2<f64>, &Array2<f64>)> =
        vec![("synthesised", &set.after.correlation, &set.after.ranks)];
    sets.extend(set.before.as_ref().map(|before| ("initial", &before.correlation, &before.ranks)));
    sets.extend(set.natural.as_ref().map(|pool| ("natural", &pool.correlation[0], &pool.correlation[1])));
    let mut rows = Vec::new();
    for (images, pearson, spearman) in sets {
        for (first, second) in pairs(set.layers.len()) {
            let at = [first, second];
            let mut row = vec![images.to_owned(), set.layers[first].clone(), set.layers[second].clone()];
            row.extend([number(pearson[at]), number(spearman[at])]);
            rows.push(row);
        }
    }
    table(&["images", "first", "second", "pearson", "spearman"], rows)
}

/// A line per restart and step.
#[derive(Serialize)]
struct Line<'a> {
    seed: u64,
    #[serde(flatten)]
    step: &'a StepRecord,
}

/// The steps of all restarts.
pub(super) fn convergence(set: &Set) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for restart in &set.restarts {
        for step in &restart.convergence {
            serde_json::to_writer(&mut bytes, &Line { seed: restart.seed, step })?;
            bytes.push(b'\n');
        }
    }
    Ok(bytes)
}
