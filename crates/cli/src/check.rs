//! `ventral benchmarks check CARD` and `ventral models check CARD`: everything that is wrong with a card and its files.

use std::path::Path;

use ventral_data::{Benchmark, CardProblem, Target, check_benchmark};
use ventral_models::ModelCard;
use ventral_worker::{LoadedModel, try_model};

use crate::cards::{benchmark_text, card_file};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::units;

/// Checks a benchmark card, its files and every image.
pub fn benchmark(context: &Context, card: &Path) -> Outcome {
    let checked = check_benchmark(card, context.data.as_deref());
    let Some(benchmark) = &checked.benchmark else { return refuse(context, &checked.problems) };
    let json = serde_json::json!({
        "identifier": benchmark.card.identifier, "version": benchmark.card.version, "problems": checked.problems,
        "stimuli": benchmark.stimuli.len(), "rows": benchmark.rows(), "targets": benchmark.targets(),
        "repeats": repeats(benchmark),
        "splits": benchmark.splits.iter().map(|s| [s.train.len(), s.test.len()]).collect::<Vec<_>>(),
        "ceiling": benchmark.ceiling.as_ref().map(|c| c.value),
        "ceiling_error": benchmark.ceiling.as_ref().and_then(|c| c.error),
        "notes": benchmark.notes, "digest": benchmark.digest()?,
    });
    context.print(&json, || {
        let repeats = match (&benchmark.target, repeats(benchmark)) {
            (_, Some(count)) => {
                format!("up to {} repetitions of each presentation\n", units::count(count as u64))
            }
            (Target::Responses { .. }, None) => {
                "no repetitions: a ceiling cannot be computed from them\n".to_owned()
            }
            _ => String::new(),
        };
        format!("{}\n{repeats}nothing is wrong with this card", benchmark_text(benchmark))
    })
}

fn repeats(benchmark: &Benchmark) -> Option<usize> {
    match &benchmark.target {
        Target::Responses { repeats: Some(repeats), .. } => repeats.shape().first().copied(),
        _ => None,
    }
}

/// Checks a model card: its fields, its network, and that the layers it names are there.
pub fn model(context: &Context, path: &Path) -> Outcome {
    let path = &card_file(path, "model.toml");
    let problem = |field: Option<String>, problem: String| CardProblem { file: path.clone(), field, problem };
    let loaded = match ModelCard::load(path, context.data.as_deref()) {
        Ok(card) => try_model(&card, context.data.as_deref(), None)
            .and_then(|()| LoadedModel::load(&card))
            .map(|model| (card, model))
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let (card, model) = match loaded {
        Ok(loaded) => loaded,
        Err(text) => {
            let start = format!("{}: ", path.display());
            let text = text.strip_prefix(&start).unwrap_or(&text);
            return refuse(context, &[problem(None, text.to_owned())]);
        }
    };
    let layers = model.layers();
    let is_scored = |name: &str| layers.iter().any(|layer| layer.name == name);
    let problems: Vec<CardProblem> = card
        .regions
        .iter()
        .filter(|(_, layer)| !is_scored(layer))
        .map(|(region, layer)| {
            let text = format!(
                "'{layer}' is not among the {} layers scored; see `ventral models CARD`",
                layers.len()
            );
            problem(Some(format!("regions.{region}")), text)
        })
        .collect();
    if !problems.is_empty() {
        return refuse(context, &problems);
    }
    let json = serde_json::json!({
        "identifier": card.identifier, "source": card.source(), "problems": problems,
        "layers": layers.iter().map(|layer| &layer.name).collect::<Vec<_>>(), "digest": card.digest()?,
    });
    context.print(&json, || {
        let features: u64 = layers.iter().map(|layer| layer.features).sum();
        format!(
            "{} ({})\n{} layers are scored, {} features together; {} regions have a layer\nnothing is wrong with this card",
            card.identifier,
            card.source().display(),
            layers.len(),
            units::count(features),
            card.regions.len()
        )
    })
}

/// Prints what is wrong, one line each, and ends with the exit code of unusable input.
fn refuse(context: &Context, problems: &[CardProblem]) -> Outcome {
    context.print(&serde_json::json!({ "problems": problems }), || {
        let line = |problem: &CardProblem| {
            let field = problem.field.as_ref().map_or_else(String::new, |field| format!(" `{field}`"));
            format!("{}:{field} {}", problem.file.display(), problem.problem).replace('\n', "\n  ")
        };
        problems.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    let count = problems.len();
    Err(Exit::input(format!("{count} problem{}", if count == 1 { "" } else { "s" })))
}
