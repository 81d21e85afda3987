//! The table of every layer on every benchmark.

use super::markdown::{Align, table};
use super::{csv_text, exact, full, status, write_row};
use crate::{Error, LayerScore};

const HEADINGS: [&str; 11] = [
    "model",
    "layer",
    "depth_index",
    "benchmark",
    "version",
    "raw",
    "raw_error",
    "ceiled",
    "ceiled_error",
    "status",
    "reason",
];

/// CSV: one row per model, layer and benchmark, in the order given. A failed score is `NaN`, a missing one empty.
///
/// # Errors
/// Those of the CSV writer.
pub fn layers_csv(layers: &[LayerScore]) -> Result<String, Error> {
    csv_text(|writer| {
        writer.write_record(HEADINGS)?;
        layers.iter().try_for_each(|layer| write_row(writer, csv_row(layer)))
    })
}

fn csv_row(layer: &LayerScore) -> [String; 11] {
    let value = layer.value();
    let (status, reason) = status(&value);
    [
        layer.model.clone(),
        layer.layer.clone(),
        layer.depth_index.to_string(),
        layer.benchmark.clone(),
        layer.version.clone(),
        exact(&layer.raw_value()),
        full(layer.raw.as_ref().map(|score| score.error)),
        exact(&value),
        full(layer.ceiled_score().map(|score| score.error)),
        status.to_owned(),
        reason.to_owned(),
    ]
}

/// JSON: the list of [`LayerScore`]s with the value of every split, indented.
///
/// # Errors
/// Those of the JSON writer.
pub fn layers_json(layers: &[LayerScore]) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(layers)? + "\n")
}

/// Markdown: values as displayed.
#[must_use]
pub fn layers_markdown(layers: &[LayerScore]) -> String {
    let left = |name: &str| (name.to_owned(), Align::Left);
    let right = |name: &str| (name.to_owned(), Align::Right);
    let headings = [
        left("model"),
        right("depth"),
        left("layer"),
        left("benchmark"),
        right("raw"),
        right("ceiled"),
        right("error"),
    ];
    let row = |layer: &LayerScore| {
        let error = layer.ceiled_score().map(|score| score.error).filter(|error| error.is_finite());
        vec![
            layer.model.clone(),
            layer.depth_index.to_string(),
            layer.layer.clone(),
            layer.benchmark.clone(),
            layer.raw_value().to_string(),
            layer.value().to_string(),
            error.map_or_else(String::new, |error| crate::Value::Number(error).to_string()),
        ]
    };
    table(&headings, &layers.iter().map(row).collect::<Vec<_>>())
}
