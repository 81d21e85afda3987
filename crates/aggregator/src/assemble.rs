//! From the store to a job's results.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use ventral_metrics::{CeilingRule, Score};
use ventral_plan::{BenchmarkFacts, Digest, Plan, Preset, Refused, ScoreUnit};
use ventral_store::{Failure, ScoreRecord, Store};

use crate::tree::LeafScore;
use crate::undefined::{Undefined, UndefinedRule};
use crate::{
    BenchmarkRef, Ceiled, Commitment, Error, LayerScore, Leaderboard, Node, NodeContent, Ranking, RawScores,
    RegionRule, Selection, leaderboard, region_tree_by, select,
};
use crate::{parts, summary};

/// Name of the root of the tree: its value is the brain score.
pub const BRAIN_SCORE: &str = "brain_score";

/// Regions in the order of the visual hierarchy; others follow by name.
const HIERARCHY: [&str; 4] = ["V1", "V2", "V4", "IT"];

/// Everything that a job's results say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Every layer on every benchmark that has a score or a failure, in the order of the plan.
    pub layers: Vec<LayerScore>,
    /// Units without a score and without a known failure: the job is not complete.
    pub missing: usize,
    /// The first [`MAX_NAMED`] of these, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_scores: Vec<String>,
    /// Cards of the spec that cannot be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// Chosen layers.
    pub selections: Vec<Selection>,
    /// The leaderboard.
    pub leaderboard: Leaderboard,
}

/// Most missing scores that are named.
pub const MAX_NAMED: usize = 20;

impl Results {
    /// Whether something is missing, failed (to be scored, or to be ceiled) or was refused.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.missing > 0 || !self.refused.is_empty() || self.failed() > 0
    }

    /// How many scores failed, or could not be ceiled.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.layers.iter().filter(|layer| matches!(layer.ceiled, Ceiled::Failed { .. })).count()
    }

    /// Layers that were scored and could not be ceiled, each with the reason.
    pub fn unceiled(&self) -> impl Iterator<Item = (&LayerScore, &str)> {
        self.layers.iter().filter(|layer| layer.raw.is_some()).filter_map(|layer| match &layer.ceiled {
            Ceiled::Failed { reason } => Some((layer, reason.as_str())),
            Ceiled::Score(_) => None,
        })
    }
}

/// Reads a job's scores from the store and assembles them, in the order of the plan.
///
/// # Errors
/// A store that cannot be read, a damaged object, an unusable tree.
pub fn assemble(plan: &Plan, store: &Store, failures: &[Failure]) -> Result<Results, Error> {
    let reasons: BTreeMap<&Digest, &str> = failures.iter().map(|f| (&f.digest, f.reason.as_str())).collect();
    let mut layers = Vec::with_capacity(plan.scores.len());
    let mut missing = 0;
    let mut missing_scores = Vec::new();
    for unit in &plan.scores {
        match (read(store, unit)?, reasons.get(&unit.digest)) {
            (Some(record), _) => layers.push(layer_score(plan, unit, Ok(&record))),
            (None, Some(reason)) => layers.push(layer_score(plan, unit, Err(reason))),
            (None, None) => {
                missing += 1;
                if missing_scores.len() < MAX_NAMED {
                    missing_scores.push(plan.score_title(unit));
                }
            }
        }
    }
    let models: Vec<String> = plan.models.iter().map(|model| model.identifier.clone()).collect();
    let rules = region_rules(plan);
    let selections = select(&models, &layers, &rules, &commitments(plan));
    let counted = if plan.spec.preset.is_some() { LeafScore::Raw } else { LeafScore::Ceiled };
    let mut tree = region_tree_by(counted, BRAIN_SCORE, &branches(&rules));
    leave_out_engineering(&mut tree, plan);
    // A job of brain maps alone has nothing to rank.
    let leaderboard = if rules.is_empty() {
        Leaderboard { ranking: Ranking::TwoDecimals, columns: Vec::new(), rows: Vec::new() }
    } else {
        leaderboard(&tree, &models, &selections, Ranking::TwoDecimals)?
    };
    let refused = plan.refused.clone();
    Ok(Results { layers, missing, missing_scores, refused, selections, leaderboard })
}

/// The raw values of every scored unit, split x neuroid, in the order of the plan.
///
/// # Errors
/// A store that cannot be read, or a damaged object.
pub fn raw_scores(plan: &Plan, store: &Store) -> Result<Vec<RawScores>, Error> {
    let mut raw = Vec::new();
    for unit in &plan.scores {
        let Some(record) = read(store, unit)? else { continue };
        let benchmark = &plan.benchmarks[unit.benchmark];
        let model = &plan.models[unit.model];
        let columns = record.scores.values.ncols();
        let neuroids = match benchmark.neuroids.len() {
            found if found == columns => benchmark.neuroids.clone(),
            _ => vec![String::new(); columns],
        };
        raw.push(RawScores {
            model: model.identifier.clone(),
            layer: model.layers[unit.layer].name.clone(),
            benchmark: benchmark.identifier.clone(),
            version: benchmark.version.clone(),
            neuroids,
            values: record.scores.values,
        });
    }
    Ok(raw)
}

fn read(store: &Store, unit: &ScoreUnit) -> Result<Option<ScoreRecord>, Error> {
    let Some(payload) = store.get(&unit.digest)? else { return Ok(None) };
    let object = store.path(&unit.digest);
    ScoreRecord::decode(&payload).map(Some).map_err(|source| Error::Object { object, source })
}

fn layer_score(plan: &Plan, unit: &ScoreUnit, outcome: Result<&ScoreRecord, &&str>) -> LayerScore {
    let benchmark = &plan.benchmarks[unit.benchmark];
    let model = &plan.models[unit.model];
    let rule = rule(plan, benchmark);
    let asked = plan.spec.features.precision;
    let (raw, ceiled, undefined) = match outcome {
        Ok(record) => {
            let values = &record.scores.values;
            let (raw, ceiled) = match benchmark.variant.parts.as_slice() {
                [] => {
                    let raw = summary::score(benchmark, values.clone());
                    let ceiled = ceiled(benchmark, &rule, &raw);
                    (raw, ceiled)
                }
                parts => parts::scores(parts, &rule, values),
            };
            let counted = if raw.value.is_nan() { UndefinedRule::NotScored } else { UndefinedRule::Skipped };
            let undefined = match record.undefined {
                Some([values, of]) => {
                    Some(Undefined::of_features(values, of, &record.scores.values, counted))
                }
                None => Undefined::of(values, &benchmark.neuroids, counted),
            };
            let undefined = undefined.map(|found| Box::new(found.of_metric(&benchmark.metric)));
            let ceiled = match (&undefined, ceiled) {
                (Some(undefined), _) if raw.value.is_nan() => {
                    Ceiled::Failed { reason: not_scored(undefined) }
                }
                (_, Ok(score)) => Ceiled::Score(score),
                (_, Err(error)) => Ceiled::Failed { reason: error.to_string() },
            };
            (Some(raw), ceiled, undefined)
        }
        Err(reason) => (None, Ceiled::Failed { reason: (*reason).to_owned() }, None),
    };
    LayerScore {
        model: model.identifier.clone(),
        layer: model.layers[unit.layer].name.clone(),
        depth_index: unit.layer,
        benchmark: benchmark.identifier.clone(),
        version: benchmark.version.clone(),
        raw,
        ceiling: own_ceiling(benchmark),
        ceiled,
        precision: outcome.ok().and_then(|record| record.precision).filter(|found| *found != asked),
        undefined,
    }
}

/// The ceiling that the score was divided by, unless its parts have different ones.
fn own_ceiling(benchmark: &BenchmarkFacts) -> Option<f64> {
    let own = benchmark.ceiling.map(|ceiling| ceiling.value);
    benchmark.variant.parts.iter().all(|part| part.ceiling == own).then_some(own).flatten()
}

fn not_scored(undefined: &Undefined) -> String {
    let why = "a neuroid, stimulus or prediction that is constant, or varies by less than the rounding of its mean, has no correlation";
    format!("the score is not a number: {undefined}; {why}")
}

/// Presets of 2018 know no ceilings (spec §1.7).
fn rule(plan: &Plan, benchmark: &BenchmarkFacts) -> CeilingRule {
    if plan.spec.preset == Some(Preset::BrainScore2018) { CeilingRule::Raw } else { benchmark.rule }
}

fn ceiled(
    benchmark: &BenchmarkFacts,
    rule: &CeilingRule,
    raw: &Score,
) -> Result<Score, ventral_metrics::Error> {
    let ceiling = benchmark.ceiling.map(|ceiling| ceiling.value);
    match (&benchmark.variant.behavior, ceiling) {
        (Some(behavior), Some(ceiling)) => rule.apply_per_split(raw, ceiling, &behavior.ceilings),
        _ => rule.apply(raw, ceiling),
    }
}

fn reference(benchmark: &BenchmarkFacts) -> BenchmarkRef {
    BenchmarkRef { identifier: benchmark.identifier.clone(), version: benchmark.version.clone() }
}

/// A region with a `[[selection]]` reports its other benchmarks for the layer chosen there; without, each benchmark chooses for itself.
fn region_rules(plan: &Plan) -> Vec<RegionRule> {
    let mut rules = Vec::new();
    for region in regions(plan) {
        let of_region: Vec<&BenchmarkFacts> = plan.benchmarks.iter().filter(|b| b.region == region).collect();
        let selection = plan.spec.selection.iter().find(|selection| selection.region == region);
        let chosen = selection.and_then(|s| of_region.iter().find(|b| b.identifier == s.select_on));
        // Its benchmark was refused: choosing on what is reported instead would flatter, so the region has no layer.
        if let (Some(selection), None) = (selection, chosen) {
            let select_on = BenchmarkRef { identifier: selection.select_on.clone(), version: String::new() };
            let report_on = of_region.iter().map(|b| reference(b)).collect();
            rules.push(RegionRule { region, select_on, report_on });
            continue;
        }
        match chosen {
            Some(chosen) => {
                let others = of_region.iter().filter(|b| b.identifier != chosen.identifier);
                rules.push(RegionRule {
                    region,
                    select_on: reference(chosen),
                    report_on: others.map(|b| reference(b)).collect(),
                });
            }
            None => rules.extend(of_region.iter().map(|benchmark| RegionRule {
                region: region.clone(),
                select_on: reference(benchmark),
                report_on: vec![reference(benchmark)],
            })),
        }
    }
    rules
}

fn regions(plan: &Plan) -> Vec<String> {
    let mut regions: Vec<String> = plan.benchmarks.iter().map(|b| b.region.clone()).collect();
    let place =
        |region: &String| HIERARCHY.iter().position(|known| known == region).unwrap_or(HIERARCHY.len());
    regions.sort_by(|a, b| (place(a), a).cmp(&(place(b), b)));
    regions.dedup();
    regions
}

/// Regions with nothing but engineering benchmarks are shown and do not count.
fn leave_out_engineering(tree: &mut Node, plan: &Plan) {
    let NodeContent::Branch(regions) = &mut tree.content else { return };
    for node in regions {
        let mut of_region = plan.benchmarks.iter().filter(|b| b.region == node.identifier).peekable();
        node.counts = of_region.peek().is_none() || !of_region.all(|b| b.variant.engineering);
    }
}

/// Each region with the benchmarks reported for it.
fn branches(rules: &[RegionRule]) -> Vec<(String, Vec<BenchmarkRef>)> {
    let mut branches: Vec<(String, Vec<BenchmarkRef>)> = Vec::new();
    for rule in rules {
        match branches.iter_mut().find(|(region, _)| *region == rule.region) {
            Some((_, benchmarks)) => benchmarks.extend(rule.report_on.iter().cloned()),
            None => branches.push((rule.region.clone(), rule.report_on.clone())),
        }
    }
    branches
}

fn commitments(plan: &Plan) -> Vec<Commitment> {
    let of_model = |model: &ventral_plan::ModelFacts| {
        let name = model.identifier.clone();
        let pairs = model.commitments.clone().into_iter();
        pairs
            .map(move |(region, layer)| Commitment { model: name.clone(), region, layer })
            .collect::<Vec<_>>()
    };
    let mut all: Vec<Commitment> = match plan.spec.preset {
        // The best layer counts, whatever the cards say.
        Some(Preset::BrainScore2018) => Vec::new(),
        None => plan.models.iter().flat_map(of_model).collect(),
    };
    // Behaviour is read out from one layer, which nobody chose by its score.
    let behavioral = plan.benchmarks.iter().filter(|b| b.variant.behavior.is_some());
    for region in behavioral.map(|b| &b.region).collect::<BTreeSet<&String>>() {
        all.retain(|commitment| commitment.region != *region);
        let readouts =
            plan.models.iter().filter_map(|model| Some((model, model.layers.get(model.readout?)?)));
        all.extend(readouts.map(|(model, layer)| Commitment {
            model: model.identifier.clone(),
            region: region.clone(),
            layer: layer.name.clone(),
        }));
    }
    all
}
