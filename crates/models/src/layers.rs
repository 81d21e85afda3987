//! Which of the layers there are a card names.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobMatcher};

use crate::network::unknown;
use crate::{Error, LOGITS, ModelCard};

/// Indices, ascending, of the layers that the card's patterns name (true), and of others that a region or the readout commits to (false).
/// `logits` is the name of the layer that may be called so.
///
/// # Errors
/// [`Error::UnknownLayer`] for a pattern or name without a layer, [`Error::Card`] for a pattern that is none.
pub fn select_layers(
    card: &ModelCard,
    names: &[&str],
    logits: Option<&str>,
) -> Result<Vec<(usize, bool)>, Error> {
    let positions: HashMap<&str, usize> =
        names.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let position = |name: &str| {
        let actual = logits.filter(|_| name == LOGITS).unwrap_or(name);
        positions.get(actual).copied()
    };
    let no_layer = |name: &str| unknown(&card.identifier, name, names.iter().copied());
    let mut keep = vec![false; names.len()];
    let lists = [("include", &card.layers.include, true), ("exclude", &card.layers.exclude, false)];
    for (list, patterns, value) in lists {
        for pattern in patterns {
            let matching: Vec<usize> = match position(pattern) {
                Some(index) => vec![index],
                None => {
                    let matcher = glob(card, list, pattern)?;
                    (0..names.len()).filter(|&index| matcher.is_match(names[index])).collect()
                }
            };
            if matching.is_empty() {
                return Err(no_layer(pattern));
            }
            matching.into_iter().for_each(|index| keep[index] = value);
        }
    }
    let named = keep.clone();
    for name in card.regions.values().chain(&card.readout) {
        let index = position(name).ok_or_else(|| no_layer(name))?;
        keep[index] = true;
    }
    if card.readout.is_none()
        && let Some(index) = position(LOGITS)
    {
        keep[index] = true;
    }
    Ok((0..keep.len()).filter(|&index| keep[index]).map(|index| (index, named[index])).collect())
}

fn glob(card: &ModelCard, list: &str, pattern: &str) -> Result<GlobMatcher, Error> {
    let glob = GlobBuilder::new(pattern).literal_separator(false).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| Error::Card {
        path: card.path().to_owned(),
        message: format!("`layers.{list}`: {pattern:?} is not a valid pattern: {}", error.kind()),
    })
}
