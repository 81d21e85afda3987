//! From a job's record and results to the input of the HTML report.

use super::{BenchmarkInfo, Cost, Provenance, Report, TopOne};
use crate::Results;
use ventral_metrics::Precision;
use ventral_plan::{BenchmarkFacts, Plan};
use ventral_store::{JobRecord, Usage};

/// What the page of a job shows.
#[must_use]
pub fn report_of(id: &str, record: &JobRecord, results: &Results) -> Report {
    let plan = &record.plan;
    Report {
        title: plan.spec.title().to_owned(),
        summary: summary(results),
        leaderboard: results.leaderboard.clone(),
        selections: results.selections.clone(),
        layers: results.layers.clone(),
        benchmarks: plan.benchmarks.iter().map(benchmark_info).collect(),
        imagenet_top1: top_one(plan),
        costs: record.usage.filter(|usage| usage.computed > 0).map(cost).into_iter().collect(),
        provenance: provenance(id, record),
    }
}

/// What a reader must know first: that something is not there.
fn summary(results: &Results) -> Option<String> {
    let mut sentences = Vec::new();
    if results.missing > 0 {
        let named = results.missing_scores.join("; ");
        sentences.push(format!("{} scores are missing: {named}.", results.missing));
    }
    let failed = results.failed();
    if failed > 0 {
        sentences.push(format!("{failed} scores failed; the tables say why."));
    }
    let refused = results.refused.iter();
    sentences.extend(refused.map(|card| format!("Left out: {}: {}.", card.title(), card.reason)));
    (!sentences.is_empty()).then(|| format!("This job is partial. {}", sentences.join(" ")))
}

fn benchmark_info(facts: &BenchmarkFacts) -> BenchmarkInfo {
    BenchmarkInfo {
        identifier: facts.identifier.clone(),
        version: facts.version.clone(),
        region: facts.region.clone(),
        metric: facts.metric.clone(),
        stimuli: facts.stimulus_count,
        targets: facts.targets,
        splits: facts.splits,
        ceiling: facts.ceiling.map(|ceiling| ceiling.value),
        rule: facts.rule,
        error_bar: crate::error_bar(facts).map(str::to_owned),
        citation: facts.citation.clone(),
    }
}

fn top_one(plan: &Plan) -> Vec<TopOne> {
    let known = plan.models.iter().filter_map(|model| Some((model.identifier.clone(), model.imagenet_top1?)));
    known.map(|(model, share)| TopOne { model, percent: 100.0 * share }).collect()
}

fn cost(usage: Usage) -> Cost {
    Cost {
        name: format!("{} results computed, {} found in the store", usage.computed, usage.cached),
        predicted_seconds: Some(usage.predicted_seconds),
        actual_seconds: Some(usage.seconds),
        predicted_bytes: Some(usage.predicted_bytes),
        actual_bytes: usage.peak_bytes,
    }
}

fn precision(plan: &Plan) -> String {
    match plan.spec.features.precision {
        Precision::F32 => {
            "f32; f64 for small layers, metrics that solve, and where f32 is too coarse".to_owned()
        }
        Precision::F64 => "f64".to_owned(),
    }
}

fn provenance(id: &str, record: &JobRecord) -> Vec<Provenance> {
    let plan = &record.plan;
    let fact = |name: &str, value: String| Provenance { name: name.to_owned(), value };
    let mut facts = vec![
        fact("job", id.to_owned()),
        fact("spec", record.spec_file.display().to_string()),
        fact("precision of products", precision(plan)),
        fact("numeric profile", plan.machine.profile.clone()),
        fact("ventral", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    facts.extend(plan.models.iter().map(|m| fact(&format!("model {}", m.identifier), m.digest.to_string())));
    let digest = |b: &BenchmarkFacts| {
        fact(&format!("benchmark {} v{}", b.identifier, b.version), b.digest.to_string())
    };
    facts.extend(plan.benchmarks.iter().map(digest));
    for benchmark in &plan.benchmarks {
        facts.extend(
            benchmark
                .notes
                .iter()
                .map(|note| fact(&format!("note on {}", benchmark.identifier), note.clone())),
        );
    }
    facts
}
