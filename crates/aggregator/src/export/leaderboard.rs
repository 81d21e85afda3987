//! The leaderboard as a table: one row per model, the nodes of the tree as columns.

use super::markdown::{Align, footnotes, table};
use super::{csv_text, exact, full, status};
use crate::{Cell, Error, Leaderboard, Row};

/// CSV: `rank,model`, then per node its value, and `.error`, `.raw`, `.layer` and `.note` (undefined values) for benchmarks, then `status` and `reason` of the
/// root. A failed score is `NaN`, a missing one empty.
///
/// # Errors
/// Those of the CSV writer.
pub fn leaderboard_csv(board: &Leaderboard) -> Result<String, Error> {
    csv_text(|writer| {
        let mut headings = vec!["rank".to_owned(), "model".to_owned()];
        for column in &board.columns {
            headings.push(column.identifier.clone());
            if column.version.is_some() {
                headings.extend(
                    ["error", "raw", "layer", "note"].map(|part| format!("{}.{part}", column.identifier)),
                );
            }
        }
        headings.extend(["status".to_owned(), "reason".to_owned()]);
        writer.write_record(&headings)?;
        board.rows.iter().try_for_each(|row| writer.write_record(csv_row(board, row)))
    })
}

fn csv_row(board: &Leaderboard, row: &Row) -> Vec<String> {
    let mut record = vec![row.rank.map_or_else(String::new, |rank| rank.to_string()), row.model.clone()];
    for (column, cell) in board.columns.iter().zip(&row.cells) {
        record.push(exact(&cell.value));
        if column.version.is_some() {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            record.extend([full(cell.error), full(cell.raw), text(&cell.layer), text(&cell.note)]);
        }
    }
    let (status, reason) = status(row.brain_score());
    record.extend([status.to_owned(), reason.to_owned()]);
    record
}

/// JSON: the [`Leaderboard`] itself, indented, with its fields in the order of their declaration.
///
/// # Errors
/// Those of the JSON writer.
pub fn leaderboard_json(board: &Leaderboard) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(board)? + "\n")
}

/// Markdown: values as displayed (".549", "X", nothing), with error bars, and the layers reported.
#[must_use]
pub fn leaderboard_markdown(board: &Leaderboard) -> String {
    let mut headings = vec![("rank".to_owned(), Align::Right), ("model".to_owned(), Align::Left)];
    headings.extend(board.columns.iter().map(|column| (column.identifier.clone(), Align::Right)));
    headings.push(("layers".to_owned(), Align::Left));
    let rows: Vec<Vec<String>> = board.rows.iter().map(|row| markdown_row(board, row)).collect();
    let notes =
        board.notes().map(|(model, column, _, note)| (format!("{model}, {}", column.identifier), note));
    table(&headings, &rows) + &footnotes(notes)
}

fn markdown_row(board: &Leaderboard, row: &Row) -> Vec<String> {
    let mut cells = vec![row.rank.map_or_else(String::new, |rank| rank.to_string()), row.model.clone()];
    cells.extend(row.cells.iter().map(with_error));
    let benchmarks = board.columns.iter().zip(&row.cells).filter(|(column, _)| column.version.is_some());
    let layers = benchmarks
        .filter_map(|(column, cell)| Some(format!("{}: {}", column.identifier, cell.layer.as_ref()?)));
    cells.push(layers.collect::<Vec<_>>().join(", "));
    cells
}

fn with_error(cell: &Cell) -> String {
    match (cell.value.number(), cell.error) {
        (Some(_), Some(error)) => format!("{} ± {}", cell.text(), crate::Value::Number(error)),
        _ => cell.text(),
    }
}
