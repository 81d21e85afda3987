//! The steps of all restarts.

use crate::picture::number;
use crate::report::chart::{Frame, Width, horizontal_axis};
use crate::report::scale::{LogScale, Scale};
use crate::report::svg::{Anchor, Svg};
use crate::synthesis::collect::{Restart, Set};
use crate::synthesis::measure::unrelated;
use ventral_synthesis::StepRecord;

/// Points of a line; more steps are averaged.
const MAX_POINTS: usize = 240;
/// Marks of the images as they are.
const MAX_MARKS: usize = 60;
/// Least value that is drawn.
const LEAST: f64 = 1e-6;

/// Mean and largest |r| over steps, all restarts; the chosen one is strong.
pub(super) fn plot(set: &Set, width: Width) -> String {
    let units = width.units();
    let height = if width.is_narrow() { 330.0 } else { 400.0 };
    let frame = Frame { left: 58.0, right: units - 16.0, top: 16.0, bottom: height - 52.0 };
    let mut svg =
        Svg::new(units, height, width.class(), "Mean and largest correlation of two layers over the steps");
    let steps = set.restarts.iter().map(|restart| restart.convergence.len()).max().unwrap_or(0);
    let x = Scale::around(
        [0.0, steps as f64].into_iter(),
        if width.is_narrow() { 4 } else { 8 },
        frame.left,
        frame.right,
    );
    let floor = unrelated(set.images.dim().0);
    let y = LogScale::around(drawn_values(set).chain([floor]), frame.bottom, frame.top);
    for (value, label) in y.ticks() {
        svg.line("grid", (frame.left, y.at(value)), (frame.right, y.at(value)));
        svg.text("tick", (frame.left - 8.0, y.at(value) + 4.0), Anchor::End, &label);
    }
    svg.text_turned("axis", (13.0, frame.middle().1), Anchor::Middle, -90, "|r| of two layers");
    horizontal_axis(&mut svg, &frame, &x, "step");
    svg.line("ceiling", (frame.left, y.at(floor)), (frame.right, y.at(floor)));
    let others = (0..set.restarts.len()).filter(|&index| index != set.best);
    for index in others.chain([set.best]) {
        let (restart, chosen) = (&set.restarts[index], index == set.best);
        let strength = if chosen { "chosen" } else { "other" };
        for (class, of) in [("s1", largest as fn(&StepRecord) -> f64), ("s0", mean)] {
            svg.push(&format!(r#"<g class="{class} {strength}"><title>seed {}</title>"#, restart.seed));
            let points: Vec<(f64, f64)> =
                binned(restart, of).into_iter().map(|(step, value)| (x.at(step), y.at(value))).collect();
            svg.polyline("ln", &points);
            svg.push("</g>");
        }
    }
    marks(&mut svg, set.chosen(), &x, &y);
    svg.text("strong", (frame.right - 4.0, y.at(floor) - 6.0), Anchor::End, "unrelated layers");
    svg.finish()
}

fn mean(step: &StepRecord) -> f64 {
    step.mean_abs_r.max(LEAST)
}

fn largest(step: &StepRecord) -> f64 {
    step.max_abs_r.max(LEAST)
}

/// Steps and values of a line.
fn binned(restart: &Restart, of: fn(&StepRecord) -> f64) -> Vec<(f64, f64)> {
    let size = restart.convergence.len().div_ceil(MAX_POINTS).max(1);
    let average = |steps: &[StepRecord]| {
        let count = steps.len() as f64;
        let step = steps.iter().map(|step| step.step as f64).sum::<f64>() / count;
        (step, steps.iter().map(of).sum::<f64>() / count)
    };
    restart.convergence.chunks(size).map(average).filter(|(_, value)| value.is_finite()).collect()
}

fn measured(restart: &Restart) -> Vec<(f64, f64)> {
    let found = restart
        .convergence
        .iter()
        .filter_map(|step| Some((step.step as f64, step.untransformed?.max(LEAST))));
    let found: Vec<(f64, f64)> = found.filter(|(_, value)| value.is_finite()).collect();
    let stride = found.len().div_ceil(MAX_MARKS).max(1);
    found.into_iter().step_by(stride).collect()
}

fn drawn_values(set: &Set) -> impl Iterator<Item = f64> {
    set.restarts.iter().flat_map(|restart| {
        let lines = binned(restart, mean).into_iter().chain(binned(restart, largest));
        lines.chain(measured(restart)).map(|(_, value)| value)
    })
}

fn marks(svg: &mut Svg, restart: &Restart, x: &Scale, y: &LogScale) {
    svg.push(r#"<g class="s2">"#);
    for (step, value) in measured(restart) {
        svg.marker("mk", 0, (x.at(step), y.at(value)), 2.6, &format!("step {step}: {}", number(value)));
    }
    svg.push("</g>");
}

/// What a point of the lines is.
pub(super) fn line(set: &Set) -> String {
    let steps = set.restarts.iter().map(|restart| restart.convergence.len()).max().unwrap_or(0);
    let size = steps.div_ceil(MAX_POINTS).max(1);
    let each = if size > 1 { format!("each point is the average of {size} steps; ") } else { String::new() };
    let others = if set.restarts.len() > 1 { "; faint: the other restarts" } else { "" };
    format!("{each}lines: images under the random transform of the step{others}")
}

/// Colours of the lines.
pub(super) fn legend(set: &Set) -> String {
    let key = |class: &str, name: &str, dot: bool| {
        let shape = if dot {
            r#"<circle class="mk" cx="8" cy="8" r="3"/>"#
        } else {
            r#"<path class="ln" d="M0 8h16"/>"#
        };
        format!(
            r#"<span class="key"><svg class="{class}" viewBox="0 0 16 16" aria-hidden="true">{shape}</svg>{name}</span>"#
        )
    };
    let mut html =
        format!(r#"<div class="legend">{}{}"#, key("s0", "mean |r|", false), key("s1", "largest |r|", false));
    if !measured(set.chosen()).is_empty() {
        html.push_str(&key("s2", "mean |r| of the images as they are", true));
    }
    html.push_str("</div>");
    html
}
