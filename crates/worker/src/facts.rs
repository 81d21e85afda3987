//! What planning needs to know about a benchmark.

use ventral_data::{Benchmark, Kind, Metric, Target, Visibility};
use ventral_metrics::ReversePredictivity;
use ventral_plan::{BehaviorFacts, BenchmarkFacts, Ceiling, Consumes, Digest, PartFacts, Variant};

use crate::Error;

pub fn of_benchmark(benchmark: &Benchmark) -> Result<BenchmarkFacts, Error> {
    let digest = |text: String| Digest::try_from(text).map_err(|error| Error::Mismatch(error.to_string()));
    let card = &benchmark.card;
    let ceiling = benchmark.ceiling.as_ref();
    Ok(BenchmarkFacts {
        identifier: card.identifier.clone(),
        version: card.version.clone(),
        region: card.region.clone(),
        digest: digest(benchmark.digest()?)?,
        stimuli: digest(benchmark.stimuli.digest()?)?,
        stimulus_count: benchmark.stimuli.len(),
        targets: benchmark.targets(),
        neuroids: neuroid_ids(benchmark),
        splits: benchmark.splits.len().max(1),
        consumes: match &benchmark.metric {
            Metric::NeuronToNeuron | Metric::Reverse(_) | Metric::Behavior | Metric::Units => Consumes::Tiles,
            _ => Consumes::Gram,
        },
        degrees: benchmark.degrees(),
        metric: card.metric.name.to_string(),
        ceiling: ceiling.map(|estimate| Ceiling { value: estimate.value, error: estimate.error }),
        rule: benchmark.rule,
        private: card.visibility == Visibility::Private,
        citation: card.citation.clone(),
        notes: benchmark.notes.clone(),
        variant: variant(benchmark),
    })
}

fn variant(benchmark: &Benchmark) -> Variant {
    let fitted = matches!(benchmark.metric, Metric::Regression(_));
    let part = |(index, part): (usize, &ventral_data::Part)| PartFacts {
        name: part.name.clone(),
        columns: if fitted { part.columns.clone() } else { vec![index] },
        ceiling: part.ceiling,
    };
    Variant {
        needs_gram: matches!(&benchmark.metric, Metric::Reverse(r) if ReversePredictivity::needs_gram(r)),
        solves: matches!(&benchmark.metric, Metric::Regression(regression) if regression.solves()),
        parts: benchmark.parts.iter().enumerate().map(part).collect(),
        bins: crate::rows::target_bins(benchmark),
        components: benchmark.components.as_ref().map(|components| components.count),
        engineering: benchmark.card.kind == Kind::Engineering,
        behavior: behavior(benchmark),
        subjects: matches!(&benchmark.target, Target::Rdm { subjects, .. } if !subjects.is_empty()),
        units: benchmark.metric == Metric::Units,
    }
}

fn behavior(benchmark: &Benchmark) -> Option<BehaviorFacts> {
    let Target::Behavior(behavior) = &benchmark.target else { return None };
    let ceilings = benchmark.ceiling.as_ref().map(|estimate| estimate.per_split.clone()).unwrap_or_default();
    Some(BehaviorFacts { summary: behavior.metric.summary(), ceilings })
}

/// One id per column of the scores; a metric with one value per split has none.
fn neuroid_ids(benchmark: &Benchmark) -> Vec<String> {
    let per_neuroid = matches!(benchmark.metric, Metric::Regression(_) | Metric::NeuronToNeuron);
    match &benchmark.target {
        Target::Responses { neuroids, averaged, .. } if per_neuroid => match neuroids.column("neuroid_id") {
            Some(ids) => ids.to_text(),
            None => (0..averaged.ncols()).map(|column| column.to_string()).collect(),
        },
        Target::Rdm { subjects, .. } => subjects.clone(),
        _ => Vec::new(),
    }
}
