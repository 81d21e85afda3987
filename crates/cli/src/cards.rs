//! `ventral models` and `ventral benchmarks`: what cards there are, and what is in one.

use std::path::{Path, PathBuf};

use serde::Serialize;
use ventral_data::{Benchmark, People, Target, load_benchmark};
use ventral_models::ModelCard;
use ventral_worker::{LoadedModel, find_cards, try_model};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::{table, units};

/// The card itself, given its file or directory.
pub fn card_file(path: &Path, name: &str) -> PathBuf {
    if path.is_dir() { path.join(name) } else { path.to_owned() }
}

/// The one card that is asked for, or else all cards below the directories.
fn chosen(paths: &[PathBuf], name: &str) -> Outcome<(Option<PathBuf>, Vec<PathBuf>)> {
    if let [path] = paths {
        let file = card_file(path, name);
        if file.is_file() {
            return Ok((Some(file), Vec::new()));
        }
    }
    let cards: Vec<PathBuf> = paths.iter().flat_map(|path| find_cards(path, name)).collect();
    if cards.is_empty() {
        let places: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Exit::input(format!("no {name} in {}", places.join(", "))));
    }
    Ok((None, cards))
}

#[derive(Serialize)]
struct Entry {
    identifier: String,
    card: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    /// `ready`, or why the card cannot be used now.
    state: String,
}

/// Lists model cards, or shows one.
pub fn models(context: &Context, paths: &[PathBuf]) -> Outcome {
    let (one, cards) = chosen(paths, "model.toml")?;
    if let Some(card) = one {
        return show_model(context, &card);
    }
    let entry = |path: PathBuf| match ModelCard::load(&path, context.data.as_deref()) {
        Ok(card) => {
            let state = if card.source().is_file() {
                "ready".to_owned()
            } else {
                format!("{} is missing", card.source().display())
            };
            Entry { identifier: card.identifier, card: path, region: None, metric: None, state }
        }
        Err(error) => Entry {
            identifier: folder(&path),
            card: path,
            region: None,
            metric: None,
            state: error.to_string(),
        },
    };
    let entries: Vec<Entry> = cards.into_iter().map(entry).collect();
    context.print(&entries, || {
        let mut table = table::new(&["model", "card", "state"]);
        for entry in &entries {
            table.add_row([entry.identifier.clone(), entry.card.display().to_string(), entry.state.clone()]);
        }
        table.to_string()
    })
}

fn show_model(context: &Context, path: &Path) -> Outcome {
    #[derive(Serialize)]
    struct Layer {
        name: String,
        shape: Vec<usize>,
        features: u64,
        scored: bool,
    }
    let card = ModelCard::load(path, context.data.as_deref())?;
    try_model(&card, context.data.as_deref(), None)?;
    let model = LoadedModel::load(&card)?;
    let all = match &model {
        LoadedModel::Network(network) => network.tensors(),
        LoadedModel::Given { .. } => model.layers(),
    };
    let scored = |name: &str| model.layers().iter().any(|layer| layer.name == name);
    let layers: Vec<Layer> = all
        .iter()
        .map(|layer| Layer {
            name: layer.name.clone(),
            shape: layer.shape.clone(),
            features: layer.features,
            scored: scored(&layer.name),
        })
        .collect();
    let json = serde_json::json!({
        "identifier": card.identifier, "card": path, "source": card.source(), "degrees": card.visual_degrees(),
        "regions": card.regions, "imagenet_top1": card.imagenet_top1, "citation": card.citation,
        "licence": card.licence, "layers": layers,
    });
    context.print(&json, || {
        let mut table = table::new(&["tensor", "shape", "features", "scored"]);
        for layer in &layers {
            let shape: Vec<String> = layer.shape.iter().map(usize::to_string).collect();
            table.add_row([
                layer.name.clone(),
                shape.join(" x "),
                units::count(layer.features),
                if layer.scored { "yes".to_owned() } else { String::new() },
            ]);
        }
        let count = layers.iter().filter(|layer| layer.scored).count();
        let citation = card.citation.as_deref().unwrap_or("no citation on the card");
        format!(
            "{} ({})\n{citation}\n\n{table}\n\n{count} of {} tensors are scored",
            card.identifier,
            card.source().display(),
            layers.len()
        )
    })
}

/// Lists benchmark cards, or shows one.
pub fn benchmarks(context: &Context, paths: &[PathBuf]) -> Outcome {
    let (one, cards) = chosen(paths, "benchmark.toml")?;
    if let Some(card) = one {
        return show_benchmark(context, &card);
    }
    let entry = |path: PathBuf| match load_benchmark(&path, context.data.as_deref()) {
        Ok(benchmark) => Entry {
            identifier: format!("{} v{}", benchmark.card.identifier, benchmark.card.version),
            card: path,
            region: Some(benchmark.card.region.clone()),
            metric: Some(benchmark.card.metric.name.to_string()),
            state: "ready".to_owned(),
        },
        Err(error) => Entry {
            identifier: folder(&path),
            card: path,
            region: None,
            metric: None,
            state: error.to_string(),
        },
    };
    let entries: Vec<Entry> = cards.into_iter().map(entry).collect();
    context.print(&entries, || {
        let mut table = table::new(&["benchmark", "region", "metric", "card", "state"]);
        for entry in &entries {
            table.add_row([
                entry.identifier.clone(),
                entry.region.clone().unwrap_or_default(),
                entry.metric.clone().unwrap_or_default(),
                entry.card.display().to_string(),
                entry.state.clone(),
            ]);
        }
        table.to_string()
    })
}

fn show_benchmark(context: &Context, path: &Path) -> Outcome {
    let benchmark = load_benchmark(path, context.data.as_deref())?;
    let card = &benchmark.card;
    let ceiling = benchmark.ceiling.as_ref();
    let json = serde_json::json!({
        "card": card, "stimuli": benchmark.stimuli.len(), "rows": benchmark.rows(), "targets": benchmark.targets(),
        "splits": benchmark.splits.iter().map(|s| [s.train.len(), s.test.len()]).collect::<Vec<_>>(),
        "ceiling": ceiling.map(|c| c.value), "ceiling_error": ceiling.and_then(|c| c.error),
        "notes": benchmark.notes, "digest": benchmark.digest()?,
    });
    context.print(&json, || benchmark_text(&benchmark))
}

/// What a benchmark is, for a terminal.
pub fn benchmark_text(benchmark: &Benchmark) -> String {
    let card = &benchmark.card;
    let mut table = table::new(&["", ""]);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("region", card.region.clone());
    row("metric", card.metric.name.to_string());
    let pooled = benchmark.pools.as_ref().map(|pools| format!(", averaged into {} rows", pools.len()));
    row("stimuli", format!("{}{}", units::count(benchmark.stimuli.len() as u64), pooled.unwrap_or_default()));
    let what = match &benchmark.target {
        Target::Responses { .. } => "neuroids",
        Target::Rdm { subjects, .. } if !subjects.is_empty() => {
            &format!("pairs of stimuli, of each of {} subjects", subjects.len())
        }
        Target::Rdm { .. } => "pairs of stimuli",
        Target::Behavior(behavior) => match &behavior.people {
            People::Nobody => "answers",
            People::Thresholds(_) => "thresholds of people",
            People::Panel(_) | People::Choices(_) | People::Triplets(_) => "answers of people",
        },
        Target::Units(_) => "property of the units of a layer",
    };
    row("targets", format!("{} {what}", units::count(benchmark.targets() as u64)));
    let splits = benchmark.splits.first().map_or("none".to_owned(), |split| {
        format!("{} ({} train, {} test)", benchmark.splits.len(), split.train.len(), split.test.len())
    });
    row("splits", splits);
    let ceiling = benchmark.ceiling.as_ref().map_or("none".to_owned(), |ceiling| {
        table::score_with_error(ceiling.value, ceiling.error.unwrap_or(f64::NAN))
    });
    row("ceiling", format!("{ceiling}, rule {}", benchmark.rule.name()));
    row("citation", card.citation.clone().unwrap_or_default());
    row("licence", card.licence.clone().unwrap_or_default());
    for note in &benchmark.notes {
        row("note", note.clone());
    }
    format!("{} v{}\n{table}", card.identifier, card.version)
}

fn folder(path: &Path) -> String {
    path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
}
