//! The table of every layer on every benchmark.

use super::markdown::{Align, footnotes, table};
use super::{csv_text, exact, full, status, write_row};
use crate::undefined::marked;
use crate::{Error, LayerScore};

const HEADINGS: [&str; 15] = [
    "model",
    "layer",
    "depth_index",
    "benchmark",
    "version",
    "raw",
    "raw_error",
    "ceiling",
    "ceiled",
    "ceiled_error",
    "status",
    "reason",
    "precision",
    "undefined",
    "note",
];

/// CSV: one row per model, layer and benchmark, in the order given. A failed score is `NaN`, a missing one empty. `precision` says in
/// which number type the layer was multiplied where that is not the one the job asks for; `undefined` is how many of the metric's values
/// are not defined, `note` what counted instead.
///
/// # Errors
/// Those of the CSV writer.
pub fn layers_csv(layers: &[LayerScore]) -> Result<String, Error> {
    csv_text(|writer| {
        writer.write_record(HEADINGS)?;
        layers.iter().try_for_each(|layer| write_row(writer, csv_row(layer)))
    })
}

fn csv_row(layer: &LayerScore) -> [String; 15] {
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
        full(layer.ceiling),
        exact(&value),
        full(layer.ceiled_score().map(|score| score.error)),
        status.to_owned(),
        reason.to_owned(),
        layer.precision.map_or_else(String::new, |precision| precision.to_string()),
        layer.undefined.as_ref().map_or(0, |undefined| undefined.values).to_string(),
        layer.note().unwrap_or_default(),
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
        right("ceiling"),
        right("ceiled"),
        right("error"),
    ];
    let number =
        |value: Option<f64>| value.map_or_else(String::new, |value| crate::Value::Number(value).to_string());
    let row = |layer: &LayerScore| {
        let error = layer.ceiled_score().map(|score| score.error).filter(|error| error.is_finite());
        vec![
            layer.model.clone(),
            layer.depth_index.to_string(),
            layer.layer.clone(),
            layer.benchmark.clone(),
            layer.raw_value().to_string(),
            number(layer.ceiling),
            marked(&layer.value(), layer.note().as_ref()),
            number(error),
        ]
    };
    let notes = layers.iter().filter_map(|layer| {
        Some((format!("{}, {}, {}", layer.model, layer.layer, layer.benchmark), layer.note()?))
    });
    table(&headings, &layers.iter().map(row).collect::<Vec<_>>()) + &footnotes(notes)
}
