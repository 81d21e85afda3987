//! Benchmarks of single units of a layer, without a recording over stimuli: properties of neurons, dimensionality of factors.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ventral_metrics::{FactorPairs, MAX_RESAMPLINGS, PythonRandom, UnitProperty, ks_similarity};

use super::card::{BenchmarkCard, MetricName};
use super::locate::Roots;
use super::resolve::open_stimuli;
use super::{CeilingEstimate, Target};
use crate::error::{Error, Result};
use crate::stimuli::StimulusSet;
use crate::table::{Values, read_table};

/// Resamplings of the reference (spec §3).
const RESAMPLINGS: usize = 1000;
/// Seed where the reference has none.
const RESAMPLING_SEED: u32 = 0;
/// Seed of the reference's pairs (spec §8, Islam2021).
const PAIRS_SEED: u32 = 1751;
/// Fewest edges of a histogram: with one bin all distributions are the same.
const MIN_EDGES: usize = 3;
const NO_NEURONS: &str =
    "is `resampled`, which draws from the neurons of ks_similarity; the metric is another";
/// The two factors, in the order in which one is drawn.
const FACTORS: [&str; 2] = ["shape", "texture"];

/// Pairs of stimuli that share a shape or a texture (`[pairs]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairsCard {
    /// Column of the stimuli with the shape.
    pub shape: String,
    /// Column with the texture.
    pub texture: String,
    /// Column with the image before a texture was put on it.
    pub image: String,
    /// The factor that is scored: `shape` or `texture`.
    pub factor: String,
    /// Seed of the pairs; the reference's 1751 unless given.
    pub seed: Option<u32>,
}

/// Which property of a unit is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PropertyKind {
    Max,
    Mean,
    Sparseness,
    CircularVariance,
    ModulationIndex,
}

/// A property of neurons and how it is measured of units (`[property]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyCard {
    /// What is measured of a unit.
    pub kind: PropertyKind,
    /// CSV file with a row per neuron, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// Its column with the property.
    pub column: String,
    /// Edges of the histogram.
    pub bins: Vec<f64>,
    /// For `circular_variance`: column of the stimuli with the orientation in degrees. For `modulation_index`: with the kind.
    pub by: Option<String>,
    /// For `modulation_index`: the kinds compared, first against second.
    pub kinds: Option<[String; 2]>,
    /// Resamplings of the units; 1,000 unless given.
    pub resamplings: Option<usize>,
    /// Seed of the resamplings; 0 unless given.
    pub seed: Option<u32>,
}

/// What the units of a layer are asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitTask {
    /// The share of units that a factor takes.
    Factors {
        /// All factors.
        factors: Vec<FactorPairs>,
        /// Index of the one that is scored.
        wanted: usize,
    },
    /// Similarity of the distribution of a property.
    Property {
        /// How it is measured.
        property: UnitProperty,
        /// The neurons' values.
        neurons: Vec<f64>,
        /// Edges of the histogram.
        edges: Vec<f64>,
        /// How often units are drawn.
        resamplings: usize,
        /// Seed of the draws.
        seed: u32,
    },
}

pub(super) fn is_of_units(name: MetricName) -> bool {
    matches!(name, MetricName::FactorDimensionality | MetricName::KsSimilarity)
}

/// Stimuli and task of a benchmark of single units.
pub(super) fn load(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<(StimulusSet, UnitTask)> {
    check_sections(card, roots)?;
    let stimuli = open_stimuli(card, roots)?;
    let task = match (card.metric.name, &card.pairs, &card.property) {
        (MetricName::FactorDimensionality, Some(pairs), None) => factors(pairs, &stimuli, roots)?,
        (MetricName::KsSimilarity, None, Some(property)) => distribution(property, &stimuli, roots)?,
        (MetricName::FactorDimensionality, ..) => {
            return Err(roots.field("pairs", "is what factor_dimensionality needs, and no [property]"));
        }
        _ => return Err(roots.field("property", "is what ks_similarity needs, and no [pairs]")),
    };
    Ok((stimuli, task))
}

/// Sections that single units have no use for.
fn check_sections(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<()> {
    let given = [
        ("assembly", card.assembly.file.is_some() || card.assembly.data.is_some()),
        ("neuroids", card.neuroids != Default::default()),
        ("repeats", card.repeats.is_some()),
        ("subjects", card.subjects.is_some()),
        ("pools", card.pools.is_some()),
        ("splits", card.splits != Default::default()),
        ("time", card.time.is_some()),
        ("pca", card.pca.is_some()),
        ("trials", card.trials.is_some()),
        ("behavior", card.behavior.is_some()),
        ("decisions", card.decisions.is_some()),
        ("decoder", card.decoder.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((section, _)) => {
            let problem = format!("has no meaning for the metric `{}`; remove it", card.metric.name);
            Err(roots.field(section, &problem))
        }
        None => Ok(()),
    }
}

/// The sections of single units, given to another metric.
pub(super) fn check_absent(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<()> {
    let given = [("pairs", card.pairs.is_some()), ("property", card.property.is_some())];
    match given.iter().find(|(_, given)| *given) {
        Some((section, _)) => {
            let problem = format!("has no meaning for the metric `{}`; remove it", card.metric.name);
            Err(roots.field(section, &problem))
        }
        None => Ok(()),
    }
}

/// The ceiling of a property: the neurons against themselves (spec §3).
pub(super) fn ceiling(target: &Target, roots: &Roots<'_>) -> Result<CeilingEstimate> {
    let Target::Units(task) = target else { return Err(roots.field("ceiling.source", NO_NEURONS)) };
    let UnitTask::Property { neurons, edges, resamplings, seed, .. } = task.as_ref() else {
        return Err(roots.field("ceiling.source", NO_NEURONS));
    };
    let score = ks_similarity(neurons, neurons, edges, *resamplings, *seed);
    let score = score.map_err(|e| Error::metric(roots.card, "property", e))?;
    Ok(CeilingEstimate {
        value: score.value,
        error: Some(score.error),
        per_neuroid: Vec::new(),
        lower: None,
        per_split: Vec::new(),
    })
}

fn labels(field: &str, column: &str, stimuli: &StimulusSet, roots: &Roots<'_>) -> Result<Vec<String>> {
    stimuli.labels(column).ok_or_else(|| {
        let names = stimuli.table.names();
        roots.field(field, &format!("the stimuli have no column `{column}`; they have: {names}"))
    })
}

fn distribution(card: &PropertyCard, stimuli: &StimulusSet, roots: &Roots<'_>) -> Result<UnitTask> {
    let by = |what: &str| {
        let column = card.by.as_deref();
        let column = column
            .ok_or_else(|| roots.field("property.by", &format!("is missing; name the column with {what}")))?;
        labels("property.by", column, stimuli, roots)
    };
    let property = match card.kind {
        PropertyKind::Max => UnitProperty::Max,
        PropertyKind::Mean => UnitProperty::Mean,
        PropertyKind::Sparseness => UnitProperty::Sparseness,
        PropertyKind::CircularVariance => {
            let number = |text: &String| text.parse().ok().filter(|degrees: &f64| degrees.is_finite());
            let degrees = by("the orientation")?.iter().map(number).collect::<Option<Vec<f64>>>();
            UnitProperty::CircularVariance {
                degrees: degrees.ok_or_else(|| roots.field("property.by", "is no column of degrees"))?,
            }
        }
        PropertyKind::ModulationIndex => {
            let labels = by("the kind of each stimulus")?;
            let kinds = card.kinds.as_ref();
            let [a, b] =
                kinds.ok_or_else(|| roots.field("property.kinds", "is missing; name the two kinds"))?;
            let of = |kind: &String| {
                let rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == *kind).collect();
                let problem = format!("no stimulus is of the kind `{kind}`");
                if rows.is_empty() { Err(roots.field("property.kinds", &problem)) } else { Ok(rows) }
            };
            UnitProperty::ModulationIndex { first: of(a)?, second: of(b)? }
        }
    };
    let path = roots.path("property", &card.file, &card.data)?;
    let table = read_table(&path)?;
    let neurons: Vec<f64> = match table.column(&card.column) {
        Some(Values::Real(values)) => values.clone(),
        Some(Values::Integer(values)) => values.iter().map(|&v| v as f64).collect(),
        _ => {
            let problem = format!("`{}` is no column of numbers; there are: {}", card.column, table.names());
            return Err(roots.field("property.column", &problem));
        }
    };
    let (resamplings, seed) = (card.resamplings.unwrap_or(RESAMPLINGS), card.seed.unwrap_or(RESAMPLING_SEED));
    check_comparable(&neurons, &card.bins, resamplings, roots)?;
    Ok(UnitTask::Property { property, neurons, edges: card.bins.clone(), resamplings, seed })
}

/// What cannot be compared is refused now, not when a model is scored.
fn check_comparable(neurons: &[f64], bins: &[f64], resamplings: usize, roots: &Roots<'_>) -> Result<()> {
    if bins.len() < MIN_EDGES {
        let problem = format!("has {} edges; at least {MIN_EDGES} are needed, for two bins", bins.len());
        return Err(roots.field("property.bins", &problem));
    }
    if resamplings == 0 || resamplings > MAX_RESAMPLINGS {
        let problem = format!("is {resamplings}; give a number from 1 to {MAX_RESAMPLINGS}");
        return Err(roots.field("property.resamplings", &problem));
    }
    if neurons.iter().all(|value| value.is_nan()) {
        return Err(roots.field("property.column", "has no number in it"));
    }
    let tried = ks_similarity(&[0.0], neurons, bins, 1, RESAMPLING_SEED).map(drop);
    tried.map_err(|e| Error::metric(roots.card, "property.bins", e))
}

/// A partner for every stimulus, drawn as the reference draws: one that shares its shape (the same image in another texture), or its
/// texture (any image of another shape).
fn factors(card: &PairsCard, stimuli: &StimulusSet, roots: &Roots<'_>) -> Result<UnitTask> {
    let wanted = FACTORS.iter().position(|factor| *factor == card.factor);
    let wanted = wanted.ok_or_else(|| roots.field("pairs.factor", "is neither `shape` nor `texture`"))?;
    let column = |field: &str, name: &str| labels(field, name, stimuli, roots);
    let shapes = column("pairs.shape", &card.shape)?;
    let textures = column("pairs.texture", &card.texture)?;
    let images = column("pairs.image", &card.image)?;
    let distinct = |labels: &[String]| {
        let mut distinct = labels.to_vec();
        distinct.sort();
        distinct.dedup();
        distinct
    };
    let (all_shapes, all_textures) = (distinct(&shapes), distinct(&textures));
    if all_shapes.len() < 2 || all_textures.len() < 2 {
        return Err(roots.field("pairs", "needs stimuli of at least two shapes and two textures"));
    }
    let mut random = PythonRandom::new(card.seed.unwrap_or(PAIRS_SEED));
    let mut pairs: [Vec<[usize; 2]>; 2] = Default::default();
    for first in 0..stimuli.len() {
        let factor = random.below(FACTORS.len() as u32) as usize;
        let (own, among) =
            if factor == 0 { (&textures[first], &all_textures) } else { (&shapes[first], &all_shapes) };
        let others: Vec<&String> = among.iter().filter(|label| *label != own).collect();
        let other = others[random.below(others.len() as u32) as usize];
        let fits = |&row: &usize| match factor {
            0 => images[row] == images[first] && textures[row] == *other,
            _ => textures[row] == textures[first] && shapes[row] == *other,
        };
        let found: Vec<usize> = (0..stimuli.len()).filter(fits).collect();
        let second = match (factor, found.len()) {
            (0, 1) => found[0],
            (1, count) if count > 0 => found[random.below(count as u32) as usize],
            (_, count) => {
                let id = &stimuli.ids[first];
                let problem =
                    format!("stimulus `{id}` has {count} partners of {} `{other}`", FACTORS[1 - factor]);
                return Err(roots.field("pairs", &problem));
            }
        };
        pairs[factor].push([first, second]);
    }
    let named =
        FACTORS.iter().zip(pairs).map(|(name, pairs)| FactorPairs { name: (*name).to_owned(), pairs });
    let factors: Vec<FactorPairs> = named.filter(|factor| !factor.pairs.is_empty()).collect();
    match factors.iter().position(|factor| factor.name == FACTORS[wanted]) {
        Some(wanted) => Ok(UnitTask::Factors { factors, wanted }),
        None => Err(roots.field("pairs", "no pair of this factor was drawn; give more stimuli")),
    }
}
