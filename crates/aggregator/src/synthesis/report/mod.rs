//! The page of a set of images: one self-contained file, read without network and without a script.

mod convergence;
mod histogram;
mod values;
mod views;

use askama::Template;
use ndarray::Array2;

use super::collect::{Set, Stage};
use crate::Error;
use crate::picture::{Range, bar, matrix, number, palette, ramp, rsms, two};
use crate::report::chart::Width;
use crate::report::page::both;
use crate::report::svg::standalone;
use values::{LayerRow, ValueRow};
use views::{Card, Fact, RestartRow, Tile};

/// Images on the page; the folder has all.
const MAX_SHOWN: usize = 64;

#[derive(Template)]
#[template(path = "synthesis.html")]
struct Page {
    title: String,
    summary: String,
    counts: String,
    gaps: Vec<(String, String)>,
    warnings: Vec<String>,
    cards: Vec<Card>,
    tiles: Vec<Tile>,
    hidden: usize,
    values: Vec<ValueRow>,
    natural: bool,
    natural_line: String,
    layers: Vec<LayerRow>,
    matrices: Vec<(String, String, String)>,
    bar: String,
    rsms: Vec<(String, String)>,
    rsm_bar: String,
    convergence: String,
    convergence_line: String,
    convergence_legend: String,
    histogram: String,
    restarts: Vec<RestartRow>,
    facts: Vec<Fact>,
    style: &'static str,
    more: &'static str,
    own: &'static str,
}

/// The page; `pictures` are the images as PNG.
pub(super) fn html(stage: &Stage<'_>, set: &Set, pictures: &[Vec<u8>]) -> Result<String, Error> {
    let gaps = stage.gaps_of(set.model).map(|gap| (gap.unit.clone(), gap.reason.clone()));
    let page = Page {
        title: format!("{} for {}", views::images(set), stage.plan.models[set.model].identifier),
        summary: views::summary(stage, set),
        counts: views::counts(set),
        gaps: gaps.collect(),
        warnings: set.warnings.clone(),
        cards: views::cards(set),
        tiles: views::tiles(pictures, MAX_SHOWN),
        hidden: pictures.len().saturating_sub(MAX_SHOWN),
        values: values::rows(set),
        natural: set.natural.is_some(),
        natural_line: values::natural_line(set),
        layers: values::layers(stage.spec, set),
        matrices: matrices(set),
        bar: bar(1.0, "r"),
        rsms: all_rsms(set)?,
        rsm_bar: rsm_bar(set),
        convergence: both(|width| convergence::plot(set, width)),
        convergence_line: convergence::line(set),
        convergence_legend: convergence::legend(set),
        histogram: set
            .natural
            .as_ref()
            .map_or_else(String::new, |pool| both(|width| histogram::plot(set, pool, width))),
        restarts: views::restarts(set),
        facts: views::facts(stage, set),
        style: include_str!("../../../templates/report.css"),
        more: include_str!("../../../templates/maps.css"),
        own: include_str!("../../../templates/synthesis.css"),
    };
    Ok(page.render()?)
}

/// The figures as files: names and drawings.
pub(super) fn figures(set: &Set) -> Vec<(&'static str, String)> {
    let mut figures = vec![("convergence", standalone(&convergence::plot(set, Width::Wide)))];
    figures.extend(correlations(set).into_iter().map(|found| (found.file, standalone(&found.drawn(set)))));
    if let Some(pool) = &set.natural {
        figures.push(("natural", standalone(&histogram::plot(set, pool, Width::Wide))));
    }
    figures
}

/// How alike the layers are for one set of images.
struct Correlation<'a> {
    file: &'static str,
    title: String,
    line: String,
    matrix: &'a Array2<f64>,
}

impl Correlation<'_> {
    fn drawn(&self, set: &Set) -> String {
        matrix(&set.layers, self.matrix.view(), &self.title, palette::diverging)
    }
}

/// Those of the synthesised, the natural and the first images.
fn correlations(set: &Set) -> Vec<Correlation<'_>> {
    let mean = |r: f64| format!("mean |r| {}", number(r));
    let mut found = vec![Correlation {
        file: "correlation-synthesised",
        title: "Synthesised images".to_owned(),
        line: mean(set.after.pearson.mean_abs_r),
        matrix: &set.after.correlation,
    }];
    found.extend(set.natural.as_ref().map(|pool| Correlation {
        file: "correlation-natural",
        title: "Natural images".to_owned(),
        line: format!("over all pairs of {}", views::natural_images(pool)),
        matrix: &pool.correlation[0],
    }));
    found.extend(set.before.as_ref().map(|before| Correlation {
        file: "correlation-initial",
        title: "Before the first step".to_owned(),
        line: format!("the random images that it began with; {}", mean(before.pearson.mean_abs_r)),
        matrix: &before.correlation,
    }));
    found
}

/// Title, line and drawing of each.
fn matrices(set: &Set) -> Vec<(String, String, String)> {
    let all = correlations(set).into_iter();
    all.map(|found| (found.title.clone(), found.line.clone(), found.drawn(set))).collect()
}

/// Similarities of the images in each layer: each layer for itself, then all on one scale, then the first images on the same.
fn all_rsms(set: &Set) -> Result<Vec<(String, String)>, Error> {
    let images = set.images.dim().0;
    let [before, after] = &set.rsms;
    let range = rsm_range(set);
    [
        ("Synthesised images, each layer from its least similar pair (dark) to its most similar one (bright)", after, Range::Own),
        ("The same, all layers on one scale", after, range),
        ("Before the first step, on the same scale", before, range),
    ]
    .into_iter()
    .map(|(title, found, range)| Ok((title.to_owned(), rsms(&set.layers, found.view(), images, range)?)))
    .collect()
}

fn rsm_range(set: &Set) -> Range {
    Range::over(set.rsms.iter().flat_map(|rsms| rsms.iter()))
}

fn rsm_bar(set: &Set) -> String {
    match rsm_range(set) {
        Range::Of([low, high]) => {
            ramp(palette::sequential, [0.0, 1.0], [two(low), two(high)], "similarity, r")
        }
        Range::Own => String::new(),
    }
}
