//! Colour bars.

use super::number;
use super::palette::{Rgb, diverging, gradient};
use crate::report::svg::escape;

/// The bar of a scale from -limit to limit.
pub(crate) fn bar(limit: f64, unit: &str) -> String {
    ramp(diverging, [-1.0, 1.0], [format!("−{}", number(limit)), number(limit)], unit)
}

/// The bar of a colour from one value to another, with what its ends are called.
pub(crate) fn ramp(
    colour: impl Fn(f64) -> Rgb,
    [low, high]: [f64; 2],
    ends: [String; 2],
    unit: &str,
) -> String {
    let stops = gradient(colour, low, high);
    format!(
        r#"<div class="bar-row"><span>{}</span><span class="ramp" style="background:linear-gradient(to right,{stops})"></span><span>{}</span><span class="unit">{}</span></div>"#,
        ends[0],
        ends[1],
        escape(unit)
    )
}
