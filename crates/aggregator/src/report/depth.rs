//! Score along the depth of the networks.

use std::collections::HashMap;

use ventral_metrics::CeilingRule;

use super::chart::{Frame, Width, ceiling_line, unit, vertical_axis};
use super::scale::Scale;
use super::series::{look, models};
use super::svg::{Anchor, Svg, shorten};
use super::{BenchmarkInfo, Report};
use crate::{LayerScore, Selection, Value};

/// Longest label of a layer on an axis, in characters.
const LAYER_LABEL: usize = 22;
/// Width of a character of an axis label, in user units.
const CHARACTER: f64 = 6.1;
/// Closest that turned labels may follow each other, in user units.
const LABEL_PITCH: f64 = 17.0;

/// The layers of one model on one benchmark, along the depth.
pub(crate) struct Line<'a> {
    pub(crate) model: &'a str,
    /// Place on the leaderboard.
    pub(crate) place: usize,
    pub(crate) layers: Vec<&'a LayerScore>,
    /// Depth of the model's last layer.
    last: usize,
    chosen: Option<&'a str>,
}

impl Line<'_> {
    /// 0 for the first layer of the model, 1 for the last.
    fn relative_depth(&self, layer: &LayerScore) -> f64 {
        layer.depth_index as f64 / self.last.max(1) as f64
    }

    fn is_chosen(&self, layer: &LayerScore) -> bool {
        self.chosen == Some(layer.layer.as_str())
    }
}

/// One line per model that has a layer on the benchmark, in the order of the leaderboard.
pub(crate) fn lines<'a>(report: &'a Report, benchmark: &BenchmarkInfo) -> Vec<Line<'a>> {
    let names = models(report);
    let places: HashMap<&str, usize> = names.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let mut lines: Vec<Line<'a>> = names
        .into_iter()
        .enumerate()
        .map(|(place, model)| Line { model, place, layers: Vec::new(), last: 0, chosen: None })
        .collect();
    let place = |model: &str| places.get(model).copied().unwrap_or(usize::MAX);
    for layer in &report.layers {
        let Some(line) = lines.get_mut(place(&layer.model)) else { continue };
        line.last = line.last.max(layer.depth_index);
        if layer.benchmark == benchmark.identifier && layer.version == benchmark.version {
            line.layers.push(layer);
        }
    }
    let here = |s: &&Selection| {
        s.benchmark.identifier == benchmark.identifier && s.benchmark.version == benchmark.version
    };
    // The first selection of a model counts, so it is set last.
    for selection in report.selections.iter().rev().filter(here) {
        let Some(line) = lines.get_mut(place(&selection.model)) else { continue };
        line.chosen = selection.layer.as_deref();
    }
    lines.retain(|line| !line.layers.is_empty());
    for line in &mut lines {
        line.layers.sort_by_key(|layer| layer.depth_index);
    }
    lines
}

fn title(layer: &LayerScore, with_model: bool, chosen: bool) -> String {
    let value = match layer.value() {
        Value::Failed { reason } => format!("failed: {reason}"),
        value => value.to_string(),
    };
    let error = layer.ceiled_score().map(|s| s.error).filter(|e| e.is_finite());
    let error = error.map_or_else(String::new, |e| format!(" ± {}", Value::Number(e)));
    let model = if with_model { format!("{}\n", layer.model) } else { String::new() };
    let chosen = if chosen { "\nreported layer" } else { "" };
    format!("{model}{}\n{value}{error}{chosen}", layer.layer)
}

/// Ends of what the vertical axis must show: all scores with error bars, zero, and the ceiling.
fn extent<'a>(lines: &'a [Line<'a>], benchmark: &BenchmarkInfo) -> impl Iterator<Item = f64> + 'a {
    let scores = lines.iter().flat_map(|line| &line.layers).filter_map(|layer| layer.ceiled_score());
    let ends = scores.flat_map(|s| {
        let error = if s.error.is_finite() { s.error } else { 0.0 };
        [s.value - error, s.value + error]
    });
    // A tiny negative error bar must not open a whole step below zero.
    let ends = ends.map(|v| if (-0.02..0.0).contains(&v) { 0.0 } else { v });
    ends.chain(ceiling_line(benchmark)).chain([0.0])
}

/// The name of the ceiling's line, above everything else and on the left, where layers score low.
fn ceiling_name(svg: &mut Svg, frame: &Frame, scale: &Scale, benchmark: &BenchmarkInfo) {
    let Some(value) = ceiling_line(benchmark) else { return };
    let name = match benchmark.ceiling.filter(|_| benchmark.rule != CeilingRule::Raw) {
        Some(c) => format!("ceiling (c = {})", Value::Number(c)),
        None => format!("ceiling {}", Value::Number(value)),
    };
    svg.text("remark", (frame.left + 4.0, scale.at(value) - 6.0), Anchor::Start, &name);
}

fn ceiling(svg: &mut Svg, frame: &Frame, scale: &Scale, benchmark: &BenchmarkInfo) {
    if let Some(value) = ceiling_line(benchmark) {
        let y = scale.at(value);
        svg.line("ceiling", (frame.left, y), (frame.right, y));
    }
}

/// Runs of neighbouring layers that have a score.
fn runs<'a>(line: &'a Line<'a>) -> Vec<Vec<(&'a LayerScore, f64)>> {
    let mut runs = vec![Vec::new()];
    for layer in &line.layers {
        match (layer.value().number(), runs.last_mut()) {
            (Some(value), Some(run)) => run.push((*layer, value)),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn draw_line(
    svg: &mut Svg,
    line: &Line<'_>,
    frame: &Frame,
    scale: &Scale,
    x: &dyn Fn(&LayerScore) -> f64,
    radius: f64,
    with_errors: bool,
) {
    let look = look(line.place);
    svg.push(&format!(r#"<g class="s {}">"#, look.class));
    for run in runs(line) {
        let points: Vec<(f64, f64)> = run.iter().map(|(layer, value)| (x(layer), scale.at(*value))).collect();
        svg.polyline("ln", &points);
    }
    for layer in &line.layers {
        let chosen = line.is_chosen(layer);
        let title = title(layer, true, chosen);
        let Some(value) = layer.value().number() else {
            svg.marker("failed", 3, (x(layer), frame.bottom), 3.5, &title);
            continue;
        };
        let at = (x(layer), scale.at(value));
        let error =
            layer.ceiled_score().map(|s| s.error).filter(|e| e.is_finite() && (chosen || with_errors));
        if let Some(error) = error {
            svg.line("error", (at.0, scale.at(value - error)), (at.0, scale.at(value + error)));
        }
        if chosen {
            svg.marker("mk chosen", look.shape, at, radius + 3.0, &title);
        } else {
            svg.marker("mk", look.shape, at, radius, &title);
        }
    }
    svg.push("</g>");
}

/// All models of a benchmark over relative depth.
pub(crate) fn overview(lines: &[Line<'_>], benchmark: &BenchmarkInfo, width: Width) -> String {
    let units = width.units();
    let height = if width.is_narrow() { 320.0 } else { 400.0 };
    let frame = Frame { left: 52.0, right: units - 14.0, top: 22.0, bottom: height - 50.0 };
    let label =
        format!("{}: score of each layer along the depth of {} models", benchmark.identifier, lines.len());
    let mut svg = Svg::new(units, height, width.class(), &label);
    let scale = Scale::around(extent(lines, benchmark), 5, frame.bottom, frame.top);
    vertical_axis(&mut svg, &frame, &scale, &unit(benchmark));
    let depth = Scale::around([0.0, 1.0].into_iter(), 5, frame.left + 14.0, frame.right - 14.0);
    for (value, _) in depth.ticks() {
        svg.text(
            "tick",
            (depth.at(value), frame.bottom + 18.0),
            Anchor::Middle,
            &format!("{:.0}%", 100.0 * value),
        );
    }
    svg.text(
        "axis",
        (frame.middle().0, frame.bottom + 38.0),
        Anchor::Middle,
        "relative depth, first to last layer",
    );
    svg.line("base", (frame.left, frame.bottom), (frame.right, frame.bottom));
    ceiling(&mut svg, &frame, &scale, benchmark);
    let radius = if width.is_narrow() { 2.2 } else { 2.8 };
    // The best model is drawn last, on top.
    for line in lines.iter().rev() {
        let x = |layer: &LayerScore| depth.at(line.relative_depth(layer));
        draw_line(&mut svg, line, &frame, &scale, &x, radius, false);
    }
    ceiling_name(&mut svg, &frame, &scale, benchmark);
    svg.finish()
}

/// Every how many layers are named, so that labels keep their distance.
fn label_stride(layers: usize, width: f64) -> usize {
    let pitch = width / layers.max(1) as f64;
    (LABEL_PITCH / pitch).ceil().max(1.0) as usize
}

/// One model with the names of its layers.
pub(crate) fn single(line: &Line<'_>, benchmark: &BenchmarkInfo, width: Width) -> String {
    let units = width.units();
    let limit = if width.is_narrow() { 16 } else { LAYER_LABEL };
    let longest = line.layers.iter().map(|l| shorten(&l.layer, limit).chars().count()).max().unwrap_or(0);
    let frame = Frame { left: 52.0, right: units - 14.0, top: 22.0, bottom: 250.0 };
    let height = frame.bottom + 22.0 + longest as f64 * CHARACTER * 0.72;
    let label =
        format!("{} on {}: score of each of {} layers", line.model, benchmark.identifier, line.layers.len());
    let mut svg = Svg::new(units, height, width.class(), &label);
    let scale = Scale::around(extent(std::slice::from_ref(line), benchmark), 5, frame.bottom, frame.top);
    vertical_axis(&mut svg, &frame, &scale, &unit(benchmark));
    svg.line("base", (frame.left, frame.bottom), (frame.right, frame.bottom));
    ceiling(&mut svg, &frame, &scale, benchmark);
    let pitch = (frame.right - frame.left) / line.layers.len().max(1) as f64;
    let place = |layer: &LayerScore| line.layers.iter().position(|l| std::ptr::eq(*l, layer)).unwrap_or(0);
    let x = |layer: &LayerScore| frame.left + (place(layer) as f64 + 0.5) * pitch;
    let stride = label_stride(line.layers.len(), frame.right - frame.left);
    let chosen = line.layers.iter().position(|layer| line.is_chosen(layer));
    for (index, layer) in line.layers.iter().enumerate() {
        // The reported layer is always named, and pushes aside the neighbours that would touch its name.
        let crowded = chosen.is_some_and(|c| c != index && c.abs_diff(index) < stride);
        let is_chosen = chosen == Some(index);
        if is_chosen || (index % stride == 0 && !crowded) {
            let class = if is_chosen { "tick strong" } else { "tick" };
            let at = (x(layer), frame.bottom);
            // A turned name near the left edge has less room.
            let room = (at.0 / (CHARACTER * 0.76)) as usize;
            svg.line("base", at, (at.0, at.1 + 4.0));
            let name = shorten(&layer.layer, limit.min(room));
            svg.text_turned(class, (at.0 + 3.0, at.1 + 14.0), Anchor::End, -45, &name);
        }
    }
    draw_line(&mut svg, line, &frame, &scale, &x, (0.4 * pitch).clamp(1.6, 3.2), true);
    ceiling_name(&mut svg, &frame, &scale, benchmark);
    svg.finish()
}
