//! The page, filled into its template.

use askama::Template;

use super::chart::Width;
use super::series::{legend, models};
use super::tables::{self, BoardRow, CostRow, Heading, Highlight, MAX_PROBLEMS, Problem};
use super::{BenchmarkInfo, Provenance, Report, depth, scatter, spread};
use crate::{Error, Ranking};

/// Models of a benchmark that get a chart with named layers; the tables have all.
const MAX_DETAILED: usize = 24;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: &'a str,
    summary: &'a str,
    counts: String,
    highlights: Vec<Highlight>,
    headings: Vec<Heading>,
    rows: Vec<BoardRow>,
    ranking: &'static str,
    regions: Vec<RegionView<'a>>,
    scatter: Option<ScatterView>,
    problems: Vec<Problem>,
    more_problems: usize,
    undefined: Vec<Problem>,
    more_undefined: usize,
    costs: Vec<CostRow>,
    benchmarks: &'a [BenchmarkInfo],
    provenance: &'a [Provenance],
    style: &'static str,
    script: &'static str,
}

struct RegionView<'a> {
    name: &'a str,
    anchor: String,
    benchmarks: Vec<BenchmarkView<'a>>,
}

struct BenchmarkView<'a> {
    name: &'a str,
    line: String,
    legend: String,
    depth: String,
    spread: String,
    details: Vec<Detail<'a>>,
    more_models: usize,
}

struct Detail<'a> {
    model: &'a str,
    chart: String,
}

pub(crate) struct ScatterView {
    pub(crate) chart: String,
    pub(crate) legend: String,
    pub(crate) correlation: String,
}

/// A chart in all its widths.
pub(crate) fn both(draw: impl Fn(Width) -> String) -> String {
    Width::BOTH.map(draw).concat()
}

fn benchmark_view<'a>(report: &'a Report, benchmark: &'a BenchmarkInfo) -> BenchmarkView<'a> {
    let lines = depth::lines(report, benchmark);
    let dots = spread::dots(report, benchmark);
    let places: Vec<usize> = lines.iter().map(|line| line.place).collect();
    let detail = |line: &depth::Line<'a>| Detail {
        model: line.model,
        chart: both(|w| depth::single(line, benchmark, w)),
    };
    // A single layer is no line along the depth.
    let deep = lines.iter().any(|line| line.layers.len() > 1);
    BenchmarkView {
        name: &benchmark.identifier,
        line: tables::benchmark_line(benchmark),
        legend: legend(&models(report), &places),
        depth: if deep { both(|w| depth::overview(&lines, benchmark, w)) } else { String::new() },
        spread: if dots.is_empty() { String::new() } else { both(|w| spread::strip(&dots, benchmark, w)) },
        details: lines.iter().filter(|_| deep).take(MAX_DETAILED).map(detail).collect(),
        more_models: lines.len().saturating_sub(MAX_DETAILED),
    }
}

/// Benchmarks grouped by region, in the order of first appearance.
fn regions(report: &Report) -> Vec<RegionView<'_>> {
    let mut regions: Vec<RegionView<'_>> = Vec::new();
    for benchmark in &report.benchmarks {
        let view = benchmark_view(report, benchmark);
        match regions.iter_mut().find(|region| region.name == benchmark.region) {
            Some(region) => region.benchmarks.push(view),
            None => regions.push(RegionView {
                name: &benchmark.region,
                anchor: format!("region-{}", regions.len()),
                benchmarks: vec![view],
            }),
        }
    }
    regions
}

pub(crate) fn scatter_view(report: &Report) -> Option<ScatterView> {
    let points = scatter::points(report);
    // With two points there is nothing to see but a line.
    (points.len() > 2).then(|| ScatterView {
        chart: both(|width| scatter::plot(&points, width)),
        legend: legend(&models(report), &scatter::places(&points)),
        correlation: scatter::correlation(&points).unwrap_or_default(),
    })
}

pub(crate) fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

pub(crate) fn counts(report: &Report) -> String {
    let scored = report.layers.iter().filter(|layer| layer.value().number().is_some()).count();
    let failed = report.layers.len() - scored;
    let mut parts = vec![
        counted(report.leaderboard.rows.len(), "model"),
        counted(report.benchmarks.len(), "benchmark"),
        counted(scored, "layer score"),
    ];
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    parts.join(" · ")
}

pub(crate) fn render(report: &Report) -> Result<String, Error> {
    let (headings, rows) = tables::board(report);
    let mut problems = tables::problems(report);
    let more_problems = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    let mut undefined = tables::undefined(report);
    let more_undefined = undefined.len().saturating_sub(MAX_PROBLEMS);
    undefined.truncate(MAX_PROBLEMS);
    let page = Page {
        title: &report.title,
        summary: report.summary.as_deref().unwrap_or_default(),
        counts: counts(report),
        highlights: tables::highlights(report),
        headings,
        rows,
        ranking: match report.leaderboard.ranking {
            Ranking::TwoDecimals => "values rounded to two decimals",
            Ranking::Exact => "exact values",
        },
        regions: regions(report),
        scatter: scatter_view(report),
        problems,
        more_problems,
        undefined,
        more_undefined,
        costs: tables::costs(&report.costs),
        benchmarks: &report.benchmarks,
        provenance: &report.provenance,
        style: include_str!("../../templates/report.css"),
        script: include_str!("../../templates/report.js"),
    };
    Ok(page.render()?)
}
