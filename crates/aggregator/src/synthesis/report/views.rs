//! What else the page says.

use crate::picture::{data_uri, number, thousands};
use crate::report::page::counted;
use crate::synthesis::collect::{Set, Stage};
use crate::synthesis::natural::{MAX_NATURAL, Pool};

/// A number that says much.
pub(super) struct Card {
    pub(super) what: String,
    pub(super) number: String,
    pub(super) who: String,
}

/// An image.
pub(super) struct Tile {
    pub(super) name: String,
    pub(super) uri: String,
}

/// A restart.
pub(super) struct RestartRow {
    pub(super) seed: u64,
    pub(super) chosen: bool,
    pub(super) cells: Vec<String>,
    pub(super) stop: String,
}

/// A fact about how the images came about.
pub(super) type Fact = (String, String);

/// "16 synthesised images".
pub(super) fn images(set: &Set) -> String {
    format!("{} synthesised images", set.images.dim().0)
}

pub(super) fn summary(stage: &Stage<'_>, set: &Set) -> String {
    let job = stage.plan.spec.title();
    format!(
        "{job}: images made so that {} of the network find them alike in ways that have nothing to do with each other. Each layer has a \
         fingerprint of its own that can be looked for in a brain.",
        counted(set.layers.len(), "layer")
    )
}

pub(super) fn counts(set: &Set) -> String {
    let (images, height, width, _) = set.images.dim();
    let restarts = format!("{} of {}", set.restarts.len(), counted(set.planned, "restart"));
    format!(
        "{} · {width} x {height} pixels · {} · best of {restarts}",
        counted(images, "image"),
        counted(set.layers.len(), "layer")
    )
}

pub(super) fn cards(set: &Set) -> Vec<Card> {
    let values = &set.after.pearson;
    let card = |what: &str, number: String, who: String| Card { what: what.to_owned(), number, who };
    let mut cards = vec![card(
        "mean |r| of two layers",
        number(values.mean_abs_r),
        "synthesised images, as 8-bit files".to_owned(),
    )];
    let natural = set
        .natural
        .as_ref()
        .and_then(|pool| ventral_synthesis::natural::distribution(&pool.draws.pearson.mean_abs_r).ok());
    if let Some(found) = natural {
        let who = format!("± {} over random draws", number(found.sd));
        cards.push(card("the same, natural images", number(found.mean), who));
    }
    let [first, second] = values.worst.map(|layer| set.layers[layer].as_str());
    cards.push(card("largest |r|", number(values.max_abs_r), format!("{first} and {second}")));
    let who = format!("unrelated layers, of {}", set.layers.len());
    cards.push(card("effectively", number(values.effective_rank), who));
    cards
}

pub(super) fn tiles(pictures: &[Vec<u8>], most: usize) -> Vec<Tile> {
    let tile =
        |(index, png): (usize, &Vec<u8>)| Tile { name: format!("{:02}", index + 1), uri: data_uri(png) };
    pictures.iter().take(most).enumerate().map(tile).collect()
}

pub(super) fn restarts(set: &Set) -> Vec<RestartRow> {
    let row = |(index, restart): (usize, &crate::synthesis::collect::Restart)| {
        let value =
            |which: usize| restart.values.as_ref().map_or("–".to_owned(), |values| number(values[which]));
        let [transforms, jpeg, noise] = restart.robust.map(number);
        RestartRow {
            seed: restart.seed,
            chosen: index == set.best,
            cells: vec![thousands(restart.steps as usize), value(0), value(1), transforms, jpeg, noise],
            stop: restart
                .values
                .as_ref()
                .err()
                .map_or_else(|| restart.stop.clone(), |reason| format!("no value: {reason}")),
        }
    };
    set.restarts.iter().enumerate().map(row).collect()
}

pub(super) fn facts(stage: &Stage<'_>, set: &Set) -> Vec<Fact> {
    let plan = stage.plan;
    let model = &plan.models[set.model];
    let (_, height, width, _) = set.images.dim();
    let settings = stage.spec.settings([height, width], set.chosen().seed);
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = vec![
        fact("unit", set.chosen().digest.to_string()),
        fact(&format!("model {}", model.identifier), model.digest.to_string()),
    ];
    let layers = set.layers.iter().zip(&set.units);
    let layers: Vec<String> =
        layers.map(|(name, units)| format!("{name} ({} units)", thousands(*units as usize))).collect();
    facts.push(fact("layers", layers.join(", ")));
    if let Some(gradient) = &model.gradient {
        facts.push(fact("gradient", gradient.engine.clone()));
    }
    if let Ok(serde_json::Value::Object(all)) = serde_json::to_value(settings) {
        facts.extend(all.into_iter().map(|(name, value)| (name.replace('_', " "), flat(&value))));
    }
    if let Some(pool) = &set.natural {
        let value = format!("{}, version {}", natural_images(pool), pool.version);
        facts.push(fact("natural images", value));
        facts.extend(
            pool.citation.iter().map(|text| fact(&format!("cite {}", pool.identifier), text.clone())),
        );
    }
    facts.push(fact("numeric profile", plan.machine.profile.clone()));
    facts.push(fact("ventral", env!("CARGO_PKG_VERSION").to_owned()));
    facts
}

/// Which natural images were compared with: "the 640 images of X".
pub(super) fn natural_images(pool: &Pool) -> String {
    let (count, name) = (thousands(pool.count), &pool.identifier);
    if pool.used == pool.count {
        return format!("the {count} images of {name}");
    }
    let spaced = if pool.count > MAX_NATURAL { " (evenly spaced)" } else { "" };
    format!("{} of the {count} images of {name}{spaced}", thousands(pool.used))
}

/// A setting as text: "kind fourier, decay 1".
fn flat(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(fields) => {
            let parts =
                fields.iter().map(|(name, value)| format!("{} {}", name.replace('_', " "), flat(value)));
            parts.collect::<Vec<_>>().join(", ")
        }
        serde_json::Value::Array(values) => values.iter().map(flat).collect::<Vec<_>>().join(" x "),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Bool(on) => if *on { "on" } else { "off" }.to_owned(),
        other => other.to_string(),
    }
}
