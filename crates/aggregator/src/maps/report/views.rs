//! What the page shows, made from the maps.

use ndarray::Array2;
use ventral_plan::Threshold;

use super::figures::{labels, legend, limit, values};
use super::slices::{View, short};
use crate::Error;
use crate::maps::design::{is_correlation, words};
use crate::maps::files::tables::group_p;
use crate::maps::files::title;
use crate::maps::layers::{LayerMap, Space};
use crate::maps::stage::{Quality, Source, Stage};
use crate::picture::palette::{Rgb, diverging, hex, layer_colours, sequential};
use crate::picture::{Range, bar, matrix, number, rsms, thousands, two};

/// Subjects whose maps of all layers are shown; winners and tables are shown of [`MAX_SUBJECTS`].
const MAX_DETAILED: usize = 8;
/// Subjects on the page; the files have all.
pub(crate) const MAX_SUBJECTS: usize = 24;
/// Layers whose maps are shown one by one.
const MAX_LAYERS: usize = 40;

/// One model, or the given RDMs, on one scan.
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) anchor: String,
    pub(crate) line: String,
    pub(crate) notes: Vec<String>,
    pub(crate) cards: Vec<Card>,
    /// RSMs of the layers; empty without.
    pub(crate) rsms: String,
    /// How alike the layers are; empty for a single one.
    pub(crate) alike: String,
    pub(crate) condition: String,
    pub(crate) brains: Vec<Brain>,
    pub(crate) hidden: usize,
}

/// A number that says much.
pub(crate) struct Card {
    pub(crate) what: String,
    pub(crate) number: String,
    pub(crate) who: String,
}

/// The group, or a subject.
pub(crate) struct Brain {
    pub(crate) title: String,
    pub(crate) line: String,
    pub(crate) slices: String,
    pub(crate) rule: String,
    /// Legend and slices of the winners; empty for a single layer.
    pub(crate) winner: String,
    pub(crate) overlap: String,
    pub(crate) bar: String,
    /// Name and slices of each layer's map.
    pub(crate) layers: Vec<(String, String)>,
    pub(crate) open: bool,
    pub(crate) rows: Vec<LayerRow>,
    pub(crate) peak: String,
}

/// A layer in a table.
pub(crate) struct LayerRow {
    pub(crate) name: String,
    pub(crate) colour: String,
    pub(crate) cells: Vec<String>,
}

/// A map of the quality of the data.
pub(crate) struct QualityView {
    pub(crate) title: String,
    pub(crate) line: String,
    pub(crate) slices: String,
    pub(crate) bar: String,
    pub(crate) montage: String,
}

/// The section of a source.
pub(crate) fn section(stage: &Stage<'_>, source: &Source, number_of: usize) -> Result<Section, Error> {
    let facts = &stage.plan.scans[source.scan];
    let design = &source.design;
    let colours = layer_colours(design.layers.len());
    let mut brains = Vec::new();
    brains.extend(group_brain(stage, source, &colours)?);
    for (index, _) in source.subjects.iter().enumerate().take(MAX_SUBJECTS) {
        brains.push(subject_brain(source, index, &colours)?);
    }
    let several = design.layers.len() > 1;
    let alike = matrix(&design.layers, design.correlations.view(), "How alike the layers are", diverging);
    let condition = match (design.condition, design.rank) {
        (Some(condition), Some(rank)) => format!(
            "Condition number {}, rank {rank} of {}; variance inflation of each layer is in the tables below.",
            number(condition),
            design.layers.len()
        ),
        _ => String::new(),
    };
    let conditions = facts.conditions.len();
    let drawn = source.rsms.dim() == (design.layers.len(), conditions * conditions.saturating_sub(1) / 2);
    let shown =
        if drawn { rsms(&design.layers, source.rsms.view(), conditions, Range::Own)? } else { String::new() };
    Ok(Section {
        title: format!("{} on {}", title(stage, source), facts.identifier),
        anchor: format!("maps-{number_of}"),
        line: line(stage, source),
        notes: source.notes.clone(),
        cards: cards(source),
        rsms: shown,
        alike: if several && design.correlations.len() > 1 { alike } else { String::new() },
        condition: if several { condition } else { String::new() },
        brains,
        hidden: source.subjects.len().saturating_sub(MAX_SUBJECTS),
    })
}

fn line(stage: &Stage<'_>, source: &Source) -> String {
    let facts = &stage.plan.scans[source.scan];
    let methods: Vec<&str> = source.design.methods.iter().map(|m| words(m.method)).collect();
    format!(
        "{} conditions, {}; {}; {}",
        facts.conditions.len(),
        crate::report::page::counted(source.subjects.len(), "subject"),
        crate::report::page::counted(source.design.layers.len(), "layer"),
        methods.join(", ")
    )
}

fn cards(source: &Source) -> Vec<Card> {
    let mut cards = Vec::new();
    let methods = &source.design.methods;
    let (overlaps, map, whose) = match (&source.group, source.subjects.first()) {
        (Some(group), _) => (&group.overlaps, &group.layers, "group".to_owned()),
        (None, Some(subject)) => (&subject.overlaps, &subject.layers, format!("subject {}", subject.id)),
        _ => return cards,
    };
    let best = map.peaks.iter().enumerate().filter_map(|(layer, peak)| Some((layer, (*peak)?)));
    if let Some((layer, peak)) = best.reduce(|a, b| if b.1.value > a.1.value { b } else { a }) {
        let what = if source.group.is_some() { "largest t" } else { "largest value" };
        let who = format!("{} at {}", source.design.layers[layer], place(peak.mm));
        cards.push(Card { what: format!("{what}, {whose}"), number: two(peak.value), who });
    }
    for (prepared, overlap) in methods.iter().zip(overlaps) {
        if overlap.is_finite() {
            let what = format!("overlap of layers, {}", words(prepared.method));
            let who = "mean Dice index of the highest voxels".to_owned();
            cards.push(Card { what, number: two(*overlap), who });
        }
    }
    if map.hierarchy.rank_correlation.is_finite() {
        let who = "rank correlation of a layer's depth with its place from back to front".to_owned();
        let what = "order along the brain".to_owned();
        cards.push(Card { what, number: two(map.hierarchy.rank_correlation), who });
    }
    cards
}

fn place(mm: [f64; 3]) -> String {
    let [x, y, z] = mm.map(|c| format!("{c:.0}").replace('-', "−").replace("−0", "0"));
    format!("{x}, {y}, {z} mm")
}

/// What a brain is shown from.
struct Shown<'a> {
    space: Space<'a>,
    maps: &'a Array2<f64>,
    layers: &'a LayerMap,
    unit: &'a str,
    detailed: bool,
}

fn brain(
    source: &Source,
    shown: &Shown<'_>,
    colours: &[Rgb],
    title: String,
    line: String,
) -> Result<Brain, Error> {
    let names = &source.design.layers;
    let mut brain = Brain {
        title,
        line,
        slices: String::new(),
        rule: format!("Voxels of a layer: {}.", shown.layers.rule),
        winner: String::new(),
        overlap: String::new(),
        bar: String::new(),
        layers: Vec::new(),
        open: names.len() == 1,
        rows: Vec::new(),
        peak: shown.unit.to_owned(),
    };
    let Some(view) = View::new(shown.space) else { return Ok(brain) };
    let places = shown.space.places;
    brain.slices = view.words();
    if let Some(winner) = &shown.layers.winner {
        let legend = legend(names, colours, Some(&winner.voxels));
        let map = labels(&view, places, "winners", &winner.labels, colours)?;
        brain.winner = format!("{legend}{map}");
    }
    if let Some(overlap) = &shown.layers.overlap {
        brain.overlap = matrix(names, overlap.dice.view(), "Overlap of the layers", sequential);
    }
    if shown.detailed {
        let top = limit(shown.maps);
        brain.bar = bar(top, shown.unit);
        for (layer, name) in names.iter().enumerate().take(MAX_LAYERS) {
            let mask = shown.layers.masks.row(layer);
            let map = values(&view, places, name, shown.maps.row(layer), Some(mask), top)?;
            brain.layers.push((name.clone(), map));
        }
    }
    Ok(brain)
}

fn group_brain(stage: &Stage<'_>, source: &Source, colours: &[Rgb]) -> Result<Option<Brain>, Error> {
    let Some(group) = &source.group else { return Ok(None) };
    let space = Space { grid: &group.grid, places: &group.places };
    let shown =
        Shown { space, maps: &group.t, layers: &group.layers, unit: "t over subjects", detailed: true };
    // Those that the p of the tables are from.
    let flips = group.corrections.first().and_then(|first| first.flips).unwrap_or(group.flips);
    let line = format!(
        "{} subjects, {} voxels that all have; {}; {}{} sign flips",
        group.subjects,
        thousands(group.places.len()),
        words(source.design.deciding()),
        if flips.exhaustive { "all " } else { "" },
        flips.count
    );
    let mut brain = brain(source, &shown, colours, "Group".to_owned(), line)?;
    brain.open = true;
    let p = group_p(group);
    brain.rows = rows(source, &group.layers, colours, |layer, centre| p.map(|p| p[[layer, centre]]));
    if stage.spec.group.threshold == Threshold::Fwe && p.is_none() {
        brain.rule.push_str(" No correction was asked for.");
    }
    Ok(Some(brain))
}

fn subject_brain(source: &Source, index: usize, colours: &[Rgb]) -> Result<Brain, Error> {
    let subject = &source.subjects[index];
    let space = Space { grid: &subject.grid, places: &subject.raw.places };
    let method = source.design.deciding();
    let unit = if is_correlation(method) { "r" } else { "value" };
    let unit = format!("{unit}, {}", words(method));
    let shown = Shown {
        space,
        maps: subject.deciding(),
        layers: &subject.layers,
        unit: &unit,
        detailed: index < MAX_DETAILED,
    };
    let line = format!(
        "{} centres; {} with too few voxels, {} undefined",
        thousands(subject.raw.places.len()),
        subject.raw.too_small,
        subject.raw.undefined
    );
    let mut brain = brain(source, &shown, colours, format!("Subject {}", subject.id), line)?;
    let p = subject.p.as_ref().map(|p| &p.fwe);
    brain.rows = rows(source, &subject.layers, colours, |layer, centre| p.map(|p| p[[layer, centre]]));
    Ok(brain)
}

fn rows(
    source: &Source,
    map: &LayerMap,
    colours: &[Rgb],
    p: impl Fn(usize, usize) -> Option<f64>,
) -> Vec<LayerRow> {
    let row = |(layer, name): (usize, &String)| {
        let peak = map.peaks[layer];
        let inflation = source.design.inflation.get(layer).copied().unwrap_or(f64::NAN);
        let won = map.winner.as_ref().map_or("–".to_owned(), |winner| winner.voxels[layer].to_string());
        let voxels = map.masks.row(layer).iter().filter(|inside| **inside).count();
        LayerRow {
            name: name.clone(),
            colour: hex(colours[layer]),
            cells: vec![
                number(inflation),
                voxels.to_string(),
                won,
                map.largest_cluster[layer].to_string(),
                number(peak.map_or(f64::NAN, |peak| peak.value)),
                peak.map_or("–".to_owned(), |peak| place(peak.mm)),
                number(peak.and_then(|peak| p(layer, peak.centre)).unwrap_or(f64::NAN)),
            ],
        }
    };
    source.design.layers.iter().enumerate().map(row).collect()
}

/// Reliability and ceilings of a scan.
pub(crate) fn quality(stage: &Stage<'_>, quality: &Quality) -> Result<Vec<QualityView>, Error> {
    let scan = &stage.plan.scans[quality.scan];
    let mut views = Vec::new();
    let mut add = |title: String, line: String, space: Space<'_>, map: ndarray::ArrayView1<'_, f64>| {
        let Some(view) = View::new(space) else { return Ok(()) };
        let top = limit(map.iter());
        let montage = values(&view, space.places, &title, map, None, top)?;
        views.push(QualityView { title, line, slices: view.words(), bar: bar(top, "r"), montage });
        Ok::<(), Error>(())
    };
    for (index, maps) in quality.reliability.iter().take(MAX_SUBJECTS) {
        let row = maps.values.row(0);
        let facts = &scan.subjects[*index];
        let space = Space { grid: &facts.grid, places: &maps.places };
        let title = format!("{}, subject {}: reliability", scan.identifier, facts.id);
        let middle = median("over centres", row.iter());
        let line = format!(
            "agreement of the RSMs of odd and even runs; {middle}. Of all runs together it is 2r/(1 + r)"
        );
        add(title, line, space, row)?;
    }
    if let (Some(ceiling), Some(first)) = (&quality.ceiling, scan.subjects.first()) {
        let space = Space { grid: &first.grid, places: &ceiling.places };
        for (row, bound) in ceiling.values.rows().into_iter().zip(&ceiling.columns) {
            let title = format!("{}: {bound} noise ceiling", scan.identifier);
            let subjects = crate::report::page::counted(scan.subjects.len(), "subject");
            let line = format!("{subjects}, {}", median("over centres", row.iter()));
            add(title, line, space, row)?;
        }
    }
    Ok(views)
}

fn median<'a>(what: &str, values: impl Iterator<Item = &'a f64>) -> String {
    let mut values: Vec<f64> = values.copied().filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    match values.get(values.len() / 2) {
        Some(&middle) => format!("median r {} {what}", two(middle)),
        None => "no centre has a value".to_owned(),
    }
}

/// Settings of the searchlight as pairs of name and value.
pub(crate) fn settings(stage: &Stage<'_>) -> Vec<(String, String)> {
    let spec = stage.spec;
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let named = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
    };
    let unit = named(serde_json::to_value(spec.unit));
    let mut facts = vec![
        fact(
            "searchlight",
            format!(
                "{}, radius {} {unit}, {}, at least {} voxels, cut at the mask",
                named(serde_json::to_value(spec.shape)),
                short(spec.radius),
                named(serde_json::to_value(spec.rule)),
                spec.minimum_voxels
            ),
        ),
        fact("RSM of the brain", named(serde_json::to_value(spec.rsm))),
        fact("comparison with a layer", named(serde_json::to_value(spec.comparison))),
        fact("methods", spec.methods.iter().map(|m| m.name()).collect::<Vec<_>>().join(", ")),
        fact("relabellings of the images", spec.permutations.to_string()),
        fact("seed", spec.seed.to_string()),
    ];
    let preparation = [
        (spec.noise_normalise, "noise normalised"),
        (spec.zscore_runs, "z-scored within runs"),
        (spec.remove_mean_pattern, "mean pattern removed"),
    ];
    let done: Vec<&str> = preparation.iter().filter(|(on, _)| *on).map(|(_, what)| *what).collect();
    facts.push(fact("preparation", if done.is_empty() { "none".to_owned() } else { done.join(", ") }));
    for scan in &stage.plan.scans {
        facts.push(fact(&format!("scan {} v{}", scan.identifier, scan.version), scan.digest.to_string()));
        facts.extend(
            scan.citation.iter().map(|text| fact(&format!("cite {}", scan.identifier), text.clone())),
        );
        facts.extend(
            scan.notes.iter().map(|text| fact(&format!("note on {}", scan.identifier), text.clone())),
        );
    }
    facts.extend(
        stage.plan.models.iter().map(|m| fact(&format!("model {}", m.identifier), m.digest.to_string())),
    );
    facts.push(fact("numeric profile", stage.plan.machine.profile.clone()));
    facts.push(fact("ventral", env!("CARGO_PKG_VERSION").to_owned()));
    facts
}
