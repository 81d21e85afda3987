//! Tables of values: E1 to E8, and layer by layer.

use ventral_plan::SynthesisSpec;
use ventral_synthesis::natural::{distribution, quantile};

use crate::picture::{number, thousands};
use crate::synthesis::collect::Set;
use crate::synthesis::measure::{Measured, unrelated};

/// One value of a set.
pub(super) struct ValueRow {
    pub(super) symbol: &'static str,
    pub(super) name: String,
    pub(super) meaning: &'static str,
    pub(super) synthesised: String,
    pub(super) initial: String,
    pub(super) natural: String,
    /// Share of draws below the synthesised value.
    pub(super) below: String,
}

/// One layer.
pub(super) struct LayerRow {
    pub(super) name: String,
    pub(super) cells: Vec<String>,
    /// Whether its similarities hardly vary.
    pub(super) flat: bool,
}

/// A value and what it is compared with.
struct Value<'a> {
    symbol: &'static str,
    name: &'static str,
    meaning: &'static str,
    of: fn(&Measured) -> f64,
    draws: Option<&'a [f64]>,
}

/// All values of a set.
pub(super) fn rows(set: &Set) -> Vec<ValueRow> {
    let draws = set.natural.as_ref().map(|pool| pool.both());
    let drawn = |which: usize, of: for<'a> fn(&'a ventral_synthesis::natural::Draws) -> &'a Vec<f64>| {
        draws.map(|both| of(both[which]).as_slice())
    };
    let listed = [
        Value {
            symbol: "E1",
            name: "mean |r|",
            meaning: "how alike two layers are on average: Pearson's r of their similarities over pairs of images; 0 is the aim",
            of: |found| found.pearson.mean_abs_r,
            draws: drawn(0, |draws| &draws.mean_abs_r),
        },
        Value {
            symbol: "E1",
            name: "mean |ρ|",
            meaning: "the same of ranks, for comparisons with brains that use ranks",
            of: |found| found.spearman.mean_abs_r,
            draws: drawn(1, |draws| &draws.mean_abs_r),
        },
        Value {
            symbol: "E2",
            name: "max |r|",
            meaning: "the two layers that are most alike",
            of: |found| found.pearson.max_abs_r,
            draws: drawn(0, |draws| &draws.max_abs_r),
        },
        Value {
            symbol: "E2",
            name: "max |ρ|",
            meaning: "the same of ranks",
            of: |found| found.spearman.max_abs_r,
            draws: drawn(1, |draws| &draws.max_abs_r),
        },
        Value {
            symbol: "E3",
            name: "r of neighbours",
            meaning: "mean r, with its sign, of each layer with the next",
            of: |found| found.pearson.mean_adjacent_r,
            draws: drawn(0, |draws| &draws.mean_adjacent_r),
        },
        Value {
            symbol: "E3",
            name: "ρ of neighbours",
            meaning: "the same of ranks",
            of: |found| found.spearman.mean_adjacent_r,
            draws: drawn(1, |draws| &draws.mean_adjacent_r),
        },
        Value {
            symbol: "E4",
            name: "effective layers",
            meaning: "how many unrelated layers these amount to: exp of the entropy of the eigenvalues of the correlations",
            of: |found| found.pearson.effective_rank,
            draws: drawn(0, |draws| &draws.effective_rank),
        },
    ];
    let mut rows: Vec<ValueRow> = listed.iter().map(|value| row(set, value)).collect();
    rows.extend(plain(set));
    rows
}

fn row(set: &Set, value: &Value<'_>) -> ValueRow {
    let after = (value.of)(&set.after);
    let found = value.draws.and_then(|draws| Some((distribution(draws).ok()?, quantile(draws, after))));
    ValueRow {
        symbol: value.symbol,
        name: value.name.to_owned(),
        meaning: value.meaning,
        synthesised: number(after),
        initial: set.before.as_ref().map_or("–".to_owned(), |before| number((value.of)(before))),
        natural: found
            .map_or("–".to_owned(), |(found, _)| format!("{} ± {}", number(found.mean), number(found.sd))),
        below: found.map_or("–".to_owned(), |(_, share)| percent(share)),
    }
}

/// "0 %", "97.5 %".
fn percent(share: f64) -> String {
    let text = format!("{:.1}", 100.0 * share);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// Values that natural images have not.
fn plain(set: &Set) -> Vec<ValueRow> {
    let [transforms, jpeg, noise] = set.chosen().robust;
    let before =
        |of: fn(&Measured) -> f64| set.before.as_ref().map_or("–".to_owned(), |found| number(of(found)));
    let row = |symbol, name: &str, meaning, synthesised: f64, initial: String| ValueRow {
        symbol,
        name: name.to_owned(),
        meaning,
        synthesised: number(synthesised),
        initial,
        natural: "–".to_owned(),
        below: "–".to_owned(),
    };
    let none = || "–".to_owned();
    let inflation: fn(&Measured) -> f64 = |found| found.largest_inflation().unwrap_or(f64::NAN);
    let sd: fn(&Measured) -> f64 = Measured::smallest_sd;
    vec![
        row(
            "E5",
            "largest VIF",
            "variance inflation: how well one layer follows from all others; 1 is not at all, above 10 is a warning",
            inflation(&set.after),
            before(inflation),
        ),
        row(
            "E6",
            "mean |r|, moved",
            "E1 averaged over 64 random shifts, sizes and turns of all images",
            transforms,
            none(),
        ),
        row("E7", "mean |r|, JPEG", "E1 of the images as JPEG files of quality 75", jpeg, none()),
        row("E7", "mean |r|, noise", "E1 with noise of one grey level", noise, none()),
        row(
            "E8",
            "least spread",
            "standard deviation of the similarities of a layer over pairs of images, the smallest of all layers; a flat fingerprint cannot be measured",
            sd(&set.after),
            before(sd),
        ),
    ]
}

/// What the columns are compared with.
pub(super) fn natural_line(set: &Set) -> String {
    let images = set.images.dim().0;
    let chance = format!(
        "Layers that have nothing to do with each other would have a mean |r| of about {} over the {} pairs of {images} images.",
        number(unrelated(images)),
        images * (images - 1) / 2
    );
    match &set.natural {
        Some(pool) => format!(
            "Natural images: {} random draws of {images} among {}, mean ± standard deviation over draws; beside it the share of draws below \
             the synthesised value. {chance}",
            thousands(pool.draws.pearson.mean_abs_r.len()),
            super::views::natural_images(pool),
        ),
        None => format!(
            "No natural images to compare with: name a benchmark as `natural` under [synthesis]. {chance}"
        ),
    }
}

/// Each layer's units, inflation and spread.
pub(super) fn layers(spec: &SynthesisSpec, set: &Set) -> Vec<LayerRow> {
    let value = |values: Option<&Vec<f64>>, layer: usize| {
        number(values.and_then(|values| values.get(layer)).copied().unwrap_or(f64::NAN))
    };
    let row = |(layer, name): (usize, &String)| {
        let before = set.before.as_ref().map(|found| &found.pearson);
        LayerRow {
            name: name.clone(),
            cells: vec![
                thousands(set.units[layer] as usize),
                value(set.after.pearson.inflation.as_ref(), layer),
                value(before.and_then(|found| found.inflation.as_ref()), layer),
                value(Some(&set.after.pearson.sd), layer),
                value(before.map(|found| &found.sd), layer),
            ],
            flat: set.after.pearson.sd[layer] < 0.5 * spec.objective.spread_floor,
        }
    };
    set.layers.iter().enumerate().map(row).collect()
}
