//! `ventral export`: results as files for other programs.

use std::fs::File;
use std::path::Path;

use ventral_aggregator::{
    Leaderboard, RawScores, Results, layers_csv, layers_json, layers_markdown, leaderboard_csv,
    leaderboard_json, leaderboard_markdown, raw_csv, raw_rows, raw_scores,
};

use ventral_plan::Plan;
use ventral_store::Store;

use crate::args::{Format, Table};
use crate::context::{Context, write_stdout};
use crate::exit::{Exit, Outcome};
use crate::parquet::{Column, write_table};
use crate::results;

/// Writes a table of a job.
pub fn export(
    context: &Context,
    job: Option<&str>,
    what: Table,
    format: Option<Format>,
    output: Option<&Path>,
) -> Outcome {
    match what {
        Table::Maps => return crate::maps::export(context, job, output),
        Table::Synthesis => return crate::synthesis::export(context, job, output),
        Table::Raw | Table::Layers | Table::Leaderboard => {}
    }
    let format = chosen(format, output)?;
    let (_, record, results) = results::load(context, job)?;
    let raw = match what {
        Table::Raw => raw(context, &record.plan)?,
        Table::Layers | Table::Leaderboard | Table::Maps | Table::Synthesis => Vec::new(),
    };
    match (format, output) {
        (Format::Parquet, Some(path)) => write_parquet(&results, &raw, what, path)?,
        (Format::Parquet, None) => {
            return Err(Exit::input("parquet is binary: name a file with --output FILE.parquet"));
        }
        (_, path) => {
            let text = text(&results, &raw, what, format)?;
            let text = if format == Format::Json { ventral_input::json(&text) } else { text.as_str().into() };
            match path {
                None => write_stdout(&text)?,
                Some(path) => std::fs::write(path, text.as_bytes()).map_err(|error| failed(path, error))?,
            }
        }
    }
    if results.missing == 0 { Ok(()) } else { Err(Exit::Partial) }
}

/// Raw scores of the store, or of the cluster by way of a store of their own.
fn raw(context: &Context, plan: &Plan) -> Outcome<Vec<RawScores>> {
    let Some(remote) = &context.remote else { return Ok(raw_scores(plan, &context.store()?)?) };
    let folder = tempfile::tempdir().map_err(|error| Exit::Machine(error.into()))?;
    let store = Store::open(folder.path())?;
    remote.fetch_scores(plan, &store)?;
    Ok(raw_scores(plan, &store)?)
}

fn failed(path: &Path, error: impl std::fmt::Display) -> Exit {
    Exit::Machine(anyhow::anyhow!("cannot write {}: {error}", path.display()))
}

fn chosen(format: Option<Format>, output: Option<&Path>) -> Outcome<Format> {
    let extension = output.and_then(Path::extension).map(|e| e.to_string_lossy().to_ascii_lowercase());
    match (format, extension.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, None | Some("csv")) => Ok(Format::Csv),
        (None, Some("json")) => Ok(Format::Json),
        (None, Some("parquet")) => Ok(Format::Parquet),
        (None, Some("md" | "markdown")) => Ok(Format::Markdown),
        (None, Some(other)) => {
            Err(Exit::input(format!("no format is known for '.{other}': name one with --format")))
        }
    }
}

fn text(results: &Results, raw: &[RawScores], what: Table, format: Format) -> Outcome<String> {
    Ok(match (what, format) {
        (Table::Leaderboard, Format::Csv) => leaderboard_csv(&results.leaderboard)?,
        (Table::Leaderboard, Format::Json) => leaderboard_json(&results.leaderboard)?,
        (Table::Leaderboard, _) => leaderboard_markdown(&results.leaderboard),
        (Table::Layers, Format::Csv) => layers_csv(&results.layers)?,
        (Table::Layers, Format::Json) => layers_json(&results.layers)?,
        (Table::Layers, _) => layers_markdown(&results.layers),
        (Table::Raw, Format::Csv) => {
            let mut bytes = Vec::new();
            raw_csv(raw, &mut bytes)?;
            String::from_utf8(bytes).map_err(|error| Exit::Internal(error.into()))?
        }
        (Table::Raw, Format::Json) => {
            let rows: Vec<_> = raw_rows(raw)?.collect();
            serde_json::to_string_pretty(&rows).map_err(|error| Exit::Internal(error.into()))?
        }
        (Table::Raw | Table::Maps | Table::Synthesis, _) => {
            return Err(Exit::input(
                "raw scores have too many rows for Markdown: choose csv, json or parquet",
            ));
        }
    })
}

fn write_parquet(results: &Results, raw: &[RawScores], what: Table, path: &Path) -> Outcome {
    let columns = match what {
        Table::Leaderboard => leaderboard_columns(&results.leaderboard),
        Table::Layers => layer_columns(results),
        Table::Raw | Table::Maps | Table::Synthesis => raw_columns(raw)?,
    };
    let file = File::create(path).map_err(|error| failed(path, error))?;
    write_table(&columns, file).map_err(|error| failed(path, error))
}

fn leaderboard_columns(board: &Leaderboard) -> Vec<(String, Column)> {
    let mut columns = vec![
        (
            "rank".to_owned(),
            Column::Integer(board.rows.iter().map(|row| row.rank.map(|r| r as i64)).collect()),
        ),
        ("model".to_owned(), Column::Text(board.rows.iter().map(|row| row.model.clone()).collect())),
    ];
    for (index, column) in board.columns.iter().enumerate() {
        let cells = || board.rows.iter().map(|row| &row.cells[index]);
        let name = &column.identifier;
        columns.push((name.clone(), Column::Real(cells().map(|cell| cell.value.number()).collect())));
        columns.push((format!("{name}_error"), Column::Real(cells().map(|cell| cell.error).collect())));
        let layer = |cell: &ventral_aggregator::Cell| cell.layer.clone().unwrap_or_default();
        columns.push((format!("{name}_layer"), Column::Text(cells().map(layer).collect())));
        let note = |cell: &ventral_aggregator::Cell| cell.note.clone().unwrap_or_default();
        columns.push((format!("{name}_note"), Column::Text(cells().map(note).collect())));
    }
    columns
}

fn layer_columns(results: &Results) -> Vec<(String, Column)> {
    let layers = &results.layers;
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let text = |name: &str, of: &dyn Fn(&ventral_aggregator::LayerScore) -> String| {
        (name.to_owned(), Column::Text(layers.iter().map(of).collect()))
    };
    let real = |name: &str, of: &dyn Fn(&ventral_aggregator::LayerScore) -> Option<f64>| {
        (name.to_owned(), Column::Real(layers.iter().map(of).collect()))
    };
    vec![
        text("model", &|row| row.model.clone()),
        text("layer", &|row| row.layer.clone()),
        (
            "depth".to_owned(),
            Column::Integer(layers.iter().map(|row| Some(row.depth_index as i64)).collect()),
        ),
        text("benchmark", &|row| row.benchmark.clone()),
        text("version", &|row| row.version.clone()),
        real("raw", &|row| finite(row.raw.as_ref()?.value)),
        real("raw_error", &|row| finite(row.raw.as_ref()?.error)),
        real("ceiling", &|row| row.ceiling),
        real("ceiled", &|row| finite(row.ceiled_score()?.value)),
        real("ceiled_error", &|row| finite(row.ceiled_score()?.error)),
        (
            "undefined".to_owned(),
            Column::Integer(layers.iter().map(|row| Some(undefined(row) as i64)).collect()),
        ),
        text("note", &|row| row.note().unwrap_or_default()),
    ]
}

/// How many of a metric's values are not defined.
fn undefined(row: &ventral_aggregator::LayerScore) -> usize {
    row.undefined.as_ref().map_or(0, |undefined| undefined.values)
}

fn raw_columns(raw: &[RawScores]) -> Outcome<Vec<(String, Column)>> {
    let rows: Vec<_> = raw_rows(raw)?.collect();
    let text = |name: &str, of: &dyn Fn(usize) -> String| {
        (name.to_owned(), Column::Text((0..rows.len()).map(of).collect()))
    };
    let value = |row: &ventral_aggregator::RawRow<'_>| Some(row.value).filter(|value| value.is_finite());
    Ok(vec![
        text("model", &|i| rows[i].model.to_owned()),
        text("layer", &|i| rows[i].layer.to_owned()),
        text("benchmark", &|i| rows[i].benchmark.to_owned()),
        text("version", &|i| rows[i].version.to_owned()),
        ("split".to_owned(), Column::Integer(rows.iter().map(|row| Some(row.split as i64)).collect())),
        text("neuroid", &|i| rows[i].neuroid.to_owned()),
        ("value".to_owned(), Column::Real(rows.iter().map(value).collect())),
    ])
}
