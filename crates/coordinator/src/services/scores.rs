//! Results of jobs.

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};
use ventral_proto::v1;
use ventral_proto::v1::leaderboard_cell::Value as Shown;
use ventral_proto::v1::scores_server::Scores;

use super::page::{Query, size};
use super::results::{Cell, Column, Leaderboard, Results, Row, Value};
use super::status::{Reason, invalid, refuse};
use super::stream::{Messages, chunks};
use super::{Shared, check, documents, export};
use crate::auth::Identity;

/// Longest name of a model in bytes.
const MAX_MODEL_BYTES: usize = 500;

/// The service.
pub struct Reports(pub Arc<Shared>);

impl Reports {
    /// The results of a job that the caller may see.
    async fn results(&self, caller: &Identity, field: &str, job: &str) -> Result<Results, Status> {
        check::job_id(field, job)?;
        self.0.core.get(caller.scope(), job).await.map_err(|error| self.0.fault(error))?;
        Results::parse(job, &self.0.document(job, documents::RESULTS).await?)
    }
}

#[tonic::async_trait]
impl Scores for Reports {
    type GetStream = Messages<v1::DataChunk>;

    async fn get(&self, request: Request<v1::GetScoresRequest>) -> Result<Response<Self::GetStream>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        check::job_id("job", &body.job)?;
        self.0.core.get(caller.scope(), &body.job).await.map_err(|error| self.0.fault(error))?;
        let name = match body.document() {
            v1::ScoresDocument::Record => documents::RECORD,
            v1::ScoresDocument::Unspecified | v1::ScoresDocument::Results => documents::RESULTS,
        };
        Ok(Response::new(chunks(self.0.document(&body.job, name).await?, 0)))
    }

    async fn leaderboard(
        &self,
        request: Request<v1::LeaderboardRequest>,
    ) -> Result<Response<v1::LeaderboardResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let size = size(body.page_size)?;
        let results = self.results(&caller, "job", &body.job).await?;
        let fields = v1::LeaderboardRequest { page_token: String::new(), ..body.clone() };
        let query = Query::new(caller.scope(), "Leaderboard", &fields);
        let offset: usize = self.0.pages.open(&query, &body.page_token)?.unwrap_or(0);
        let board = results.leaderboard;
        let end = offset.saturating_add(size);
        let next_page_token =
            if end < board.rows.len() { self.0.pages.seal(&query, &end)? } else { String::new() };
        Ok(Response::new(v1::LeaderboardResponse {
            columns: board.columns.into_iter().map(column).collect(),
            rows: board.rows.into_iter().skip(offset).take(size).map(row).collect(),
            missing: results.missing,
            next_page_token,
        }))
    }

    async fn compare(
        &self,
        request: Request<v1::CompareRequest>,
    ) -> Result<Response<v1::CompareResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        for (field, model) in [("model_a", &body.model_a), ("model_b", &body.model_b)] {
            if model.is_empty() || model.len() > MAX_MODEL_BYTES {
                return Err(invalid(field, "name a model of the job's leaderboard"));
            }
        }
        let first = self.results(&caller, "job_a", &body.job_a).await?.leaderboard;
        let second = match body.job_b.as_str() {
            "" => None,
            job if job == body.job_a => None,
            job => Some(self.results(&caller, "job_b", job).await?.leaderboard),
        };
        let rows = compare(&first, &body.model_a, second.as_ref().unwrap_or(&first), &body.model_b)?;
        Ok(Response::new(v1::CompareResponse { rows }))
    }

    type ExportStream = Messages<v1::DataChunk>;

    async fn export(
        &self,
        request: Request<v1::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let format = match body.format() {
            v1::ExportFormat::JsonLines => export::Format::JsonLines,
            v1::ExportFormat::Unspecified | v1::ExportFormat::Csv => export::Format::Csv,
        };
        let table = body.table();
        if table == v1::ExportTable::Raw {
            check::job_id("job", &body.job)?;
            self.0.core.get(caller.scope(), &body.job).await.map_err(|error| self.0.fault(error))?;
            let record = self.0.document(&body.job, documents::RECORD).await?;
            return Ok(Response::new(export::raw(self.0.clone(), body.job, record, format)));
        }
        let results = self.results(&caller, "job", &body.job).await?;
        let bytes = match table {
            v1::ExportTable::Leaderboard => export::leaderboard(&results.leaderboard, format)?,
            _ => export::layers(&results.layers, format)?,
        };
        Ok(Response::new(chunks(bytes.into(), 0)))
    }
}

fn column(column: Column) -> v1::LeaderboardColumn {
    let version = column.version.unwrap_or_default();
    v1::LeaderboardColumn { identifier: column.identifier, depth: column.depth, version }
}

fn row(row: Row) -> v1::LeaderboardRow {
    v1::LeaderboardRow { rank: row.rank, model: row.model, cells: row.cells.iter().map(cell).collect() }
}

fn cell(cell: &Cell) -> v1::LeaderboardCell {
    let value = match &cell.value {
        Value::Number(number) => Shown::Number(*number),
        Value::Failed { reason } => Shown::Failed(reason.clone()),
        Value::Missing => Shown::Missing(true),
    };
    v1::LeaderboardCell {
        value: Some(value),
        error: cell.error,
        raw: cell.raw,
        layer: cell.layer.clone().unwrap_or_default(),
        note: cell.note.clone().unwrap_or_default(),
    }
}

fn find<'a>(board: &'a Leaderboard, field: &str, model: &str) -> Result<&'a Row, Status> {
    board.rows.iter().find(|row| row.model == model).ok_or_else(|| {
        let known: Vec<&str> = board.rows.iter().map(|row| row.model.as_str()).take(10).collect();
        let message = format!("{field}: no model '{model}' in the results, which have {}", known.join(", "));
        refuse(Code::NotFound, Reason::ModelNotFound, message)
    })
}

fn compare(
    a: &Leaderboard,
    model_a: &str,
    b: &Leaderboard,
    model_b: &str,
) -> Result<Vec<v1::Comparison>, Status> {
    let (row_a, row_b) = (find(a, "model_a", model_a)?, find(b, "model_b", model_b)?);
    let same = |x: &Column, y: &Column| x.identifier == y.identifier && x.version == y.version;
    let place =
        |board: &Leaderboard, wanted: &Column| board.columns.iter().position(|known| same(known, wanted));
    let of = |row: &'_ Row, place: Option<usize>| place.and_then(|place| row.cells.get(place)).map(cell);
    let only_b = b.columns.iter().filter(|column| place(a, column).is_none());
    let nodes = a.columns.iter().chain(only_b);
    Ok(nodes.map(|node| comparison(node, of(row_a, place(a, node)), of(row_b, place(b, node)))).collect())
}

fn comparison(
    node: &Column,
    a: Option<v1::LeaderboardCell>,
    b: Option<v1::LeaderboardCell>,
) -> v1::Comparison {
    let missing = || v1::LeaderboardCell { value: Some(Shown::Missing(true)), ..Default::default() };
    let (a, b) = (a.unwrap_or_else(missing), b.unwrap_or_else(missing));
    let number = |cell: &v1::LeaderboardCell| match cell.value {
        Some(Shown::Number(number)) => Some(number),
        _ => None,
    };
    let difference = number(&a).zip(number(&b)).map(|(a, b)| a - b);
    let error = difference.and(a.error.zip(b.error)).map(|(a, b)| a.hypot(b));
    v1::Comparison {
        identifier: node.identifier.clone(),
        version: node.version.clone().unwrap_or_default(),
        a: Some(a),
        b: Some(b),
        difference,
        error,
    }
}
