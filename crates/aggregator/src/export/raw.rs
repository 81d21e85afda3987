//! Raw scores of every split and neuroid as a long table.

use std::io::Write;

use ndarray::Array2;

use super::{full, write_row};
use crate::Error;

/// The raw values of one layer on one benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct RawScores {
    /// The model.
    pub model: String,
    /// The layer.
    pub layer: String,
    /// The benchmark.
    pub benchmark: String,
    /// Its version.
    pub version: String,
    /// Name of each neuroid; one name for a metric that has a single value per split.
    pub neuroids: Vec<String>,
    /// Splits x neuroids, NaN where the metric is not defined.
    pub values: Array2<f64>,
}

/// One row of the long table.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct RawRow<'a> {
    /// The model.
    pub model: &'a str,
    /// The layer.
    pub layer: &'a str,
    /// The benchmark.
    pub benchmark: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Number of the split, from 0.
    pub split: usize,
    /// Name of the neuroid.
    pub neuroid: &'a str,
    /// The value, possibly NaN.
    #[serde(with = "ventral_metrics::float")]
    pub value: f64,
}

/// The rows in the order of the scores, then splits, then neuroids.
///
/// # Errors
/// [`Error::NeuroidNames`] if a score has more or fewer names than columns.
pub fn raw_rows(scores: &[RawScores]) -> Result<impl Iterator<Item = RawRow<'_>>, Error> {
    if let Some(bad) = scores.iter().find(|s| s.values.ncols() != s.neuroids.len()) {
        return Err(Error::NeuroidNames {
            model: bad.model.clone(),
            layer: bad.layer.clone(),
            benchmark: bad.benchmark.clone(),
            expected: bad.values.ncols(),
            found: bad.neuroids.len(),
        });
    }
    Ok(scores.iter().flat_map(rows_of))
}

fn rows_of(scores: &RawScores) -> impl Iterator<Item = RawRow<'_>> {
    let RawScores { model, layer, benchmark, version, .. } = scores;
    scores.values.indexed_iter().map(move |((split, column), &value)| {
        let neuroid = scores.neuroids.get(column).map_or("", String::as_str);
        RawRow { model, layer, benchmark, version, split, neuroid, value }
    })
}

/// CSV of [`raw_rows`], written as it goes; an undefined value is empty.
///
/// # Errors
/// Those of [`raw_rows`] and of writing.
pub fn raw_csv(scores: &[RawScores], out: impl Write) -> Result<(), Error> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["model", "layer", "benchmark", "version", "split", "neuroid", "value"])?;
    for row in raw_rows(scores)? {
        let (split, value) = (row.split.to_string(), full(Some(row.value)));
        write_row(
            &mut writer,
            [row.model, row.layer, row.benchmark, row.version, &split, row.neuroid, &value],
        )?;
    }
    writer.flush()?;
    Ok(())
}
