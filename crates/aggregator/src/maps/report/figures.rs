//! Pieces of the page: montages of slices, colour bars, matrices.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ndarray::{ArrayView1, ArrayView2};

use super::palette::{GREY, Rgb, diverging, gradient, hex, is_light, mix, sequential};
use super::slices::{View, png, short};
use crate::Error;
use crate::report::svg::{Anchor, Svg, escape, shorten};

/// How much of its colour a voxel keeps that does not belong to the layer.
const FAINT: f64 = 0.45;
/// Most rows of a matrix whose numbers are written.
const MAX_NUMBERED: usize = 16;
/// Share of values that a colour scale covers.
const COVERED: f64 = 0.998;

/// The largest magnitude of a colour scale: nearly all values are below it.
pub(crate) fn limit<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    let mut magnitudes: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).map(|v| v.abs()).collect();
    magnitudes.sort_by(f64::total_cmp);
    let place = (COVERED * magnitudes.len() as f64) as usize;
    let found = magnitudes.get(place.min(magnitudes.len().saturating_sub(1))).copied().unwrap_or(1.0);
    if found > 0.0 { found } else { 1.0 }
}

fn data_uri(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

/// Slices side by side; `colour` gets the position of a voxel among the centres.
pub(crate) fn montage(
    view: &View,
    places: &[u32],
    name: &str,
    colour: impl Fn(usize) -> Rgb,
) -> Result<String, Error> {
    let mut html = format!(r#"<div class="slices" style="--aspect:{:.4}">"#, view.aspect());
    for (number, slice) in view.slices().iter().enumerate() {
        let tile = view.tile(slice, |place| Some(colour(places.binary_search(&place).ok()?)))?;
        let sides = if number == 0 { r#"<i class="side">L</i><i class="side right">R</i>"# } else { "" };
        let height = short(slice.mm);
        let _ = write!(
            html,
            r#"<div class="slice">{sides}<img src="{}" alt="{}, z {height} mm"><span>{height}</span></div>"#,
            data_uri(&tile),
            escape(name)
        );
    }
    html.push_str("</div>");
    Ok(html)
}

/// A map from -limit to limit; voxels outside of the mask are faint.
pub(crate) fn values(
    view: &View,
    places: &[u32],
    name: &str,
    map: ArrayView1<'_, f64>,
    mask: Option<ArrayView1<'_, bool>>,
    limit: f64,
) -> Result<String, Error> {
    montage(view, places, name, |centre| {
        value_colour(map[centre], mask.is_none_or(|mask| mask[centre]), limit)
    })
}

/// The colour of a value; voxels outside of the mask are faint.
pub(crate) fn value_colour(value: f64, inside: bool, limit: f64) -> Rgb {
    let share = if inside { 1.0 } else { FAINT };
    if value.is_finite() { mix(GREY, diverging(value / limit), share) } else { GREY }
}

/// The colour of a label; 0 is nobody's.
pub(crate) fn label_colour(label: u16, colours: &[Rgb]) -> Rgb {
    let found = usize::from(label).checked_sub(1).and_then(|layer| colours.get(layer));
    found.copied().unwrap_or(GREY)
}

/// A map of labels: 0 is nobody's.
pub(crate) fn labels(
    view: &View,
    places: &[u32],
    name: &str,
    labels: &[u16],
    colours: &[Rgb],
) -> Result<String, Error> {
    montage(view, places, name, |centre| label_colour(labels[centre], colours))
}

/// The colour bar of a map with its ends.
pub(crate) fn bar(limit: f64, unit: &str) -> String {
    let stops = gradient(diverging, -1.0, 1.0);
    format!(
        r#"<div class="bar-row"><span>−{0}</span><span class="ramp" style="background:linear-gradient(to right,{stops})"></span><span>{0}</span><span class="unit">{1}</span></div>"#,
        number(limit),
        escape(unit)
    )
}

/// Three significant digits, without a leading zero in front of the point.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let magnitude = value.abs();
    let text = match magnitude {
        m if m >= 100.0 => format!("{m:.0}"),
        m if m >= 10.0 => format!("{m:.1}"),
        m if m >= 1.0 => format!("{m:.2}"),
        0.0 => "0".to_owned(),
        m if m < 0.0005 => "<.001".to_owned(),
        m => format!("{m:.3}"),
    };
    let text = text.strip_prefix('0').filter(|rest| rest.starts_with('.')).unwrap_or(&text);
    if value < 0.0 && magnitude >= 0.0005 { format!("−{text}") } else { text.to_owned() }
}

/// A legend of layers.
pub(crate) fn legend(layers: &[String], colours: &[Rgb], voxels: Option<&[usize]>) -> String {
    let mut html = String::from(r#"<div class="legend">"#);
    for (index, (layer, &colour)) in layers.iter().zip(colours).enumerate() {
        let won = voxels.map_or(String::new(), |voxels| format!(" <small>{}</small>", voxels[index]));
        let _ = write!(
            html,
            r#"<span class="key"><i class="swatch" style="background:{}"></i>{}{won}</span>"#,
            hex(colour),
            escape(layer)
        );
    }
    html.push_str("</div>");
    html
}

/// The RSM of each layer as a picture of images x images, from the strict upper triangles.
pub(crate) fn rsms(layers: &[String], rsms: ArrayView2<'_, f64>, images: usize) -> Result<String, Error> {
    let mut html = String::from(r#"<div class="rsms">"#);
    for (layer, vector) in layers.iter().zip(rsms.rows()) {
        let (low, high) = vector
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
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
            r#"<figure><img src="{uri}" alt="RSM of {name}"><figcaption>{name} <small>{} to {}</small></figcaption></figure>"#,
            two(low),
            two(high)
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

/// Two decimals without a leading zero.
pub(crate) fn two(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.2}", value.abs());
    let text = text.strip_prefix('0').unwrap_or(&text).to_owned();
    if value <= -0.005 { format!("−{text}") } else { text }
}
