//! The page of a model.

use std::collections::BTreeMap;

use askama::Template;

use super::board::{ColumnRanks, top1};
use super::{Files, Shell, Site};
use crate::report::depth::{self, Line};
use crate::report::page::both;
use crate::report::tables::{Problem, breakable, exact_and_note, problems, reason_of_choice, undefined};
use crate::undefined::marked;
use crate::{BenchmarkInfo, Cell, Column, LayerScore, Provenance, Row, Value};

/// Benchmarks whose curve is drawn, and that are columns of the table of layers; the exported tables have all.
const MAX_CURVES: usize = 32;

#[derive(Template)]
#[template(path = "site/model.html")]
pub(super) struct Page {
    shell: Shell,
    /// The name as markup.
    name: String,
    facts: Vec<Provenance>,
    nodes: Vec<NodeRow>,
    commitments: Vec<CommitmentRow>,
    curves: Vec<Curve>,
    more_curves: usize,
    layer_columns: Vec<String>,
    layers: Vec<LayerRow>,
    problems: Vec<Problem>,
    undefined: Vec<Problem>,
    provenance: Vec<Provenance>,
}

/// A node of the tree with what the model reached there.
struct NodeRow {
    name: String,
    link: Option<String>,
    depth: usize,
    value: String,
    error: String,
    hint: String,
    raw: String,
    rank: String,
    class: &'static str,
    layer: String,
    chosen: String,
}

/// The layer that stands for a region.
struct CommitmentRow {
    region: String,
    layer: String,
    why: String,
}

struct Curve {
    name: String,
    link: String,
    chart: String,
}

struct LayerRow {
    name: String,
    depth: usize,
    features: String,
    /// What is shown and what is sorted by.
    values: Vec<(String, String)>,
}

fn node_row(column: &Column, cell: &Cell, rank: String, files: &Files) -> NodeRow {
    let is_benchmark = column.version.is_some();
    let version = column.version.as_ref().map_or_else(String::new, |v| format!(" v{v}"));
    NodeRow {
        name: match is_benchmark {
            true => format!("{}{version}", column.identifier),
            false => column.identifier.replace('_', " "),
        },
        link: Some(column)
            .filter(|c| is_benchmark && files.benchmarks.has(&c.identifier))
            .map(|c| files.benchmarks.path(&c.identifier).to_owned()),
        depth: column.depth.min(4),
        value: cell.text(),
        error: match (cell.error, cell.value.number()) {
            (Some(error), Some(_)) if is_benchmark => format!("±{}", Value::Number(error)),
            _ => String::new(),
        },
        hint: match &cell.value {
            Value::Missing => "not run".to_owned(),
            Value::Failed { reason } => format!("failed: {reason}"),
            Value::Number(number) => exact_and_note(*number, cell.note.as_ref()),
        },
        raw: cell.raw.map_or_else(String::new, |raw| Value::of(raw).to_string()),
        rank,
        class: match cell.value {
            Value::Missing => "missing",
            Value::Failed { .. } => "fail",
            Value::Number(_) => "",
        },
        layer: cell.layer.clone().filter(|_| is_benchmark).unwrap_or_default(),
        chosen: reason_of_choice(cell.chosen_by.as_ref().filter(|_| is_benchmark && cell.layer.is_some())),
    }
}

fn nodes(site: &Site, files: &Files, (place, row): (usize, &Row), ranks: &[ColumnRanks]) -> Vec<NodeRow> {
    let columns = site.report.leaderboard.columns.iter().zip(&row.cells).zip(ranks);
    columns
        .map(|((column, cell), ranks)| {
            let rank = ranks.ranks.get(place).copied().flatten();
            let rank = rank.map_or_else(String::new, |rank| format!("{rank} of {}", ranks.of));
            node_row(column, cell, rank, files)
        })
        .collect()
}

/// Regions with the layers reported for them, in the order of the tree.
fn commitments(site: &Site, model: &str) -> Vec<CommitmentRow> {
    let stated = site.models.get(model).map(|record| &record.commitments);
    let mut rows: Vec<CommitmentRow> = Vec::new();
    for selection in site.report.selections.iter().filter(|s| s.model == model) {
        let layer = selection.layer.clone().unwrap_or_else(|| "none".to_owned());
        let why = match &selection.layer {
            Some(_) => reason_of_choice(Some(&selection.chosen_by)),
            None => "no layer has a score to choose by".to_owned(),
        };
        let known =
            |row: &CommitmentRow| row.region == selection.region && row.layer == layer && row.why == why;
        if !rows.iter().any(known) {
            rows.push(CommitmentRow { region: selection.region.clone(), layer, why });
        }
    }
    for (region, layer) in stated.into_iter().flatten() {
        if !rows.iter().any(|row| row.region == *region) {
            let why = "layer committed to by the model's card; the region was not scored".to_owned();
            rows.push(CommitmentRow { region: region.clone(), layer: layer.clone(), why });
        }
    }
    rows
}

fn curves(files: &Files, own: &[(&BenchmarkInfo, &Line<'_>)]) -> Vec<Curve> {
    // A single layer is no line along the depth.
    let deep = own.iter().filter(|(_, line)| line.layers.len() > 1);
    deep.map(|(benchmark, line)| Curve {
        name: benchmark.identifier.clone(),
        link: files.benchmarks.path(&benchmark.identifier).to_owned(),
        chart: both(|width| depth::single(line, benchmark, width)),
    })
    .take(MAX_CURVES)
    .collect()
}

fn layer_rows(site: &Site, model: &str, own: &[(&BenchmarkInfo, &Line<'_>)]) -> Vec<LayerRow> {
    let mut layers: BTreeMap<usize, (&str, BTreeMap<usize, &LayerScore>)> = BTreeMap::new();
    for (column, (_, line)) in own.iter().enumerate().take(MAX_CURVES) {
        for layer in &line.layers {
            let entry = layers.entry(layer.depth_index).or_insert((&layer.layer, BTreeMap::new()));
            entry.1.insert(column, layer);
        }
    }
    let features = site.models.get(model).map(|record| &record.features);
    let value = |score: Option<&&LayerScore>| match score.map(|score| (score.value(), score.note())) {
        Some((value, note)) => {
            let sort = value.number().map_or_else(String::new, |number| number.to_string());
            (marked(&value, note.as_ref()), sort)
        }
        None => (String::new(), String::new()),
    };
    let columns = own.len().min(MAX_CURVES);
    layers
        .into_iter()
        .map(|(depth, (name, scores))| LayerRow {
            name: name.to_owned(),
            depth,
            features: features.and_then(|f| f.get(name)).map_or_else(String::new, u64::to_string),
            values: (0..columns).map(|column| value(scores.get(&column))).collect(),
        })
        .collect()
}

fn facts(site: &Site, row: &Row, ranks: &[ColumnRanks]) -> Vec<Provenance> {
    let of = ranks.first().map_or(0, |ranks| ranks.of);
    let record = site.models.get(&row.model);
    let known = [
        ("brain score", Some(row.brain_score().to_string()).filter(|text| !text.is_empty())),
        ("rank", row.rank.map(|rank| format!("{rank} of {of}"))),
        ("ImageNet top-1", top1(&site.report, &row.model).map(|percent| format!("{percent:.1} %"))),
        ("input", record.and_then(|r| r.degrees).map(|degrees| format!("{degrees}°"))),
        ("layers", record.map(|r| r.features.len().to_string()).filter(|count| count != "0")),
    ];
    let fact =
        |(name, value): (&str, Option<String>)| Some(Provenance { name: name.to_owned(), value: value? });
    known.into_iter().filter_map(fact).collect()
}

fn provenance(site: &Site, model: &str) -> Vec<Provenance> {
    let fact = |name: String, value: String| Provenance { name, value };
    let mut facts = Vec::new();
    if let Some(digest) = site.models.get(model).and_then(|record| record.digest.clone()) {
        facts.push(fact("model, with preprocessing".to_owned(), digest));
    }
    for result in site.results.iter().filter(|result| result.model == model) {
        facts
            .push(fact(format!("scores of {} on {}", result.layer, result.benchmark), result.scores.clone()));
        let gram =
            fact(format!("Gram matrix of {} for {}", result.layer, result.benchmark), result.gram.clone());
        if !facts.iter().any(|known| known.value == gram.value) {
            facts.push(gram);
        }
    }
    facts.extend(site.report.provenance.iter().cloned());
    facts
}

pub(super) fn page(
    site: &Site,
    files: &Files,
    (place, row): (usize, &Row),
    lines: &[Vec<Line<'_>>],
    ranks: &[ColumnRanks],
) -> Page {
    let report = &site.report;
    let own: Vec<(&BenchmarkInfo, &Line<'_>)> = report
        .benchmarks
        .iter()
        .zip(lines)
        .filter_map(|(benchmark, lines)| {
            Some((benchmark, lines.iter().find(|line| line.model == row.model)?))
        })
        .collect();
    Page {
        shell: Shell::new(format!("{} · {}", row.model, report.title), "../"),
        name: breakable(&row.model),
        facts: facts(site, row, ranks),
        nodes: nodes(site, files, (place, row), ranks),
        commitments: commitments(site, &row.model),
        curves: curves(files, &own),
        more_curves: own.len().saturating_sub(MAX_CURVES),
        layer_columns: own.iter().take(MAX_CURVES).map(|(b, _)| b.identifier.clone()).collect(),
        layers: layer_rows(site, &row.model, &own),
        problems: problems(report).into_iter().filter(|problem| problem.model == row.model).collect(),
        undefined: undefined(report).into_iter().filter(|problem| problem.model == row.model).collect(),
        provenance: provenance(site, &row.model),
    }
}
