//! The leaderboard as a tree of static pages: one of all models, one per model, one per benchmark.
//!
//! Pages need no server and load nothing: links are relative, style and script are inside. What is on a page comes from users
//! (names, citations, reasons of failures) and is escaped; names of files are made of safe characters only.

mod board;
mod index;
mod input;
mod one_benchmark;
mod one_model;

use std::collections::BTreeMap;

use askama::Template;
use serde::{Deserialize, Serialize};

pub use input::site_of;

use crate::names::Names;
use crate::{Error, Report, leaderboard_csv, leaderboard_json};

/// The first page.
pub const INDEX: &str = "index.html";
/// Extension of a page.
const HTML: &str = ".html";
/// Directory of the pages of models.
pub const MODELS: &str = "models";
/// Directory of the pages of benchmarks.
pub const BENCHMARKS: &str = "benchmarks";

/// What a model's page knows besides its scores.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Digest of everything that changes its activations.
    pub digest: Option<String>,
    /// Layers that its card commits to, by region.
    pub commitments: BTreeMap<String, String>,
    /// Visual degrees that its input spans.
    pub degrees: Option<f64>,
    /// Number of features of each layer.
    pub features: BTreeMap<String, u64>,
}

/// What a benchmark's page knows besides its scores.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkRecord {
    /// Digest of the card's meaning and of all its data.
    pub digest: Option<String>,
    /// Digest of the stimuli.
    pub stimuli: Option<String>,
    /// Visual degrees that the stimuli span.
    pub degrees: Option<f64>,
    /// What is peculiar about the data.
    pub notes: Vec<String>,
}

/// Names of a result in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// The model.
    pub model: String,
    /// The benchmark.
    pub benchmark: String,
    /// The layer reported.
    pub layer: String,
    /// Object with the scores.
    pub scores: String,
    /// Object with the Gram matrix that they were computed from.
    pub gram: String,
}

/// Everything on the pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Scores, and what is said about them.
    pub report: Report,
    /// By identifier.
    pub models: BTreeMap<String, ModelRecord>,
    /// By identifier.
    pub benchmarks: BTreeMap<String, BenchmarkRecord>,
    /// Results of the layers reported.
    pub results: Vec<ResultRecord>,
}

/// Files of the pages, below the directory of the site.
struct Files {
    models: Names,
    benchmarks: Names,
}

/// What every page has.
struct Shell {
    title: String,
    /// What is before links to other pages: empty on the first, `../` below.
    up: &'static str,
    style: &'static str,
    script: &'static str,
}

impl Shell {
    fn new(title: String, up: &'static str) -> Self {
        let style = concat!(
            include_str!("../../templates/report.css"),
            include_str!("../../templates/site/site.css")
        );
        Self { title, up, style, script: include_str!("../../templates/site/site.js") }
    }
}

/// Fills in all pages and hands each to `sink` with its path below the directory of the site; [`INDEX`] comes last, so that an
/// interrupted caller leaves no link to a page that is not there.
///
/// # Errors
/// [`Error::Page`] if a template cannot be filled in, and those of `sink`.
pub fn write_site<E: From<Error>>(
    site: &Site,
    sink: &mut dyn FnMut(&str, &str) -> Result<(), E>,
) -> Result<(), E> {
    let report = &site.report;
    let files = Files {
        models: Names::new(report.leaderboard.rows.iter().map(|row| row.model.as_str())).below(MODELS, HTML),
        benchmarks: Names::new(report.benchmarks.iter().map(|b| b.identifier.as_str()))
            .below(BENCHMARKS, HTML),
    };
    let mut fill = |path: &str, page: Result<String, askama::Error>| {
        sink(path, &page.map_err(|error| E::from(Error::from(error)))?)
    };
    let lines: Vec<_> = report.benchmarks.iter().map(|b| crate::report::depth::lines(report, b)).collect();
    for (benchmark, lines) in report.benchmarks.iter().zip(&lines) {
        let page = one_benchmark::page(site, &files, benchmark, lines);
        fill(files.benchmarks.path(&benchmark.identifier), page.render())?;
    }
    let ranks = board::ranks_by_column(&report.leaderboard);
    for (place, row) in report.leaderboard.rows.iter().enumerate() {
        let page = one_model::page(site, &files, (place, row), &lines, &ranks);
        fill(files.models.path(&row.model), page.render())?;
    }
    sink("leaderboard.csv", &leaderboard_csv(&report.leaderboard)?)?;
    sink("leaderboard.json", &leaderboard_json(&report.leaderboard)?)?;
    let page = index::page(site, &files).render();
    sink(INDEX, &page.map_err(|error| E::from(Error::from(error)))?)
}
