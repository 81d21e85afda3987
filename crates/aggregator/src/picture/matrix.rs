//! Matrices: correlations of layers with their numbers, similarities of images as pictures.

use std::fmt::Write;

use ndarray::ArrayView2;

use super::palette::{GREY, Rgb, hex, is_light, sequential};
use super::{data_uri, number, png, two};
use crate::Error;
use crate::report::svg::{Anchor, Svg, escape, shorten};
use crate::report::tables::breakable;

/// Most rows of a matrix whose numbers are written.
const MAX_NUMBERED: usize = 16;

/// What the ends of a colour scale stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Range {
    /// The least and the largest value of each matrix.
    Own,
    /// These, for all.
    Of([f64; 2]),
}

impl Range {
    /// One scale for all of these values.
    pub(crate) fn over<'a>(values: impl Iterator<Item = &'a f64>) -> Self {
        Self::Of(ends(values))
    }
}

fn ends<'a>(values: impl Iterator<Item = &'a f64>) -> [f64; 2] {
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &v| [low.min(v), high.max(v)])
}

/// The RSM of each layer as a picture of images x images, from the strict upper triangles; its least and largest value beside its name.
pub(crate) fn rsms(
    layers: &[String],
    rsms: ArrayView2<'_, f64>,
    images: usize,
    range: Range,
) -> Result<String, Error> {
    let mut html = String::from(r#"<div class="rsms">"#);
    for (layer, vector) in layers.iter().zip(rsms.rows()) {
        let own = ends(vector.iter());
        let [low, high] = if let Range::Of(ends) = range { ends } else { own };
        let span = if high > low { high - low } else { 1.0 };
        let place = |i: usize, j: usize| i * (2 * images - i - 1) / 2 + j - i - 1;
        let mut pixels = Vec::with_capacity(4 * images * images);
        for row in 0..images {
            for column in 0..images {
                let [r, g, b] = match row.cmp(&column) {
                    std::cmp::Ordering::Equal => GREY,
                    std::cmp::Ordering::Less => sequential((vector[place(row, column)] - low) / span),
                    std::cmp::Ordering::Greater => sequential((vector[place(column, row)] - low) / span),
                };
                pixels.extend([r, g, b, 255]);
            }
        }
        let uri = data_uri(&png(&pixels, images, images)?);
        let name = escape(layer);
        let _ = write!(
            html,
            r#"<figure><img src="{uri}" alt="RSM of {name}"><figcaption>{} <small>{} to {}</small></figcaption></figure>"#,
            breakable(layer),
            two(own[0]),
            two(own[1])
        );
    }
    html.push_str("</div>");
    Ok(html)
}

/// A square matrix with names of rows and columns; NaN is left empty.
pub(crate) fn matrix(
    names: &[String],
    matrix: ArrayView2<'_, f64>,
    label: &str,
    colour: impl Fn(f64) -> Rgb,
) -> String {
    const CELL: f64 = 46.0;
    /// Of one character of a name.
    const CHARACTER: f64 = 7.2;
    const LONGEST: usize = 16;
    let count = names.len();
    let longest = names.iter().map(|name| name.chars().count().min(LONGEST)).max().unwrap_or(0);
    let margin = 16.0 + CHARACTER * longest as f64;
    let cell = if count > MAX_NUMBERED { (CELL * MAX_NUMBERED as f64 / count as f64).max(3.0) } else { CELL };
    let side = cell * count as f64;
    let mut svg = Svg::new(margin + side + 8.0, margin + side + 4.0, "matrix", label);
    for row in 0..count {
        for column in 0..count {
            let value = matrix[[row, column]];
            let (x, y) = (margin + cell * column as f64, margin + cell * row as f64);
            if !value.is_finite() {
                continue;
            }
            let fill = colour(value);
            svg.push(&format!(
                r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" fill="{}"><title>{} × {}: {}</title></rect>"#,
                cell - 1.0,
                cell - 1.0,
                hex(fill),
                escape(&names[row]),
                escape(&names[column]),
                number(value)
            ));
            if count <= MAX_NUMBERED {
                let class = if is_light(fill) { "on-light" } else { "on-dark" };
                let text =
                    if row == column && (value - 1.0).abs() < 1e-9 { "1".to_owned() } else { two(value) };
                svg.text(class, (x + cell / 2.0 - 0.5, y + cell / 2.0 + 3.5), Anchor::Middle, &text);
            }
        }
    }
    if cell > 9.0 {
        for (index, name) in names.iter().enumerate() {
            let middle = margin + cell * (index as f64 + 0.5);
            let name = shorten(name, LONGEST);
            svg.text("name", (margin - 8.0, middle + 4.0), Anchor::End, &name);
            svg.text_turned("name", (middle + 4.0, margin - 8.0), Anchor::Start, -90, &name);
        }
    }
    format!(r#"<div class="matrix-box" style="--width:{:.0}px">{}</div>"#, margin + side + 8.0, svg.finish())
}
