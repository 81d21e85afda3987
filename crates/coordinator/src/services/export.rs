//! Tables of results as files.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use ventral_plan::{Plan, ScoreUnit};
use ventral_proto::limits::MAX_CHUNK_BYTES;
use ventral_proto::v1::DataChunk;
use ventral_store::{JobRecord, ScoreRecord, Store};

use super::Shared;
use super::results::{Ceiled, LayerScore, Leaderboard, Score, Value};
use super::status::{Reason, internal, of_store, refuse};
use super::stream::Messages;

/// Chunks that wait for a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// Formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a head line.
    Csv,
    /// One object per line.
    JsonLines,
}

/// Writes rows; the head comes from the names of their fields.
struct Rows {
    format: Format,
    bytes: Vec<u8>,
    begun: bool,
}

impl Rows {
    fn new(format: Format) -> Self {
        Self { format, bytes: Vec::new(), begun: false }
    }

    fn add(&mut self, row: &impl Serialize) -> Result<(), Status> {
        match self.format {
            Format::JsonLines => {
                serde_json::to_writer(&mut self.bytes, row).map_err(internal)?;
                self.bytes.push(b'\n');
            }
            Format::Csv => {
                let head = !std::mem::replace(&mut self.begun, true);
                let mut writer = csv::WriterBuilder::new().has_headers(head).from_writer(Vec::new());
                writer.serialize(row).map_err(internal)?;
                let written = writer.into_inner().map_err(internal)?;
                let mut cells = csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_slice());
                let mut writer = csv::Writer::from_writer(&mut self.bytes);
                for record in cells.records() {
                    let record = record.map_err(internal)?;
                    let cells = record.iter().map(|cell| ventral_input::csv_cell(cell).into_owned());
                    writer.write_record(cells).map_err(internal)?;
                }
                writer.flush().map_err(internal)?;
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct LeaderboardLine<'a> {
    rank: Option<u64>,
    model: &'a str,
    node: &'a str,
    version: &'a str,
    score: Option<f64>,
    error: Option<f64>,
    raw: Option<f64>,
    layer: &'a str,
    status: &'static str,
    reason: &'a str,
    note: &'a str,
}

/// The leaderboard, a row per model and node.
pub fn leaderboard(board: &Leaderboard, format: Format) -> Result<Vec<u8>, Status> {
    let mut rows = Rows::new(format);
    for row in &board.rows {
        for (column, cell) in board.columns.iter().zip(&row.cells) {
            let (score, status, reason) = match &cell.value {
                Value::Number(number) => (Some(*number), "ok", ""),
                Value::Failed { reason } => (None, "failed", reason.as_str()),
                Value::Missing => (None, "missing", ""),
            };
            rows.add(&LeaderboardLine {
                rank: row.rank,
                model: &row.model,
                node: &column.identifier,
                version: column.version.as_deref().unwrap_or_default(),
                score,
                error: cell.error,
                raw: cell.raw,
                layer: cell.layer.as_deref().unwrap_or_default(),
                status,
                reason,
                note: cell.note.as_deref().unwrap_or_default(),
            })?;
        }
    }
    Ok(rows.bytes)
}

#[derive(Serialize)]
struct LayerLine<'a> {
    model: &'a str,
    layer: &'a str,
    depth: u64,
    benchmark: &'a str,
    version: &'a str,
    raw: Option<f64>,
    raw_error: Option<f64>,
    ceiled: Option<f64>,
    ceiled_error: Option<f64>,
    status: &'static str,
    reason: &'a str,
    precision: &'a str,
    undefined: u64,
}

/// The scores of all layers.
pub fn layers(layers: &[LayerScore], format: Format) -> Result<Vec<u8>, Status> {
    let mut rows = Rows::new(format);
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    let value = |score: Option<&Score>| finite(score.and_then(|score| score.value));
    let error = |score: Option<&Score>| finite(score.and_then(|score| score.error));
    for layer in layers {
        let (ceiled, status, reason) = match &layer.ceiled {
            Ceiled::Score(score) => (Some(score), "ok", ""),
            Ceiled::Failed { reason } => (None, "failed", reason.as_str()),
        };
        rows.add(&LayerLine {
            model: &layer.model,
            layer: &layer.layer,
            depth: layer.depth_index,
            benchmark: &layer.benchmark,
            version: &layer.version,
            raw: value(layer.raw.as_ref()),
            raw_error: error(layer.raw.as_ref()),
            ceiled: value(ceiled),
            ceiled_error: error(ceiled),
            status,
            reason,
            precision: layer.precision.as_deref().unwrap_or_default(),
            undefined: layer.undefined.as_ref().map_or(0, |undefined| undefined.values),
        })?;
    }
    Ok(rows.bytes)
}

#[derive(Serialize)]
struct RawLine<'a> {
    model: &'a str,
    layer: &'a str,
    benchmark: &'a str,
    version: &'a str,
    split: usize,
    neuroid: &'a str,
    value: Option<f64>,
}

/// The scores of all splits and neuroids, read from the store as the client reads them.
pub fn raw(shared: Arc<Shared>, job: String, record: Bytes, format: Format) -> Messages<DataChunk> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let store = shared.core.store().clone();
    tokio::task::spawn_blocking(move || {
        let sent = |bytes: Vec<u8>| {
            let chunk = DataChunk { data: bytes.into(), total_bytes: None };
            // The reader is gone: stop quietly.
            sender.blocking_send(Ok(chunk)).map_err(|_| Status::cancelled(""))
        };
        if let Err(status) = write_raw(&store, &job, &record, format, sent) {
            let _ = sender.blocking_send(Err(status));
        }
    });
    ReceiverStream::new(receiver).boxed()
}

fn write_raw(
    store: &Store,
    job: &str,
    record: &Bytes,
    format: Format,
    send: impl Fn(Vec<u8>) -> Result<(), Status>,
) -> Result<(), Status> {
    let record: JobRecord = serde_json::from_slice(record).map_err(|error| damaged(job, &error))?;
    let mut rows = Rows::new(format);
    for unit in &record.plan.scores {
        let Some(payload) = store.get(&unit.digest).map_err(of_store)? else { continue };
        let scores = ScoreRecord::decode(&payload).map_err(|error| damaged(job, &error))?;
        write_unit(&record.plan, unit, &scores, &mut rows, &send)?;
    }
    send(std::mem::take(&mut rows.bytes))
}

fn write_unit(
    plan: &Plan,
    unit: &ScoreUnit,
    record: &ScoreRecord,
    rows: &mut Rows,
    send: &impl Fn(Vec<u8>) -> Result<(), Status>,
) -> Result<(), Status> {
    let found = (plan.models.get(unit.model), plan.benchmarks.get(unit.benchmark));
    let (Some(model), Some(benchmark)) = found else { return Ok(()) };
    let Some(layer) = model.layers.get(unit.layer) else { return Ok(()) };
    let values = &record.scores.values;
    let named = benchmark.neuroids.len() == values.ncols();
    for (split, scores) in values.rows().into_iter().enumerate() {
        for (column, value) in scores.iter().enumerate() {
            let neuroid = benchmark.neuroids.get(column).filter(|_| named);
            rows.add(&RawLine {
                model: &model.identifier,
                layer: &layer.name,
                benchmark: &benchmark.identifier,
                version: &benchmark.version,
                split,
                neuroid: neuroid.map_or("", String::as_str),
                value: Some(*value).filter(|value| value.is_finite()),
            })?;
            if rows.bytes.len() >= MAX_CHUNK_BYTES - 4_096 {
                send(std::mem::take(&mut rows.bytes))?;
            }
        }
    }
    Ok(())
}

fn damaged(job: &str, error: &dyn std::fmt::Display) -> Status {
    tracing::error!(job, %error, "a result cannot be read");
    refuse(
        tonic::Code::DataLoss,
        Reason::Damaged,
        format!("a result of job '{job}' cannot be read; the log says why"),
    )
}
