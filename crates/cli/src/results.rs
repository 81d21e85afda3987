//! `ventral jobs`, `leaderboard`, `scores` and `report`: what the store knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use ventral_aggregator::{
    Ceiled, Cell, ChosenBy, LayerScore, Leaderboard, Results, UNDEFINED_MARK, assemble, error_bar, html,
    report_of,
};
use ventral_plan::{BenchmarkFacts, Refused};
use ventral_store::{JobRecord, Owner, Store};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::tree::tree_text;
use crate::{lock, site, table};

/// Regions up to which the leaderboard shows layers: with more, lines would not fit a screen.
const MAX_REGIONS_WITH_LAYERS: usize = 4;

/// Scores with undefined values that are named below a table.
const MAX_FOOTNOTES: usize = 20;

/// File of the report in a job's directory.
pub const REPORT: &str = "report.html";
/// How the reason of a card begins whose model has scores but no images.
const NO_IMAGES: &str = "no images can be made for it: ";

/// Lists the jobs.
pub fn jobs(context: &Context) -> Outcome {
    #[derive(Serialize)]
    struct Entry {
        id: String,
        title: String,
        models: usize,
        benchmarks: usize,
        units: usize,
        failed: usize,
        left_out: usize,
        state: String,
        /// The process that computes it.
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<Owner>,
        spec: PathBuf,
    }
    let store = context.store()?;
    let mut entries = Vec::new();
    for job in store.jobs()? {
        let record = match store.load_job(&job.id) {
            Err(error @ ventral_store::Error::Damaged { .. }) => {
                eprintln!("{}: {error}; `ventral run` with its spec does it", job.id);
                continue;
            }
            record => record?,
        };
        let running = store.running(&job.id)?;
        entries.push(Entry {
            title: record.plan.spec.title().to_owned(),
            models: record.plan.models.len(),
            benchmarks: record.plan.benchmarks.len(),
            units: record.plan.unit_count(),
            failed: record.failed(),
            left_out: record.plan.refused.len(),
            state: match &running {
                Some(owner) => lock::running(owner.as_ref()),
                None => state(&record, &store).to_owned(),
            },
            owner: running.flatten(),
            spec: record.spec_file,
            id: job.id,
        });
    }
    context.print(&entries, || {
        let mut table =
            table::new(&["job", "state", "models", "benchmarks", "units", "failed", "left out", "title"]);
        for entry in &entries {
            table.add_row([
                entry.id.clone(),
                entry.state.clone(),
                entry.models.to_string(),
                entry.benchmarks.to_string(),
                entry.units.to_string(),
                entry.failed.to_string(),
                entry.left_out.to_string(),
                entry.title.clone(),
            ]);
        }
        table.to_string()
    })
}

fn state(record: &JobRecord, store: &Store) -> &'static str {
    let scores = record.plan.scores.iter().map(|unit| &unit.digest);
    let maps = record.plan.maps.iter().map(|unit| &unit.digest);
    let syntheses = record.plan.syntheses.iter().map(|unit| &unit.digest);
    let complete = scores.chain(maps).chain(syntheses).all(|name| store.contains(name));
    // Failures are written when a run ends.
    match (record.failed(), record.plan.refused.is_empty()) {
        (0, _) if !complete => "interrupted",
        (0, true) => "complete",
        (0, false) => "cards left out",
        _ => "failed units",
    }
}

/// Prints a job's leaderboard, and writes it as pages if asked to.
pub fn leaderboard(context: &Context, job: Option<&str>, html: Option<&Path>) -> Outcome {
    #[derive(Serialize)]
    struct WithSite<'a> {
        #[serde(flatten)]
        leaderboard: &'a Leaderboard,
        site: site::Written,
    }
    let (id, record, results) = load(context, job)?;
    match html {
        None => context.print(&results.leaderboard, || leaderboard_text(&results))?,
        Some(directory) => {
            let site = site::write(directory, &id, &record, &results)?;
            let written = WithSite { leaderboard: &results.leaderboard, site };
            context.print(&written, || {
                let site = &written.site;
                format!(
                    "{}site: {} ({} files)\n",
                    leaderboard_text(&results),
                    site.index.display(),
                    site.files
                )
            })?;
        }
    }
    if results.missing == 0 { Ok(()) } else { Err(Exit::Partial) }
}

/// Prints the scores of all layers.
pub fn scores(context: &Context, job: Option<&str>, model: Option<&str>, benchmark: Option<&str>) -> Outcome {
    let (_, record, results) = load(context, job)?;
    let plan = &record.plan;
    known("model", model, plan.models.iter().map(|m| m.identifier.as_str()))?;
    known("benchmark", benchmark, plan.benchmarks.iter().map(|b| b.identifier.as_str()))?;
    let wanted = |score: &&LayerScore| {
        model.is_none_or(|m| score.model == m) && benchmark.is_none_or(|b| score.benchmark == b)
    };
    let rows: Vec<&LayerScore> = results.layers.iter().filter(wanted).collect();
    context.print(&rows, || {
        let mut table = table::new(&["model", "benchmark", "layer", "raw", "ceiled"]);
        for row in &rows {
            let ceiled = match &row.ceiled {
                Ceiled::Score(score) if row.note().is_some() => {
                    format!("{}{UNDEFINED_MARK}", table::score_with_error(score.value, score.error))
                }
                Ceiled::Score(score) => table::score_with_error(score.value, score.error),
                Ceiled::Failed { .. } => "X".to_owned(),
            };
            let raw =
                row.raw.as_ref().map_or(String::new(), |raw| table::score_with_error(raw.value, raw.error));
            let mark = if row.precision.is_some() { " *" } else { "" };
            table.add_row([&row.model, &row.benchmark, &row.layer, &raw, &(ceiled + mark)]);
        }
        table::align_numbers(&mut table, 3);
        let precision = rows.iter().find_map(|row| row.precision).map_or_else(String::new, |precision| {
            format!("\n* in {precision}: small layers, metrics that solve, and where the precision asked for is too coarse")
        });
        let shown = plan.benchmarks.iter().filter(|b| rows.iter().any(|row| row.benchmark == b.identifier));
        let notes = rows.iter().filter_map(|row| {
            Some((format!("{} on {}, layer {}", row.model, row.benchmark, row.layer), row.note()?))
        });
        let failed = rows.iter().filter_map(|row| match &row.ceiled {
            Ceiled::Failed { reason } => {
                Some((format!("{}, layer {}, on {}", row.model, row.layer, row.benchmark), reason.as_str()))
            }
            Ceiled::Score(_) => None,
        });
        format!("{table}{precision}\n{}{}{}", error_bars(shown), footnotes(notes), failures_text(failed))
    })?;
    if results.missing == 0 { Ok(()) } else { Err(Exit::Partial) }
}

/// What ± is, a line per kind of error bar.
fn error_bars<'a>(benchmarks: impl Iterator<Item = &'a BenchmarkFacts>) -> String {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    benchmarks
        .filter_map(|b| Some((error_bar(b)?, b.identifier.as_str())))
        .for_each(|(kind, name)| kinds.entry(kind).or_default().push(name));
    kinds.into_iter().map(|(kind, of)| format!("± {kind}: {}\n", of.join(", "))).collect()
}

/// A line for each reason, with the first unit that failed for it.
pub fn failures_text<'a>(failures: impl Iterator<Item = (String, &'a str)>) -> String {
    let mut by_reason: Vec<(&str, String, usize)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (unit, reason) in failures {
        match places.get(reason).and_then(|&place| by_reason.get_mut(place)) {
            Some((_, _, more)) => *more += 1,
            None => {
                places.insert(reason, by_reason.len());
                by_reason.push((reason, unit, 0));
            }
        }
    }
    let left = by_reason.len().saturating_sub(MAX_FOOTNOTES);
    let mut text = String::new();
    for (reason, unit, more) in by_reason.into_iter().take(MAX_FOOTNOTES) {
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        text.push_str(&one_of(&format!("failed: {unit}{more}: {reason}")));
    }
    match left {
        0 => text,
        _ => text + &format!("failed for {left} more reasons; `ventral export --what layers` has all\n"),
    }
}

/// One entry of a list: what comes from files cannot begin a line of its own.
fn one_of(text: &str) -> String {
    text.replace('\n', "\n  ") + "\n"
}

/// A line for each score that passes over undefined values.
fn footnotes(notes: impl Iterator<Item = (String, impl AsRef<str>)>) -> String {
    let mut text = String::new();
    let mut left = 0;
    for (number, (what, note)) in notes.enumerate() {
        match number < MAX_FOOTNOTES {
            true => text.push_str(&format!("{UNDEFINED_MARK} {what}: {}\n", note.as_ref())),
            false => left += 1,
        }
    }
    match left {
        0 => text,
        _ => text + &format!("{UNDEFINED_MARK} and {left} more; `ventral export --what layers` has all\n"),
    }
}

fn known<'a>(what: &str, asked: Option<&str>, names: impl Iterator<Item = &'a str>) -> Outcome {
    let Some(asked) = asked else { return Ok(()) };
    let names: Vec<&str> = names.collect();
    if names.contains(&asked) {
        return Ok(());
    }
    Err(Exit::input(format!("no {what} '{asked}' in this job, which has {}", names.join(", "))))
}

/// Writes a job's report.
pub fn report(context: &Context, job: Option<&str>, output: Option<PathBuf>) -> Outcome {
    let (id, record, results) = load(context, job)?;
    let path = match &context.remote {
        None => write_report(&context.store()?, &id, &record, &results, output)?,
        Some(_) => {
            let path = output.unwrap_or_else(|| PathBuf::from(format!("{id}.html")));
            write_page(&html(&report_of(&id, &record, &results))?, path)?
        }
    };
    context.print(&serde_json::json!({ "report": path.to_string_lossy() }), || path.display().to_string())
}

/// Writes the report to `output`, or into the job's directory, and returns where it is.
pub fn write_report(
    store: &Store,
    id: &str,
    record: &JobRecord,
    results: &Results,
    output: Option<PathBuf>,
) -> Outcome<PathBuf> {
    let page = html(&report_of(id, record, results))?;
    match output {
        None => Ok(store.write_job_file(id, REPORT, page.as_bytes())?),
        Some(path) => write_page(&page, path),
    }
}

fn write_page(page: &str, path: PathBuf) -> Outcome<PathBuf> {
    let failed = |error| Exit::Machine(anyhow::anyhow!("cannot write {}: {error}", path.display()));
    fs::write(&path, page).map_err(failed)?;
    Ok(path)
}

/// A job and its results, of the cluster if there is one.
pub fn load(context: &Context, job: Option<&str>) -> Outcome<(String, JobRecord, Results)> {
    if let Some(remote) = &context.remote {
        return remote.load(job);
    }
    let store = context.store()?;
    let (id, record) = context.record(&store, job)?;
    let results = assemble(&record.plan, &store, &record.failures)?;
    Ok((id, record, results))
}

/// The leaderboard for a terminal: brain score, then each region with its layer.
pub fn leaderboard_text(results: &Results) -> String {
    let board = &results.leaderboard;
    let shown: Vec<usize> = (0..board.columns.len()).filter(|&i| board.columns[i].depth <= 1).collect();
    let with_layers = shown.len() <= 1 + MAX_REGIONS_WITH_LAYERS;
    let mut head = vec!["rank".to_owned(), "model".to_owned()];
    for &column in &shown {
        let name = &board.columns[column].identifier;
        head.push(if column == 0 { "brain score".to_owned() } else { name.clone() });
        if column > 0 && with_layers {
            head.push(format!("{name} layer"));
        }
    }
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = table::new(&head);
    for row in &board.rows {
        let mut cells = vec![row.rank.map_or("-".to_owned(), |rank| rank.to_string()), row.model.clone()];
        for &column in &shown {
            let cell = &row.cells[column];
            cells.push(cell_text(cell));
            if column > 0 && with_layers {
                cells.push(cell.layer.clone().unwrap_or_else(|| "-".to_owned()));
            }
        }
        table.add_row(cells);
    }
    // A job of maps alone has no models to rank.
    let mut text =
        if shown.len() > 1 { format!("{table}\n{}", tree_text(board, with_layers)) } else { String::new() };
    let on_itself = |cell: &Cell| matches!(cell.chosen_by, Some(ChosenBy::SameBenchmark));
    if board.rows.iter().flat_map(|row| &row.cells).any(on_itself) {
        text.push_str(
            "Layers were chosen on the benchmark they are reported on, which flatters; [[selection]] separates the two.\n",
        );
    }
    let notes = board.notes().map(|(model, column, cell, note)| {
        let layer = cell.layer.as_deref().unwrap_or("-");
        (format!("{model} on {}, layer {layer}", column.identifier), note)
    });
    text.push_str(&footnotes(notes));
    if results.missing > 0 {
        text.push_str(&format!(
            "{} scores are missing: the job was interrupted, `ventral resume` continues it.\n",
            results.missing
        ));
    }
    for refused in &results.refused {
        text.push_str(&left_out(refused));
    }
    text
}

/// A card that was refused, as a line. One whose model is there for its scores is not left out, but has no images.
pub fn left_out(card: &Refused) -> String {
    match card.reason.strip_prefix(NO_IMAGES) {
        Some(reason) => one_of(&format!("no images for: {}: {reason}", card.title())),
        None => one_of(&format!("left out: {}: {}", card.title(), card.reason)),
    }
}

/// A score with its error bar, `X` for a failed and `-` for a missing one.
pub fn cell_text(cell: &Cell) -> String {
    let value = cell.text();
    match cell.error {
        Some(error) if cell.value.number().is_some() => format!("{value} ± {}", table::score(error)),
        _ if value.is_empty() => "-".to_owned(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use ventral_plan::CardKind;

    use super::*;

    #[test]
    fn a_model_that_has_scores_is_not_left_out() {
        let line = |reason: &str| {
            let card = Refused { kind: CardKind::Model, card: "a.toml".into(), reason: reason.into() };
            left_out(&card)
        };
        let found = line("no images can be made for it: the operator `LSTM` has no gradient");
        assert_eq!(found, "no images for: model a.toml: the operator `LSTM` has no gradient\n");
        assert_eq!(line("no such file"), "left out: model a.toml: no such file\n");
    }
}
