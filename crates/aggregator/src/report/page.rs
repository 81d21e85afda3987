//! The page, filled into its template.

use askama::Template;

use super::chart::Width;
use super::series::{legend, models};
use super::tables::{self, BoardRow, CostRow, Heading, Highlight, MAX_PROBLEMS, Problem};
use super::{BenchmarkInfo, Provenance, Report, depth, scatter, spread};
use crate::{Error, LayerScore, Ranking, Value};

/// Models of a benchmark that get a chart with named layers.
const MAX_DETAILED: usize = 24;
/// Layers of a benchmark that are drawn, those of the first models.
const MAX_DRAWN_LAYERS: usize = 400;
/// Best layers of a benchmark that are named.
const MAX_BEST: usize = 10;
/// Bytes of charts after which further benchmarks are not drawn: the page must open at once however large the job is.
const MAX_CHART_BYTES: usize = 1 << 20;
/// Cells of the leaderboard that are shown, those of the first models.
const MAX_CELLS: usize = 4_000;
/// Models that are shown on any leaderboard, and at most.
const ROWS: [usize; 2] = [20, 100];
/// Models of the chart of accuracies.
const MAX_POINTS: usize = 400;
/// Facts of the list of how the page was made.
const MAX_FACTS: usize = 500;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: &'a str,
    summary: &'a str,
    counts: String,
    highlights: Vec<Highlight>,
    headings: Vec<Heading>,
    rows: Vec<BoardRow>,
    more_rows: usize,
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
    more_facts: usize,
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
    best: Vec<Best<'a>>,
    details: Vec<Detail<'a>>,
    /// Models whose layers are not drawn.
    undrawn: usize,
}

/// A layer with one of the highest scores.
struct Best<'a> {
    model: &'a str,
    layer: &'a str,
    value: String,
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

/// The layers with the highest scores; of equal ones the first.
fn best<'a>(lines: &[depth::Line<'a>]) -> Vec<Best<'a>> {
    let layers = lines.iter().flat_map(|line| line.layers.iter().copied());
    let mut scored: Vec<_> = layers.filter_map(|layer| Some((layer.value().number()?, layer))).collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let row = |(value, layer): (f64, &'a LayerScore)| {
        let error = layer.ceiled_score().map(|score| score.error).filter(|error| error.is_finite());
        let error = error.map_or_else(String::new, |error| format!(" ± {}", Value::Number(error)));
        Best { model: &layer.model, layer: &layer.layer, value: format!("{}{error}", Value::Number(value)) }
    };
    scored.into_iter().take(MAX_BEST).map(row).collect()
}

/// How many of the first lines have `MAX_DRAWN_LAYERS` layers together; at least one.
fn drawable(lines: &[depth::Line<'_>]) -> usize {
    let mut layers = 0;
    let fits = |line: &&depth::Line<'_>| {
        layers += line.layers.len();
        layers <= MAX_DRAWN_LAYERS
    };
    lines.iter().take_while(fits).count().max(1).min(lines.len())
}

/// `drawn` is false for a benchmark that gets no charts.
fn benchmark_view<'a>(report: &'a Report, benchmark: &'a BenchmarkInfo, drawn: bool) -> BenchmarkView<'a> {
    let all = depth::lines(report, benchmark);
    let best = best(&all);
    let lines = if drawn { &all[..drawable(&all)] } else { &[] };
    let dots = if drawn { spread::dots(report, benchmark) } else { Vec::new() };
    let dots = &dots[..dots.len().min(MAX_DETAILED)];
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
        depth: if deep { both(|w| depth::overview(lines, benchmark, w)) } else { String::new() },
        spread: if dots.is_empty() { String::new() } else { both(|w| spread::strip(dots, benchmark, w)) },
        // Where all layers fit among the best, the charts say no more.
        best: if all.iter().map(|line| line.layers.len()).sum::<usize>() > MAX_BEST {
            best
        } else {
            Vec::new()
        },
        details: lines.iter().filter(|_| deep).take(MAX_DETAILED).map(detail).collect(),
        undrawn: all.len() - lines.len(),
    }
}

impl BenchmarkView<'_> {
    fn chart_bytes(&self) -> usize {
        let details: usize = self.details.iter().map(|detail| detail.chart.len()).sum();
        self.legend.len() + self.depth.len() + self.spread.len() + details
    }
}

/// Benchmarks grouped by region, in the order of first appearance.
fn regions(report: &Report) -> Vec<RegionView<'_>> {
    let mut regions: Vec<RegionView<'_>> = Vec::new();
    let mut bytes = 0;
    for benchmark in &report.benchmarks {
        let view = benchmark_view(report, benchmark, bytes < MAX_CHART_BYTES);
        bytes += view.chart_bytes();
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
    let drawn = &points[..points.len().min(MAX_POINTS)];
    // With two points there is nothing to see but a line.
    (points.len() > 2).then(|| ScatterView {
        chart: both(|width| scatter::plot(drawn, width)),
        legend: legend(&models(report), &scatter::places(drawn)),
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
    let (headings, mut rows) = tables::board(report);
    let shown = (MAX_CELLS / headings.len().max(1)).clamp(ROWS[0], ROWS[1]);
    let more_rows = rows.len().saturating_sub(shown);
    rows.truncate(shown);
    let facts = report.provenance.len().min(MAX_FACTS);
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
        more_rows,
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
        provenance: &report.provenance[..facts],
        more_facts: report.provenance.len() - facts,
        style: include_str!("../../templates/report.css"),
        script: include_str!("../../templates/report.js"),
    };
    Ok(page.render()?)
}
