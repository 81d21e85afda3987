//! What is wrong with a card and its files, as far as possible all at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::card::BenchmarkCard;
use super::locate::Roots;
use super::parse::{parse_toml, unquoted};
use super::{Benchmark, behavior, listing, load_benchmark, rdms, recording, resolve, units};
use crate::error::{Error, Result};

/// Most problems of one card that are reported.
pub const MAX_PROBLEMS: usize = 100;
/// Most bytes that are parsed again to find more than the first problem: a large card shows fewer problems at once.
const MAX_REPARSED_BYTES: usize = 4 << 20;
/// Most images whose problems are reported one by one.
const MAX_IMAGE_PROBLEMS: usize = 20;

/// Something that is wrong with a card or with a file that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardProblem {
    /// The card, or the file.
    pub file: PathBuf,
    /// Dotted name of the field, where it is one.
    pub field: Option<String>,
    /// What was found, and what to do.
    pub problem: String,
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// Everything that is wrong; empty if the card can be used.
    pub problems: Vec<CardProblem>,
    /// The benchmark, if nothing is wrong.
    pub benchmark: Option<Benchmark>,
}

/// Checks a card and everything that it reads: fields, files, every image, and whether they belong together.
///
/// Problems do not hide each other where they are independent; at most [`MAX_PROBLEMS`] are reported. `card` is its file or folder,
/// `data_dir` is where `data = ...` files lie.
pub fn check_benchmark(card: &Path, data_dir: Option<&Path>) -> Checked {
    let path = super::card_file(card);
    let mut found = Found { problems: Vec::new(), fields: BTreeSet::new() };
    let text = match crate::files::read_card(&path) {
        Ok(text) => text,
        Err(error) => {
            found.add(error);
            return found.finish(None);
        }
    };
    let (card, usable) = repair(&text, &path, &mut found);
    if let Some(card) = &card {
        check_fields(card, &path, &mut found);
        let roots = Roots { card: &path, data_dir };
        let missing = listing::missing(card, &roots);
        let complete = missing.is_empty() && usable;
        missing.into_iter().for_each(|error| found.add(error));
        if complete {
            check_files(card, &roots, &mut found);
        }
    }
    if !found.problems.is_empty() {
        return found.finish(None);
    }
    match load_benchmark(&path, data_dir) {
        Ok(benchmark) => {
            check_images(&benchmark, &mut found);
            found.finish(Some(benchmark))
        }
        Err(error) => {
            found.add(error);
            found.finish(None)
        }
    }
}

struct Found {
    problems: Vec<CardProblem>,
    /// Fields that have a problem: a second one of the same field would be its echo.
    fields: BTreeSet<(PathBuf, String)>,
}

impl Found {
    fn add(&mut self, error: Error) {
        let problem = describe(error);
        if let Some(field) = &problem.field
            && !self.fields.insert((problem.file.clone(), field.clone()))
        {
            return;
        }
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn add_if_wrong<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    fn finish(self, benchmark: Option<Benchmark>) -> Checked {
        let benchmark = benchmark.filter(|_| self.problems.is_empty());
        Checked { problems: self.problems, benchmark }
    }
}

fn describe(error: Error) -> CardProblem {
    let text = error.to_string();
    match error {
        Error::Field { path, field, problem } => CardProblem { file: path, field: Some(field), problem },
        Error::UnknownField { path, field, nearest } => {
            let advice = nearest.map_or("remove it".to_owned(), |name| format!("did you mean `{name}`?"));
            CardProblem { file: path, field: Some(field), problem: format!("is no field; {advice}") }
        }
        Error::Metric { path, field, source } => {
            CardProblem { file: path, field: Some(field.to_owned()), problem: source.to_string() }
        }
        Error::Io { path, .. }
        | Error::Parse { path, .. }
        | Error::DuplicateId { path, .. }
        | Error::Missing { path, .. }
        | Error::NonFinite { path, .. }
        | Error::Shape { path, .. }
        | Error::Digest { path, .. }
        | Error::NotAvailable { path, .. } => {
            // These messages begin with the file, which is told by itself.
            let start = format!("{}: ", path.display());
            let problem = text.strip_prefix(&start).unwrap_or(&text).to_owned();
            CardProblem { file: path, field: None, problem }
        }
        Error::Fetch { url, problem } => CardProblem { file: url.into(), field: None, problem },
    }
}

/// Parses a card, taking out what is wrong until the rest can be read. The second value says whether no field that is needed had
/// to be made up.
fn repair(text: &str, path: &Path, found: &mut Found) -> (Option<BenchmarkCard>, bool) {
    let mut usable = true;
    let mut table: toml::Table = match toml::from_str(text) {
        Ok(table) => table,
        // The syntax is wrong: there is nothing to go on with.
        Err(_) => {
            found.add_if_wrong(parse_toml::<BenchmarkCard>(text, path).map(drop));
            return (None, false);
        }
    };
    let mut current = text.to_owned();
    let rounds = (MAX_REPARSED_BYTES / text.len().max(1)).clamp(1, MAX_PROBLEMS);
    for _ in 0..rounds {
        let error = match parse_toml::<BenchmarkCard>(&current, path) {
            Ok(card) => return (Some(card), usable),
            Err(error) => error,
        };
        let (field, missing) = match &error {
            Error::UnknownField { field, .. } => (field.clone(), false),
            Error::Field { field, problem, .. } => (field.clone(), problem.starts_with("is missing")),
            _ => {
                found.add(error);
                return (None, false);
            }
        };
        found.add(renumbered(error, text));
        let parts: Vec<&str> = field.split('.').collect();
        let changed = if missing {
            usable = false;
            insert(&mut table, &parts)
        } else {
            remove(&mut table, &parts)
        };
        current = match (changed, toml::to_string(&table)) {
            (true, Ok(text)) => text,
            _ => return (None, false),
        };
    }
    (None, false)
}

/// After the first problem lines are counted in a text that the user has never seen: the number of the field's own line instead.
fn renumbered(error: Error, text: &str) -> Error {
    let Error::Field { path, field, problem } = error else { return error };
    let Some((_, rest)) = problem.strip_prefix("line ").and_then(|p| p.split_once(": ")) else {
        return Error::Field { path, field, problem };
    };
    let key = field.rsplit('.').next().unwrap_or_default();
    let section = field.strip_suffix(key).unwrap_or_default().trim_end_matches('.');
    let mut here = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some((name, _)) = line.strip_prefix('[').and_then(|l| l.split_once(']')) {
            here = name.trim_matches(['[', ' ']).to_owned();
        } else if here == section && line.split_once('=').is_some_and(|(k, _)| unquoted(k) == key) {
            return Error::Field { path, field, problem: format!("line {}: {rest}", number + 1) };
        }
    }
    Error::Field { path, field, problem: rest.to_owned() }
}

fn remove(table: &mut toml::Table, parts: &[&str]) -> bool {
    match parts {
        [] | [""] => false,
        [key] => table.remove(*key).is_some(),
        [key, rest @ ..] => match table.get_mut(*key) {
            Some(toml::Value::Table(inner)) => remove(inner, rest),
            Some(toml::Value::Array(items)) => {
                let tables = items.iter_mut().filter_map(toml::Value::as_table_mut);
                // From all of them, not from the first alone.
                tables.filter_map(|inner| remove(inner, rest).then_some(())).count() > 0
            }
            _ => table.remove(*key).is_some(),
        },
    }
}

/// Puts a stand-in where a field is missing, so that what comes after it can be read: the first that the field accepts.
fn insert(table: &mut toml::Table, parts: &[&str]) -> bool {
    let Some((key, sections)) = parts.split_last() else { return false };
    let mut place = table;
    for section in sections {
        let entry = place.entry((*section).to_owned()).or_insert_with(|| toml::Table::new().into());
        match entry.as_table_mut() {
            Some(inner) => place = inner,
            None => return false,
        }
    }
    let stand_in: toml::Value = match (sections.last().copied().unwrap_or_default(), *key) {
        ("", "stimuli" | "assembly" | "metric" | "time" | "pca") => toml::Table::new().into(),
        ("stimuli" | "images", "format") => "zip".into(),
        (_, "format") => "npy".into(),
        ("metric", "name") => "pls".into(),
        (_, "axes") => toml::Value::Array(vec!["presentation".into(), "neuroid".into()]),
        (_, "mode") => "mean".into(),
        _ => "missing".into(),
    };
    place.insert((*key).to_owned(), stand_in).is_none()
}

/// Fields that can be judged without any file.
fn check_fields(card: &BenchmarkCard, path: &Path, found: &mut Found) {
    for (field, name) in super::parse::names(card) {
        found.add_if_wrong(super::parse::check_name(field, name, path));
    }
    found.add_if_wrong(card.metric.resolve(path));
    let roots = Roots { card: path, data_dir: None };
    found.add_if_wrong(resolve::check_degrees(&card.stimuli, &roots));
    if !units::is_of_units(card.metric.name) {
        found.add_if_wrong(units::check_absent(card, &roots));
    }
}

/// Files, each by itself.
fn check_files(card: &BenchmarkCard, roots: &Roots<'_>, found: &mut Found) {
    if behavior::is_behavioral(card.metric.name) {
        found.add_if_wrong(behavior::load(card, roots));
        return;
    }
    if units::is_of_units(card.metric.name) {
        found.add_if_wrong(units::load(card, roots));
        return;
    }
    found.add_if_wrong(resolve::open_stimuli(card, roots));
    match card.holds_rdms() {
        false => drop(found.add_if_wrong(recording::read(card, roots))),
        true => drop(found.add_if_wrong(rdms::read(card, roots))),
    }
}

/// Every image must be readable, though a benchmark is loaded without looking into them.
fn check_images(benchmark: &Benchmark, found: &mut Found) {
    let images = &benchmark.stimuli;
    let wrong = (0..images.len()).filter_map(|index| images.image(index).err());
    wrong.take(MAX_IMAGE_PROBLEMS).for_each(|error| found.add(error));
}
