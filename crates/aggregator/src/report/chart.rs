//! What all charts share: two widths, axes, labels.

use ventral_metrics::CeilingRule;

use super::BenchmarkInfo;
use super::scale::Scale;
use super::svg::{Anchor, Svg};

/// A chart is drawn twice, and the page shows the one that fits, so that its text keeps its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Wide,
    Narrow,
}

impl Width {
    pub(crate) const BOTH: [Self; 2] = [Self::Wide, Self::Narrow];

    /// User units; about the CSS pixels it is shown at.
    pub(crate) fn units(self) -> f64 {
        match self {
            Self::Wide => 880.0,
            Self::Narrow => 360.0,
        }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    pub(crate) fn is_narrow(self) -> bool {
        self == Self::Narrow
    }
}

/// The frame of a plot inside its drawing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

impl Frame {
    pub(crate) fn middle(&self) -> (f64, f64) {
        (f64::midpoint(self.left, self.right), f64::midpoint(self.top, self.bottom))
    }
}

/// Horizontal grid lines with labels, and the title of the vertical axis.
pub(crate) fn vertical_axis(svg: &mut Svg, frame: &Frame, scale: &Scale, title: &str) {
    for (value, label) in scale.ticks() {
        let y = scale.at(value);
        svg.line("grid", (frame.left, y), (frame.right, y));
        svg.text("tick", (frame.left - 8.0, y + 4.0), Anchor::End, &label);
    }
    svg.text_turned("axis", (13.0, frame.middle().1), Anchor::Middle, -90, title);
}

/// Vertical grid lines with labels below, and the title of the horizontal axis.
pub(crate) fn horizontal_axis(svg: &mut Svg, frame: &Frame, scale: &Scale, title: &str) {
    for (value, label) in scale.ticks() {
        let x = scale.at(value);
        svg.line("grid", (x, frame.top), (x, frame.bottom));
        svg.text("tick", (x, frame.bottom + 18.0), Anchor::Middle, &label);
    }
    svg.text("axis", (frame.middle().0, frame.bottom + 38.0), Anchor::Middle, title);
}

/// Unit of a benchmark's ceiled score.
pub(crate) fn unit(benchmark: &BenchmarkInfo) -> String {
    let formula = match benchmark.rule {
        CeilingRule::R2OverC => "ceiled score, r² / c",
        CeilingRule::RatioSquared => "ceiled score, (r / c)²",
        CeilingRule::PerSplitOverSqrtC => "ceiled score, r / √c",
        CeilingRule::Ratio => "ceiled score, r / c",
        CeilingRule::ChanceRatio { .. } => "ceiled score above chance",
        CeilingRule::Raw => return format!("score, {}", benchmark.metric),
    };
    formula.to_owned()
}

/// Where a perfect model would be, in the units of the ceiled score.
pub(crate) fn ceiling_line(benchmark: &BenchmarkInfo) -> Option<f64> {
    match benchmark.rule {
        CeilingRule::Raw => benchmark.ceiling.filter(|c| c.is_finite()),
        _ => Some(1.0),
    }
}
