//! Tables as text: CSV, JSON and Markdown. Numbers are written with all the digits that make them unique.

mod layers;
mod leaderboard;
mod markdown;
mod raw;

pub use layers::{layers_csv, layers_json, layers_markdown};
pub use leaderboard::{leaderboard_csv, leaderboard_json, leaderboard_markdown};
pub use raw::{RawRow, RawScores, raw_csv, raw_rows};

use std::io;

use crate::{Error, Value};

/// A number in full, nothing where there is none.
fn full(number: Option<f64>) -> String {
    number.filter(|n| n.is_finite()).map_or_else(String::new, |n| n.to_string())
}

/// A number in full; `NaN` for a failure, so that it is no empty cell; nothing for a missing score.
fn exact(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Failed { .. } => "NaN".to_owned(),
        Value::Missing => String::new(),
    }
}

fn status(value: &Value) -> (&'static str, &str) {
    match value {
        Value::Number(_) => ("scored", ""),
        Value::Failed { reason } => ("failed", reason),
        Value::Missing => ("missing", ""),
    }
}

/// Runs a CSV writer into a string.
fn csv_text(
    write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> Result<(), csv::Error>,
) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer)?;
    let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Error::Io(io::Error::other(error)))
}

/// Writes a row whose cells are safe to open in a spreadsheet.
pub(crate) fn write_row<W: io::Write>(
    writer: &mut csv::Writer<W>,
    row: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<(), csv::Error> {
    writer.write_record(row.into_iter().map(|cell| ventral_input::csv_cell(cell.as_ref()).into_owned()))
}
