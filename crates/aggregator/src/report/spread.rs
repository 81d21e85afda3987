//! Values of the single splits of each model's reported layer.

use ventral_metrics::Score;

use super::chart::{Frame, Width, horizontal_axis, unit};
use super::scale::Scale;
use super::series::{look, models};
use super::svg::{Anchor, Svg, shorten};
use super::{BenchmarkInfo, Report};
use crate::Value;

/// The reported score of one model.
pub(crate) struct Dots<'a> {
    model: &'a str,
    layer: &'a str,
    place: usize,
    score: &'a Score,
}

/// Models whose reported layer has several splits, in the order of the leaderboard.
pub(crate) fn dots<'a>(report: &'a Report, benchmark: &BenchmarkInfo) -> Vec<Dots<'a>> {
    let of_model = |(place, model): (usize, &'a str)| {
        let selection = report.selections.iter().find(|s| {
            s.model == model
                && s.benchmark.identifier == benchmark.identifier
                && s.benchmark.version == benchmark.version
        })?;
        let layer = selection.layer_score()?;
        let score = layer.ceiled_score().filter(|s| s.per_split.len() > 1)?;
        Some(Dots { model, layer: &layer.layer, place, score })
    };
    models(report).into_iter().enumerate().filter_map(of_model).collect()
}

/// One row per model: a dot per split, the score as a bar, its standard error as a line.
pub(crate) fn strip(rows: &[Dots<'_>], benchmark: &BenchmarkInfo, width: Width) -> String {
    let units = width.units();
    let pitch = if width.is_narrow() { 44.0 } else { 30.0 };
    let left = if width.is_narrow() { 16.0 } else { 210.0 };
    let frame = Frame { left, right: units - 20.0, top: 8.0, bottom: 8.0 + pitch * rows.len() as f64 };
    let label = format!("{}: score of each split for {} models", benchmark.identifier, rows.len());
    let mut svg = Svg::new(units, frame.bottom + 48.0, width.class(), &label);
    let values = rows.iter().flat_map(|row| row.score.per_split.iter().copied().chain([row.score.value]));
    let scale = Scale::around(values, if width.is_narrow() { 4 } else { 7 }, frame.left, frame.right);
    horizontal_axis(&mut svg, &frame, &scale, &unit(benchmark));
    for (index, row) in rows.iter().enumerate() {
        let middle = frame.top + pitch * (index as f64 + if width.is_narrow() { 0.68 } else { 0.5 });
        if width.is_narrow() {
            svg.text("name", (0.0, middle - 14.0), Anchor::Start, &shorten(row.model, 40));
        } else {
            svg.text("name", (left - 14.0, middle + 4.0), Anchor::End, &shorten(row.model, 28));
        }
        svg.line("row", (frame.left, middle), (frame.right, middle));
        draw_row(&mut svg, row, &scale, middle);
    }
    svg.finish()
}

fn draw_row(svg: &mut Svg, row: &Dots<'_>, scale: &Scale, y: f64) {
    let look = look(row.place);
    svg.push(&format!(r#"<g class="s {}">"#, look.class));
    for (split, value) in row.score.per_split.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let title = format!("{}\n{}\nsplit {split}: {}", row.model, row.layer, Value::Number(*value));
        svg.marker("dot", 0, (scale.at(*value), y), 4.2, &title);
    }
    let Score { value, error, .. } = *row.score;
    if value.is_finite() {
        if error.is_finite() {
            svg.line("sem", (scale.at(value - error), y), (scale.at(value + error), y));
        }
        svg.line("mean", (scale.at(value), y - 9.0), (scale.at(value), y + 9.0));
    }
    svg.push("</g>");
}
