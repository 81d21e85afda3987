//! Brain score against object recognition.

use ndarray::Array1;
use ventral_metrics::correlation::pearson;

use super::Report;
use super::chart::{Frame, Width, horizontal_axis, vertical_axis};
use super::scale::Scale;
use super::series::look;
use super::svg::{Anchor, Svg, shorten};
use crate::Value;

/// Width of a character of a label, in user units.
const CHARACTER: f64 = 6.0;
/// Half the height of a label, in user units.
const HALF_LINE: f64 = 7.0;

/// A model with both numbers.
pub(crate) struct Point<'a> {
    model: &'a str,
    place: usize,
    accuracy: f64,
    score: f64,
}

/// Models with a brain score and an accuracy, in the order of the leaderboard.
pub(crate) fn points(report: &Report) -> Vec<Point<'_>> {
    let rows = report.leaderboard.rows.iter().enumerate();
    rows.filter_map(|(place, row)| {
        let accuracy = report.imagenet_top1.iter().find(|top1| top1.model == row.model)?.percent;
        let score = row.brain_score().number()?;
        accuracy.is_finite().then_some(Point { model: &row.model, place, accuracy, score })
    })
    .collect()
}

/// "Pearson r = .915 over 61 models", from three models on.
pub(crate) fn correlation(points: &[Point<'_>]) -> Option<String> {
    let of = |value: fn(&Point<'_>) -> f64| points.iter().map(value).collect::<Array1<f64>>();
    let r = pearson(of(|p| p.accuracy).view(), of(|p| p.score).view()).ok()?;
    let text = format!("Pearson r = {} over {} models", Value::Number(r), points.len());
    (points.len() > 2 && r.is_finite()).then_some(text)
}

/// A rectangle that no label may cover: left, top, right, bottom.
type Box = (f64, f64, f64, f64);

fn overlaps(a: &Box, b: &Box) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// The first free place for a label of this width around a point.
fn free_place(
    (x, y): (f64, f64),
    text: f64,
    frame: &Frame,
    taken: &[Box],
) -> Option<((f64, f64), Anchor, Box)> {
    let candidates = [
        ((x + 9.0, y + 4.0), Anchor::Start, (x + 8.0, y - HALF_LINE, x + 10.0 + text, y + HALF_LINE)),
        ((x - 9.0, y + 4.0), Anchor::End, (x - 10.0 - text, y - HALF_LINE, x - 8.0, y + HALF_LINE)),
        ((x, y - 11.0), Anchor::Middle, (x - text / 2.0, y - 23.0, x + text / 2.0, y - 8.0)),
        ((x, y + 19.0), Anchor::Middle, (x - text / 2.0, y + 8.0, x + text / 2.0, y + 23.0)),
    ];
    candidates.into_iter().find(|(_, _, area)| {
        let inside =
            area.0 >= frame.left && area.2 <= frame.right && area.1 >= frame.top && area.3 <= frame.bottom;
        inside && !taken.iter().any(|other| overlaps(area, other))
    })
}

/// One marker per model; those that have room beside them are named.
pub(crate) fn plot(points: &[Point<'_>], width: Width) -> String {
    let units = width.units();
    let height = if width.is_narrow() { 340.0 } else { 440.0 };
    let frame = Frame { left: 52.0, right: units - 20.0, top: 14.0, bottom: height - 50.0 };
    let label = format!("Brain score against ImageNet top-1 accuracy of {} models", points.len());
    let mut svg = Svg::new(units, height, width.class(), &label);
    let x = Scale::around(
        points.iter().map(|p| p.accuracy),
        if width.is_narrow() { 4 } else { 7 },
        frame.left,
        frame.right,
    );
    let y = Scale::around(points.iter().map(|p| p.score), 5, frame.bottom, frame.top);
    vertical_axis(&mut svg, &frame, &y, "brain score");
    horizontal_axis(&mut svg, &frame, &x, "ImageNet top-1 accuracy (%)");
    let at = |point: &Point<'_>| (x.at(point.accuracy), y.at(point.score));
    let mut taken: Vec<Box> =
        points.iter().map(at).map(|(x, y)| (x - 6.0, y - 6.0, x + 6.0, y + 6.0)).collect();
    for (index, point) in points.iter().enumerate() {
        let look = look(point.place);
        let name = shorten(point.model, if width.is_narrow() { 18 } else { 28 });
        let own = taken.remove(index);
        let place = free_place(at(point), name.chars().count() as f64 * CHARACTER, &frame, &taken);
        taken.insert(index, own);
        svg.push(&format!(r#"<g class="s {}">"#, look.class));
        let title = format!(
            "{}\nbrain score {}\ntop-1 {} %",
            point.model,
            Value::Number(point.score),
            point.accuracy
        );
        svg.marker("mk", look.shape, at(point), 5.0, &title);
        svg.push("</g>");
        if let Some((at, anchor, area)) = place {
            svg.text("name", at, anchor, &name);
            taken.push(area);
        }
    }
    svg.finish()
}

/// Places of the points on the leaderboard.
pub(crate) fn places(points: &[Point<'_>]) -> Vec<usize> {
    points.iter().map(|point| point.place).collect()
}
