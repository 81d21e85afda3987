//! Which layer of a model stands for a region: best on one benchmark, reported on another (spec §2.3).

use serde::{Deserialize, Serialize};

use crate::{BenchmarkRef, LayerScore, LeafScore, Value};

/// How the layer of a region is found, and where its score is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionRule {
    /// The region.
    pub region: String,
    /// Benchmark whose ceiled scores choose the layer (the public one).
    pub select_on: BenchmarkRef,
    /// Benchmarks whose scores are reported for that layer (the private ones); may contain `select_on`.
    pub report_on: Vec<BenchmarkRef>,
}

/// A layer that the model's card states for a region; it is used instead of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// The model.
    pub model: String,
    /// The region.
    pub region: String,
    /// The layer.
    pub layer: String,
}

/// Why a layer stands for its region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// The model's card says so.
    Commitment,
    /// It has the highest ceiled score on another benchmark than the one reported.
    OtherBenchmark(BenchmarkRef),
    /// It has the highest ceiled score on the very benchmark reported, which flatters the score (spec §1.7).
    SameBenchmark,
}

/// A layer that could not take part in the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedLayer {
    /// The layer.
    pub layer: String,
    /// Why.
    pub reason: String,
}

/// What the chosen layer reached on the benchmark reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reported {
    /// The layer's scores; the ceiled one may have failed.
    Scored(LayerScore),
    /// No layer could be chosen, or the one committed to does not exist.
    Failed {
        /// Why, in words.
        reason: String,
    },
    /// Not run.
    Missing,
}

/// The reported score of one model for one region on one benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The model.
    pub model: String,
    /// The region.
    pub region: String,
    /// The benchmark reported.
    pub benchmark: BenchmarkRef,
    /// The chosen layer, if there is one.
    pub layer: Option<String>,
    /// Why it was chosen.
    pub chosen_by: ChosenBy,
    /// Layers without a score on the selecting benchmark.
    pub skipped: Vec<SkippedLayer>,
    /// The result.
    pub reported: Reported,
}

impl Selection {
    /// The entry for a table.
    #[must_use]
    pub fn value(&self, score: LeafScore) -> Value {
        match (&self.reported, score) {
            (Reported::Scored(layer), LeafScore::Ceiled) => layer.value().clipped(),
            (Reported::Scored(layer), LeafScore::Raw) => layer.raw_value(),
            (Reported::Failed { reason }, _) => Value::Failed { reason: reason.clone() },
            (Reported::Missing, _) => Value::Missing,
        }
    }

    /// The layer's scores, if it was scored.
    #[must_use]
    pub fn layer_score(&self) -> Option<&LayerScore> {
        match &self.reported {
            Reported::Scored(score) => Some(score),
            _ => None,
        }
    }
}

enum Choice {
    Layer(String),
    None(Reported),
}

fn on<'a>(scores: &'a [LayerScore], model: &str, benchmark: &BenchmarkRef) -> Vec<&'a LayerScore> {
    let wanted = |s: &&LayerScore| {
        s.model == model && s.benchmark == benchmark.identifier && s.version == benchmark.version
    };
    let mut found: Vec<&LayerScore> = scores.iter().filter(wanted).collect();
    found.sort_by_key(|s| s.depth_index);
    found
}

/// The first layer along the depth that reaches the highest ceiled score; layers that failed are left out and listed.
fn best(candidates: &[&LayerScore]) -> (Choice, Vec<SkippedLayer>) {
    let mut best: Option<(f64, &LayerScore)> = None;
    let mut skipped = Vec::new();
    for &candidate in candidates {
        match candidate.value() {
            Value::Number(value) if best.is_none_or(|(highest, _)| value > highest) => {
                best = Some((value, candidate))
            }
            Value::Number(_) | Value::Missing => {}
            Value::Failed { reason } => skipped.push(SkippedLayer { layer: candidate.layer.clone(), reason }),
        }
    }
    let choice = match (best, skipped.first()) {
        (Some((_, layer)), _) => Choice::Layer(layer.layer.clone()),
        (None, None) => Choice::None(Reported::Missing),
        (None, Some(first)) if skipped.len() == 1 => {
            Choice::None(Reported::Failed { reason: format!("layer {}: {}", first.layer, first.reason) })
        }
        (None, Some(first)) => {
            let reason =
                format!("none of {} layers has a score; {}: {}", skipped.len(), first.layer, first.reason);
            Choice::None(Reported::Failed { reason })
        }
    };
    (choice, skipped)
}

/// The score of a given layer on a benchmark.
fn reported(scores: &[LayerScore], model: &str, layer: &str, benchmark: &BenchmarkRef) -> Reported {
    let candidates = on(scores, model, benchmark);
    if let Some(score) = candidates.iter().find(|s| s.layer == layer) {
        return Reported::Scored((*score).clone());
    }
    if candidates.is_empty() {
        return Reported::Missing;
    }
    let name = &benchmark.identifier;
    Reported::Failed {
        reason: format!(
            "layer {layer} was not scored on {name}, which has {} other layers",
            candidates.len()
        ),
    }
}

fn select_region(
    scores: &[LayerScore],
    model: &str,
    rule: &RegionRule,
    committed: Option<&Commitment>,
) -> Vec<Selection> {
    let (choice, skipped) = match committed {
        Some(commitment) => (Choice::Layer(commitment.layer.clone()), Vec::new()),
        None => best(&on(scores, model, &rule.select_on)),
    };
    let one = |benchmark: &BenchmarkRef| {
        let (layer, reported) = match &choice {
            Choice::Layer(layer) => (Some(layer.clone()), reported(scores, model, layer, benchmark)),
            Choice::None(why) => (None, why.clone()),
        };
        let chosen_by = match committed {
            Some(_) => ChosenBy::Commitment,
            None if *benchmark == rule.select_on => ChosenBy::SameBenchmark,
            None => ChosenBy::OtherBenchmark(rule.select_on.clone()),
        };
        Selection {
            model: model.to_owned(),
            region: rule.region.clone(),
            benchmark: benchmark.clone(),
            layer,
            chosen_by,
            skipped: skipped.clone(),
            reported,
        }
    };
    rule.report_on.iter().map(one).collect()
}

/// One selection per model, rule and benchmark reported, in that order.
///
/// The layer is the one committed to, or the first along the depth with the highest ceiled score on `select_on`.
/// Layers that failed there do not take part and are listed in each selection; if all failed, so does the selection.
#[must_use]
pub fn select(
    models: &[String],
    scores: &[LayerScore],
    rules: &[RegionRule],
    commitments: &[Commitment],
) -> Vec<Selection> {
    let mut selections = Vec::new();
    for model in models {
        for rule in rules {
            let committed = commitments.iter().find(|c| c.model == *model && c.region == rule.region);
            selections.extend(select_region(scores, model, rule, committed));
        }
    }
    selections
}
