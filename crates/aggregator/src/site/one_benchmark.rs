//! The page of a benchmark.

use askama::Template;

use super::{Files, Shell, Site};
use crate::report::depth::{self, Line};
use crate::report::page::both;
use crate::report::series::{legend, models};
use crate::report::spread;
use crate::report::tables::{
    Problem, benchmark_line, breakable, exact_and_note, problems, reason_of_choice, undefined,
};
use crate::undefined::marked;
use crate::{BenchmarkInfo, LayerScore, LeafScore, Provenance, Selection, Value, ranks};

/// Models whose splits are drawn.
const MAX_SPREAD: usize = 60;

#[derive(Template)]
#[template(path = "site/benchmark.html")]
pub(super) struct Page<'a> {
    shell: Shell,
    info: &'a BenchmarkInfo,
    /// The identifier as markup.
    name: String,
    line: String,
    notes: &'a [String],
    rows: Vec<ModelRow>,
    ranking: &'static str,
    chooses: bool,
    legend: String,
    depth: String,
    spread: String,
    problems: Vec<Problem>,
    undefined: Vec<Problem>,
    facts: Vec<Provenance>,
}

struct ModelRow {
    rank: String,
    model: String,
    name: String,
    link: String,
    value: String,
    sort: String,
    error: String,
    hint: String,
    raw: String,
    raw_sort: String,
    layer: String,
    chosen: String,
    class: &'static str,
}

fn is_of(selection: &Selection, info: &BenchmarkInfo) -> bool {
    selection.benchmark.identifier == info.identifier && selection.benchmark.version == info.version
}

fn model_row(
    selection: &Selection,
    rank: Option<usize>,
    (value, note): (&Value, &Option<String>),
    files: &Files,
) -> ModelRow {
    let scored = selection.layer_score();
    let raw = scored.and_then(|s| s.raw.as_ref()).map(|s| s.value).filter(|v| v.is_finite());
    let error = scored.and_then(|s| s.ceiled_score()).map(|s| s.error).filter(|e| e.is_finite());
    ModelRow {
        rank: rank.map_or_else(String::new, |rank| rank.to_string()),
        name: breakable(&selection.model),
        link: files.models.path(&selection.model).to_owned(),
        model: selection.model.clone(),
        value: marked(value, note.as_ref()),
        sort: value.number().map_or_else(String::new, |number| number.to_string()),
        error: error.map_or_else(String::new, |error| format!("±{}", Value::Number(error))),
        hint: match value {
            Value::Missing => "not run".to_owned(),
            Value::Failed { reason } => format!("failed: {reason}"),
            Value::Number(number) => exact_and_note(*number, note.as_ref()),
        },
        raw: raw.map_or_else(String::new, |raw| Value::Number(raw).to_string()),
        raw_sort: raw.map_or_else(String::new, |raw| raw.to_string()),
        layer: selection.layer.clone().unwrap_or_default(),
        chosen: reason_of_choice(selection.layer.as_ref().map(|_| &selection.chosen_by)),
        class: match value {
            Value::Missing => "missing",
            Value::Failed { .. } => "fail",
            Value::Number(_) => "",
        },
    }
}

fn rows(site: &Site, files: &Files, info: &BenchmarkInfo) -> Vec<ModelRow> {
    let report = &site.report;
    let selections: Vec<&Selection> = report.selections.iter().filter(|s| is_of(s, info)).collect();
    // What the tree counts, so that the numbers here are those of the table of all models.
    let column = report.leaderboard.columns.iter().position(|c| c.identifier == info.identifier);
    let counted = |selection: &&Selection| {
        let row = report.leaderboard.rows.iter().find(|row| row.model == selection.model);
        match row.and_then(|row| row.cells.get(column?)) {
            Some(cell) => (cell.value.clone(), cell.note.clone()),
            None => (selection.value(LeafScore::Ceiled), selection.layer_score().and_then(LayerScore::note)),
        }
    };
    let (values, notes): (Vec<Value>, Vec<Option<String>>) = selections.iter().map(counted).unzip();
    let ranks = ranks(&values, report.leaderboard.ranking);
    let mut rows: Vec<(Option<usize>, ModelRow)> = selections
        .iter()
        .zip(ranks)
        .zip(values.iter().zip(&notes))
        .map(|((selection, rank), shown)| (rank, model_row(selection, rank, shown, files)))
        .collect();
    rows.sort_by(|(a, x), (b, y)| (a.is_none(), a, &x.model).cmp(&(b.is_none(), b, &y.model)));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn facts(site: &Site, info: &BenchmarkInfo) -> Vec<Provenance> {
    let record = site.benchmarks.get(&info.identifier);
    let known = [
        ("benchmark", record.and_then(|r| r.digest.clone())),
        ("stimuli", record.and_then(|r| r.stimuli.clone())),
        ("degrees of the stimuli", record.and_then(|r| r.degrees).map(|d| format!("{d}°"))),
        ("version", Some(info.version.clone())),
        ("metric", Some(info.metric.clone())),
        ("ceiling", info.ceiling.map(|c| c.to_string())),
        ("rule of the ceiling", Some(info.rule.name().to_owned())),
    ];
    let fact =
        |(name, value): (&str, Option<String>)| Some(Provenance { name: name.to_owned(), value: value? });
    let own = known.into_iter().filter_map(fact);
    own.chain(site.report.provenance.iter().cloned()).collect()
}

pub(super) fn page<'a>(
    site: &'a Site,
    files: &Files,
    info: &'a BenchmarkInfo,
    lines: &[Line<'_>],
) -> Page<'a> {
    let report = &site.report;
    let places: Vec<usize> = lines.iter().map(|line| line.place).collect();
    let deep = lines.iter().any(|line| line.layers.len() > 1);
    let mut dots = spread::dots(report, info);
    dots.truncate(MAX_SPREAD);
    let rows = rows(site, files, info);
    Page {
        shell: Shell::new(format!("{} · {}", info.identifier, report.title), "../"),
        info,
        name: breakable(&info.identifier),
        line: benchmark_line(info),
        notes: site.benchmarks.get(&info.identifier).map_or(&[], |record| &record.notes),
        chooses: rows.is_empty(),
        rows,
        ranking: super::index::ranking(report.leaderboard.ranking),
        legend: legend(&models(report), &places),
        depth: if deep { both(|width| depth::overview(lines, info, width)) } else { String::new() },
        spread: if dots.is_empty() { String::new() } else { both(|width| spread::strip(&dots, info, width)) },
        problems: problems(report).into_iter().filter(|p| p.benchmark == info.identifier).collect(),
        undefined: undefined(report).into_iter().filter(|p| p.benchmark == info.identifier).collect(),
        facts: facts(site, info),
    }
}
