//! Where the synthesised images lie among draws of natural ones.

use crate::picture::number;
use crate::report::chart::{Frame, Width, horizontal_axis, vertical_axis};
use crate::report::scale::Scale;
use crate::report::svg::{Anchor, Svg};
use crate::synthesis::collect::Set;
use crate::synthesis::measure::unrelated;
use crate::synthesis::natural::Pool;

/// Bars over the range of the draws.
const BARS: usize = 24;

/// Number of draws by their mean |r|.
pub(super) fn plot(set: &Set, pool: &Pool, width: Width) -> String {
    let units = width.units();
    let height = if width.is_narrow() { 260.0 } else { 300.0 };
    let frame = Frame { left: 58.0, right: units - 16.0, top: 40.0, bottom: height - 52.0 };
    let mut svg =
        Svg::new(units, height, width.class(), "Mean correlation of two layers for draws of natural images");
    let draws = &pool.draws.pearson.mean_abs_r;
    let (synthesised, floor) = (set.after.pearson.mean_abs_r, unrelated(set.images.dim().0));
    let shown = draws.iter().copied().chain([0.0, synthesised, floor]);
    let x = Scale::around(shown, if width.is_narrow() { 4 } else { 8 }, frame.left, frame.right);
    let (edges, counts) = bars(draws);
    let y = Scale::around(counts.iter().map(|&count| count as f64).chain([0.0]), 4, frame.bottom, frame.top);
    vertical_axis(&mut svg, &frame, &y, "draws");
    horizontal_axis(&mut svg, &frame, &x, "mean |r| of two layers");
    for (ends, count) in edges.windows(2).zip(&counts) {
        let (left, right, top) = (x.at(ends[0]), x.at(ends[1]), y.at(*count as f64));
        svg.push(&format!(
            r#"<rect class="bin" x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"><title>{} to {}: {count}</title></rect>"#,
            (right - left - 0.8).max(0.8),
            frame.bottom - top,
            number(ends[0]),
            number(ends[1])
        ));
    }
    svg.line("base", (frame.left, frame.bottom), (frame.right, frame.bottom));
    svg.line("ceiling", (x.at(floor), frame.top), (x.at(floor), frame.bottom));
    svg.text("tick", (x.at(floor) + 6.0, frame.top + 14.0), Anchor::Start, "unrelated layers");
    svg.push(r#"<g class="s0">"#);
    svg.line("mean", (x.at(synthesised), frame.top - 12.0), (x.at(synthesised), frame.bottom));
    svg.push("</g>");
    let label = format!("synthesised images {}", number(synthesised));
    svg.text("strong", (x.at(synthesised) + 8.0, frame.top - 8.0), Anchor::Start, &label);
    svg.finish()
}

/// Edges of bars of one width, and how many values each has.
fn bars(values: &[f64]) -> (Vec<f64>, Vec<usize>) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // A single value has a bar as well.
    let width = ((high - low) / BARS as f64).max(1e-6);
    let mut counts = vec![0; BARS];
    for value in values.iter().filter(|value| value.is_finite()) {
        counts[(((value - low) / width) as usize).min(BARS - 1)] += 1;
    }
    ((0..=BARS).map(|edge| low + width * edge as f64).collect(), counts)
}
