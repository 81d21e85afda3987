//! The comparison as one figure: overlap of the layers' maps with each set, and agreement of the sets.

use ventral_searchlight::layermap::{Benchmark, OverlapTable, PairedDifference};

use super::{Contrast, Level};
use crate::picture::palette::{hex, layer_colours};
use crate::picture::two;
use crate::report::chart::{Frame, Width, vertical_axis};
use crate::report::scale::Scale;
use crate::report::svg::{Anchor, Svg, standalone};

/// Distance from the top of a panel to its plot, and from its plot to its end.
const ABOVE: f64 = 34.0;
const BELOW: f64 = 66.0;
const PLOT: f64 = 230.0;

/// One column of the first panel.
struct Column<'a> {
    class: &'static str,
    names: [&'a str; 2],
    table: &'a OverlapTable,
}

/// The figure of the first level; empty without one.
pub(crate) fn figure(contrast: &Contrast, width: Width) -> String {
    let Some(level) = contrast.main() else { return String::new() };
    let columns = columns(contrast, level);
    let units = width.units();
    let agreement = level.agreement.as_ref();
    let rows = if width.is_narrow() && agreement.is_some() { 2.0 } else { 1.0 };
    let height = rows * (ABOVE + PLOT + BELOW);
    let label = format!("Overlap of the layers' maps with synthesised and natural images, {}", level.name);
    let mut svg = Svg::new(units, height, width.class(), &label);
    let [first, second, third] = frames(width, agreement.is_some());
    overlap(&mut svg, &first, &columns);
    if let (Some(found), Some(method)) = (agreement, contrast.method) {
        let panels = [
            (&second, "agreement, Dice index", Pairs::of(found, true)),
            (&third, "agreement, correlation", Pairs::of(found, false)),
        ];
        for (frame, title, pairs) in panels {
            agree(&mut svg, frame, title, method, &pairs, &contrast.layers);
        }
    }
    svg.finish()
}

/// The wide figure as a file of its own.
pub(crate) fn file(contrast: &Contrast) -> String {
    standalone(&figure(contrast, Width::Wide))
}

fn columns<'a>(contrast: &Contrast, level: &'a Level) -> Vec<Column<'a>> {
    let mut columns = vec![
        Column { class: "s2", names: ["synthesised", "raw"], table: &level.synthesised },
        Column { class: "s1", names: ["natural", "raw"], table: &level.natural },
    ];
    let residual = level.residual.as_ref().zip(contrast.method);
    columns.extend(residual.map(|(table, method)| Column { class: "s0", names: ["natural", method], table }));
    columns
}

fn frames(width: Width, all: bool) -> [Frame; 3] {
    let frame = |left: f64, right: f64, top: f64| Frame { left, right, top, bottom: top + PLOT };
    let units = width.units();
    match (width, all) {
        (Width::Wide, true) => {
            [frame(54.0, 400.0, ABOVE), frame(478.0, 640.0, ABOVE), frame(718.0, units - 12.0, ABOVE)]
        }
        (Width::Narrow, _) => {
            let below = 2.0 * ABOVE + PLOT + BELOW;
            [frame(48.0, units - 6.0, ABOVE), frame(42.0, 166.0, below), frame(222.0, units - 14.0, below)]
        }
        (Width::Wide, false) => [frame(54.0, 400.0, ABOVE); 3],
    }
}

/// The Dice index of each pair of layers as a dot, the mean as a bar with its number.
fn overlap(svg: &mut Svg, frame: &Frame, columns: &[Column<'_>]) {
    svg.text("strong", (frame.left, frame.top - 16.0), Anchor::Start, "Overlap of pairs of layers");
    let values: Vec<Vec<f64>> = columns.iter().map(|column| upper(column.table)).collect();
    let scale = Scale::around(values.iter().flatten().copied().chain([0.0]), 5, frame.bottom, frame.top);
    vertical_axis(svg, frame, &scale, "Dice index");
    svg.line("base", (frame.left, frame.bottom), (frame.right, frame.bottom));
    let pitch = (frame.right - frame.left) / columns.len() as f64;
    for (index, (column, values)) in columns.iter().zip(&values).enumerate() {
        let middle = frame.left + pitch * (index as f64 + 0.5);
        svg.push(&format!(r#"<g class="s {}">"#, column.class));
        for (pair, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            // Side by side rather than on top of each other: steps of the golden section fill the width evenly.
            let share = (pair as f64 * 0.618_034).fract() - 0.5;
            let at = (middle - 8.0 + share * 0.42 * pitch, scale.at(*value));
            svg.marker(
                "dot",
                0,
                at,
                3.6,
                &format!("{}, {}: {}", column.names[0], column.names[1], two(*value)),
            );
        }
        let mean = column.table.mean_dice;
        if mean.is_finite() {
            let y = scale.at(mean);
            svg.line("mean", (middle - 8.0 - 0.25 * pitch, y), (middle - 8.0 + 0.25 * pitch, y));
        }
        svg.push("</g>");
        if mean.is_finite() {
            svg.text(
                "strong",
                (middle - 2.0 + 0.25 * pitch, (scale.at(mean) + 4.0).min(frame.bottom - 6.0)),
                Anchor::Start,
                &two(mean),
            );
        }
        two_lines(svg, (middle, frame.bottom), column.names);
    }
}

/// Of pairs of different layers.
fn upper(table: &OverlapTable) -> Vec<f64> {
    let layers = table.sizes.len();
    (0..layers).flat_map(|i| (i + 1..layers).map(move |j| (i, j))).map(|(i, j)| table.dice[[i, j]]).collect()
}

fn two_lines(svg: &mut Svg, (x, y): (f64, f64), [first, second]: [&str; 2]) {
    svg.text("name", (x, y + 18.0), Anchor::Middle, first);
    svg.text("tick", (x, y + 33.0), Anchor::Middle, second);
}

/// Agreement of each layer before and after.
struct Pairs<'a> {
    raw: &'a [f64],
    residual: &'a [f64],
    difference: PairedDifference,
}

impl<'a> Pairs<'a> {
    fn of(found: &'a Benchmark, dice: bool) -> Self {
        if dice {
            Self { raw: &found.raw.dice, residual: &found.residual.dice, difference: found.dice }
        } else {
            Self {
                raw: &found.raw.correlation,
                residual: &found.residual.correlation,
                difference: found.correlation,
            }
        }
    }
}

/// A line per layer from raw to residual, and the mean.
fn agree(svg: &mut Svg, frame: &Frame, title: &str, method: &str, pairs: &Pairs<'_>, layers: &[String]) {
    svg.text("strong", (frame.left - 30.0, frame.top - 16.0), Anchor::Start, &first_upper(title));
    let all = pairs.raw.iter().chain(pairs.residual).copied();
    let scale = Scale::around(all.chain([0.0]), 5, frame.bottom, frame.top);
    vertical_axis(svg, frame, &scale, "");
    svg.line("base", (frame.left, frame.bottom), (frame.right, frame.bottom));
    let span = frame.right - frame.left;
    let [from, to] = [frame.left + 0.25 * span, frame.right - 0.25 * span];
    let colours = layer_colours(layers.len());
    for (((&raw, &residual), layer), colour) in pairs.raw.iter().zip(pairs.residual).zip(layers).zip(colours)
    {
        if !(raw.is_finite() && residual.is_finite()) {
            continue;
        }
        let title = format!("{}: {} to {}", crate::report::svg::escape(layer), two(raw), two(residual));
        svg.push(&format!(
            r#"<g><title>{title}</title><line class="pair" stroke="{0}" x1="{from:.1}" y1="{1:.1}" x2="{to:.1}" y2="{2:.1}"/><circle fill="{0}" cx="{from:.1}" cy="{1:.1}" r="3.2"/><circle fill="{0}" cx="{to:.1}" cy="{2:.1}" r="3.2"/></g>"#,
            hex(colour),
            scale.at(raw),
            scale.at(residual)
        ));
    }
    for (x, anchor, side, values) in
        [(from, Anchor::End, -1.0, pairs.raw), (to, Anchor::Start, 1.0, pairs.residual)]
    {
        let mean = mean(values);
        if mean.is_finite() {
            let y = scale.at(mean);
            svg.line("middle", (x - 9.0, y), (x + 9.0, y));
            svg.text("strong", (x + side * 12.0, y + 4.0), anchor, &two(mean));
        }
    }
    two_lines(svg, (from - 4.0, frame.bottom), ["natural", "raw"]);
    two_lines(svg, (to + 4.0, frame.bottom), ["natural", method]);
    let middle = frame.middle().0;
    svg.text("tick", (middle, frame.bottom + 53.0), Anchor::Middle, &words(&pairs.difference));
}

fn first_upper(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Of the values that are defined; NaN without any.
pub(crate) fn mean(values: &[f64]) -> f64 {
    let defined: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    defined.iter().sum::<f64>() / defined.len() as f64
}

/// The difference and its p.
fn words(difference: &PairedDifference) -> String {
    let sign = if difference.mean > 0.0 { "+" } else { "" };
    let p = if difference.p.is_nan() {
        "no p".to_owned()
    } else {
        format!("p = {}", crate::picture::number(difference.p))
    };
    format!("{sign}{}, {p}", two(difference.mean))
}
