//! Tables of a set: similarities of images, correlations of layers, steps.

use ndarray::Array2;
use serde::Serialize;
use ventral_synthesis::StepRecord;

use super::images::identifier;
use crate::Error;
use crate::synthesis::collect::{Restart, Set};

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.9}") } else { String::new() }
}

fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        crate::export::write_row(&mut writer, row)?;
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

/// The lines of restarts by their seeds.
pub(super) type Lines = Vec<(u64, Vec<u8>)>;

/// The steps of each restart, and the seeds of those that are longer than `most_bytes`.
pub(super) fn convergence(restarts: &[Restart], most_bytes: u64) -> Result<(Lines, Vec<u64>), Error> {
    let (mut files, mut longer) = (Vec::new(), Vec::new());
    for restart in restarts {
        match lines(restart, most_bytes)? {
            Some(bytes) => files.push((restart.seed, bytes)),
            None => longer.push(restart.seed),
        }
    }
    Ok((files, longer))
}

fn lines(restart: &Restart, most_bytes: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    for step in &restart.convergence {
        serde_json::to_writer(&mut bytes, &Line { seed: restart.seed, step })?;
        bytes.push(b'\n');
        if bytes.len() as u64 > most_bytes {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use ventral_plan::Digest;

    use super::*;

    fn restart(seed: u64, steps: u64) -> Restart {
        let step = |step: u64| StepRecord {
            step,
            j: 0.5,
            mean_abs_r: 0.5,
            max_abs_r: 0.5,
            worst: [0, 1],
            sd: vec![0.1, 0.1],
            gradient_norm: 1.0,
            clipped: 0.0,
            learning_rate: 0.05,
            untransformed: None,
        };
        Restart {
            digest: Digest::of_bytes(&seed.to_le_bytes()),
            seed,
            steps,
            stop: String::new(),
            values: Ok([0.5, 0.5]),
            robust: [0.0; 3],
            convergence: (0..steps).map(step).collect(),
        }
    }

    #[test]
    fn steps_that_are_too_many_for_a_file_are_left_out_and_named() {
        let all = [restart(7, 4), restart(8, 5)];
        let (files, longer) = convergence(&all, u64::MAX).expect("files");
        assert_eq!((files.len(), longer), (2, Vec::new()));
        let [first, second] = [files[0].1.len() as u64, files[1].1.len() as u64];
        let (files, longer) = convergence(&all, second).expect("files");
        assert_eq!((files.len(), longer), (2, Vec::new()));
        let (files, longer) = convergence(&all, second - 1).expect("files");
        assert_eq!((files.len(), files[0].0, longer), (1, 7, vec![8]));
        let (files, longer) = convergence(&all, first - 1).expect("files");
        assert_eq!((files.len(), longer), (0, vec![7, 8]));
    }
}
