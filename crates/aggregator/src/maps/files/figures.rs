//! Pictures of slices without text, for slides and manuscripts.

use ndarray::Array2;

use super::Folder;
use super::names::labels;
use crate::Error;
use crate::maps::layers::{LayerMap, Space};
use crate::maps::report::figures::{label_colour, limit, value_colour};
use crate::maps::report::slices::View;
use crate::maps::stage::Source;
use crate::picture::palette::layer_colours;

/// Pictures of the group and of every subject: the winners, or the map of a single layer.
pub(crate) fn add(source: &Source, folder: &mut Folder<'_>) -> Result<(), Error> {
    if let Some(group) = &source.group {
        let space = Space { grid: &group.grid, places: &group.places };
        one(source, "group", space, &group.t, &group.layers, folder)?;
    }
    for subject in &source.subjects {
        let space = Space { grid: &subject.grid, places: &subject.raw.places };
        one(source, &format!("sub-{}", subject.id), space, subject.deciding(), &subject.layers, folder)?;
    }
    Ok(())
}

fn one(
    source: &Source,
    whose: &str,
    space: Space<'_>,
    maps: &Array2<f64>,
    layers: &LayerMap,
    folder: &mut Folder<'_>,
) -> Result<(), Error> {
    let Some(view) = View::new(space) else { return Ok(()) };
    let centre = |place: u32| space.places.binary_search(&place).ok();
    let (name, what, bytes) = match &layers.winner {
        Some(winner) => {
            let colours = layer_colours(source.design.layers.len());
            let colour = |place| Some(label_colour(winner.labels[centre(place)?], &colours));
            ("winner".to_owned(), "which layer is where, as a picture", view.sheet(colour)?)
        }
        None => {
            let (map, mask, top) = (maps.row(0), layers.masks.row(0), limit(maps));
            let colour = |place| centre(place).map(|at| value_colour(map[at], mask[at], top));
            (labels(&source.design.layers)[0].clone(), "map of the layer as a picture", view.sheet(colour)?)
        }
    };
    folder.add(&format!("figures/{whose}_{name}.png"), what, bytes);
    Ok(())
}
