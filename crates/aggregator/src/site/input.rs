//! From a job's record and results to the pages.

use std::collections::HashMap;

use ventral_plan::{BenchmarkFacts, ModelFacts, Plan, ScoreUnit};
use ventral_store::JobRecord;

use super::{BenchmarkRecord, ModelRecord, ResultRecord, Site};
use crate::{Provenance, Results, report_of};

/// What the pages of a job show. Of the spec's path only the file's name, for pages are made to be published.
#[must_use]
pub fn site_of(id: &str, record: &JobRecord, results: &Results) -> Site {
    let plan = &record.plan;
    let mut report = report_of(id, record, results);
    let of_model_or_benchmark = |fact: &Provenance| {
        ["model ", "benchmark ", "note on "].iter().any(|start| fact.name.starts_with(start))
    };
    report.provenance.retain(|fact| !of_model_or_benchmark(fact));
    for fact in report.provenance.iter_mut().filter(|fact| fact.name == "spec") {
        let name = record.spec_file.file_name().unwrap_or_default();
        fact.value = name.to_string_lossy().into_owned();
    }
    Site {
        report,
        models: plan.models.iter().map(|m| (m.identifier.clone(), model_record(m))).collect(),
        benchmarks: plan.benchmarks.iter().map(|b| (b.identifier.clone(), benchmark_record(b))).collect(),
        results: result_records(plan, results),
    }
}

fn model_record(facts: &ModelFacts) -> ModelRecord {
    ModelRecord {
        digest: Some(facts.digest.to_string()),
        commitments: facts.commitments.clone(),
        degrees: facts.degrees,
        features: facts.layers.iter().map(|layer| (layer.name.clone(), layer.features)).collect(),
    }
}

fn benchmark_record(facts: &BenchmarkFacts) -> BenchmarkRecord {
    BenchmarkRecord {
        digest: Some(facts.digest.to_string()),
        stimuli: Some(facts.stimuli.to_string()),
        degrees: facts.degrees,
        notes: facts.notes.clone(),
    }
}

fn result_records(plan: &Plan, results: &Results) -> Vec<ResultRecord> {
    let key = |unit: &ScoreUnit| {
        let model = plan.models.get(unit.model)?;
        let benchmark = plan.benchmarks.get(unit.benchmark)?;
        let layer = model.layers.get(unit.layer)?;
        Some((model.identifier.as_str(), benchmark.identifier.as_str(), layer.name.as_str()))
    };
    let units: HashMap<_, &ScoreUnit> = plan.scores.iter().filter_map(|u| Some((key(u)?, u))).collect();
    let of_selection = |selection: &crate::Selection| {
        let layer = selection.layer.as_deref()?;
        let unit = units.get(&(selection.model.as_str(), selection.benchmark.identifier.as_str(), layer))?;
        Some(ResultRecord {
            model: selection.model.clone(),
            benchmark: selection.benchmark.identifier.clone(),
            layer: layer.to_owned(),
            scores: unit.digest.to_string(),
            gram: unit.gram.to_string(),
        })
    };
    results.selections.iter().filter_map(of_selection).collect()
}
