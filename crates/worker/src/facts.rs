//! What planning needs to know about a benchmark.

use ventral_data::{Benchmark, Metric, Target, Visibility};
use ventral_plan::{BenchmarkFacts, Ceiling, Consumes, Digest};

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
        consumes: if benchmark.metric == Metric::NeuronToNeuron { Consumes::Tiles } else { Consumes::Gram },
        degrees: benchmark.degrees(),
        metric: card.metric.name.to_string(),
        ceiling: ceiling.map(|estimate| Ceiling { value: estimate.value, error: estimate.error }),
        rule: benchmark.rule,
        private: card.visibility == Visibility::Private,
        citation: card.citation.clone(),
        notes: benchmark.notes.clone(),
    })
}

/// One id per column of the scores; a metric with one value per split has none.
fn neuroid_ids(benchmark: &Benchmark) -> Vec<String> {
    let per_neuroid = matches!(benchmark.metric, Metric::Regression(_) | Metric::NeuronToNeuron);
    match &benchmark.target {
        Target::Responses { neuroids, averaged, .. } if per_neuroid => match neuroids.column("neuroid_id") {
            Some(ids) => ids.to_text(),
            None => (0..averaged.ncols()).map(|column| column.to_string()).collect(),
        },
        _ => Vec::new(),
    }
}
