//! Pieces of the page: montages of slices, colour bars, legends.

use std::fmt::Write;

use ndarray::ArrayView1;

use super::slices::{View, short};
use crate::Error;
use crate::picture::data_uri;
use crate::picture::palette::{GREY, Rgb, diverging, hex, mix};
use crate::report::svg::escape;

/// How much of its colour a voxel keeps that does not belong to the layer.
const FAINT: f64 = 0.45;
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
