//! The first page.

use askama::Template;

use super::board::{self, SiteHeading, SiteRow};
use super::{Files, Shell, Site};
use crate::report::page::{ScatterView, counts, scatter_view};
use crate::report::tables::{self, Highlight, MAX_PROBLEMS, Problem, breakable};
use crate::{BenchmarkInfo, Provenance, Ranking, Value};

#[derive(Template)]
#[template(path = "site/index.html")]
pub(super) struct Page<'a> {
    shell: Shell,
    summary: &'a str,
    counts: String,
    highlights: Vec<Highlight>,
    headings: Vec<SiteHeading>,
    opens: bool,
    rows: Vec<SiteRow>,
    has_top1: bool,
    ranking: &'static str,
    scatter: Option<ScatterView>,
    benchmarks: Vec<BenchmarkRow<'a>>,
    problems: Vec<Problem>,
    more_problems: usize,
    undefined: Vec<Problem>,
    more_undefined: usize,
    provenance: &'a [Provenance],
}

struct BenchmarkRow<'a> {
    info: &'a BenchmarkInfo,
    /// The identifier as markup.
    name: String,
    link: String,
    ceiling: String,
    leader: String,
    leader_link: String,
    score: String,
    sort: String,
}

fn benchmark_row<'a>(site: &'a Site, files: &Files, info: &'a BenchmarkInfo) -> BenchmarkRow<'a> {
    let board = &site.report.leaderboard;
    let column = board.columns.iter().position(|c| c.version.is_some() && c.identifier == info.identifier);
    let numbers = board.rows.iter().filter_map(|row| {
        let number = row.cells.get(column?)?.value.number()?;
        Some((number, row.model.as_str()))
    });
    let best = numbers.fold(None, |best: Option<(f64, &str)>, own| match best {
        Some(held) if held.0 >= own.0 => Some(held),
        _ => Some(own),
    });
    BenchmarkRow {
        info,
        name: breakable(&info.identifier),
        link: files.benchmarks.path(&info.identifier).to_owned(),
        ceiling: info.ceiling.map_or_else(String::new, |c| Value::of(c).to_string()),
        leader: best.map_or_else(String::new, |(_, model)| breakable(model)),
        leader_link: best.map_or_else(String::new, |(_, model)| files.models.path(model).to_owned()),
        score: best.map_or_else(String::new, |(number, _)| Value::Number(number).to_string()),
        sort: best.map_or_else(String::new, |(number, _)| number.to_string()),
    }
}

/// How ranks were given, in words.
pub(super) fn ranking(ranking: Ranking) -> &'static str {
    match ranking {
        Ranking::TwoDecimals => "values rounded to two decimals",
        Ranking::Exact => "exact values",
    }
}

pub(super) fn page<'a>(site: &'a Site, files: &Files) -> Page<'a> {
    let report = &site.report;
    let mut problems = tables::problems(report);
    let more_problems = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    let mut undefined = tables::undefined(report);
    let more_undefined = undefined.len().saturating_sub(MAX_PROBLEMS);
    undefined.truncate(MAX_PROBLEMS);
    let headings = board::headings(&report.leaderboard, files);
    Page {
        shell: Shell::new(report.title.clone(), ""),
        summary: report.summary.as_deref().unwrap_or_default(),
        counts: counts(report),
        highlights: tables::highlights(report),
        opens: headings.iter().any(|heading| heading.opens),
        headings,
        rows: board::rows(report, files),
        has_top1: !report.imagenet_top1.is_empty(),
        ranking: ranking(report.leaderboard.ranking),
        scatter: scatter_view(report),
        benchmarks: report.benchmarks.iter().map(|b| benchmark_row(site, files, b)).collect(),
        problems,
        more_problems,
        undefined,
        more_undefined,
        provenance: &report.provenance,
    }
}
