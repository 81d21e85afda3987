//! Which colour and shape a model has, the same in every chart.

use super::Report;
use super::svg::{escape, shape_path};

/// Models with a colour of their own; all others are grey.
pub(crate) const COLOURED: usize = 8;

/// The look of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// CSS class that sets the colour.
    pub(crate) class: &'static str,
    /// Marker.
    pub(crate) shape: usize,
}

const CLASSES: [&str; COLOURED] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];

/// The look of the model at a place of the leaderboard.
pub(crate) fn look(place: usize) -> Look {
    match CLASSES.get(place) {
        Some(class) => Look { class, shape: place },
        None => Look { class: "rest", shape: 0 },
    }
}

/// Models in the order of the leaderboard.
pub(crate) fn models(report: &Report) -> Vec<&str> {
    report.leaderboard.rows.iter().map(|row| row.model.as_str()).collect()
}

/// A legend of the models at the given places; one entry stands for all that are grey.
pub(crate) fn legend(models: &[&str], places: &[usize]) -> String {
    let key = |look: Look, name: &str, more: bool| {
        let (class, path) = (look.class, shape_path(look.shape, (8.0, 8.0), 4.5));
        let line = if more { "" } else { r#"<path class="ln" d="M0 8h16"/>"# };
        format!(
            r#"<span class="key {class}"><svg viewBox="0 0 16 16" aria-hidden="true">{line}<path class="mk" d="{path}"/></svg>{}</span>"#,
            escape(name)
        )
    };
    let mut entries: Vec<String> = places
        .iter()
        .filter(|place| **place < COLOURED)
        .filter_map(|&place| Some(key(look(place), models.get(place)?, false)))
        .collect();
    let grey = places.iter().filter(|place| **place >= COLOURED).count();
    if grey > 0 {
        entries.push(key(look(COLOURED), &format!("{grey} more"), true));
    }
    entries.concat()
}
