//! Loads what a spec names and plans it.

use std::path::{Path, PathBuf};

use ventral_data::{Benchmark, Metric, Target, load_benchmark};
use ventral_models::ModelCard;
use ventral_plan::{BenchmarkFacts, Ceiling, Consumes, Digest, JobSpec, MachineFacts, Plan, plan};

use crate::model::load_card;
use crate::{Error, LoadedModel, cards};

/// A job that can run: its plan, its models' cards and its benchmarks.
pub struct Job {
    /// The plan.
    pub plan: Plan,
    /// Model cards, in the order of the plan's models.
    pub cards: Vec<ModelCard>,
    /// Benchmarks, in the order of the plan's.
    pub benchmarks: Vec<Benchmark>,
}

impl Job {
    /// Loads the cards that `spec` names, relative to `spec_file`, and plans the job.
    ///
    /// # Errors
    /// Any card, model or data file that cannot be used, and whatever planning refuses.
    pub fn load(
        spec: JobSpec,
        spec_file: &Path,
        data_dir: Option<&Path>,
        machine: MachineFacts,
    ) -> Result<Self, Error> {
        let model_files = cards::resolve(spec_file, "models", &spec.models, "model.toml")?;
        let benchmark_files = cards::resolve(spec_file, "benchmarks", &spec.benchmarks, "benchmark.toml")?;
        let benchmarks = load_benchmarks(&benchmark_files, data_dir)?;
        let mut model_cards = Vec::with_capacity(model_files.len());
        let mut models = Vec::with_capacity(model_files.len());
        for file in &model_files {
            let mut card = load_card(file, data_dir)?;
            if let Some(patterns) = spec.layers.get(&card.identifier) {
                card.layers.include.clone_from(patterns);
                card.layers.exclude.clear();
            }
            let stimuli = benchmarks.first().map(|benchmark| &benchmark.stimuli);
            models.push(LoadedModel::load(&card)?.facts(&card, stimuli)?);
            model_cards.push(card);
        }
        let facts = benchmarks.iter().map(benchmark_facts).collect::<Result<Vec<_>, Error>>()?;
        check_layer_overrides(&spec, spec_file, &model_cards)?;
        Ok(Self { plan: plan(spec, models, facts, machine)?, cards: model_cards, benchmarks })
    }
}

fn load_benchmarks(files: &[PathBuf], data_dir: Option<&Path>) -> Result<Vec<Benchmark>, Error> {
    files.iter().map(|file| Ok(load_benchmark(file, data_dir)?)).collect()
}

fn check_layer_overrides(spec: &JobSpec, file: &Path, models: &[ModelCard]) -> Result<(), Error> {
    let unknown = spec.layers.keys().find(|name| models.iter().all(|card| card.identifier != **name));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Error::NoCard {
            spec: file.to_owned(),
            field: "layers",
            pattern: name.clone(),
            problem: "is the identifier of no model of this job".to_owned(),
        }),
    }
}

fn benchmark_facts(benchmark: &Benchmark) -> Result<BenchmarkFacts, Error> {
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
