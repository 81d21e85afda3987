//! From a card to a benchmark: rows matched with stimuli, everything checked.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use ndarray::ArrayView2;

use super::card::{ArrayFormat, BenchmarkCard, StimuliCard, StimulusFormat};
use super::locate::Roots;
use super::recording::{self, Recording, neuroid_ids};
use super::{Benchmark, Target, Time, behavior, ceiling, parts, rdms, reduction, splits, units};
use crate::error::{Error, Result, other_side};
use crate::stimuli::{StimulusSet, check_unique_or};
use crate::table::Table;

/// Images matched by `zip` and `directory` unless the card says otherwise.
const ANY_FILE: &str = "*";

/// Reads a benchmark; `card` is its file or folder, `data_dir` is where `data = ...` files lie.
///
/// Rows are in the order of the assembly: splits are built on it (spec §1.5).
///
/// # Errors
/// Those of reading the card and its files, and: stimuli without responses or responses without stimuli
/// ([`Error::Missing`]), repeated identifiers ([`Error::DuplicateId`]), NaN or infinite responses
/// ([`Error::NonFinite`]), too few stimuli for the splits ([`Error::Metric`]). Constant neuroids are no error, they are in
/// [`Benchmark::notes`].
pub fn load_benchmark(card: &Path, data_dir: Option<&Path>) -> Result<Benchmark> {
    let path = super::card_file(card);
    let card = BenchmarkCard::load(&path)?;
    let roots = Roots { card: &path, data_dir };
    let metric = card.metric.resolve(&path)?;
    check_degrees(&card.stimuli, &roots)?;
    if units::is_of_units(card.metric.name) {
        let (stimuli, task) = units::load(&card, &roots)?;
        return without_recording(card, &roots, stimuli, Target::Units(Box::new(task)));
    }
    units::check_absent(&card, &roots)?;
    if behavior::is_behavioral(card.metric.name) {
        return load_behavior(card, &roots);
    }
    let stimuli = open_stimuli(&card, &roots)?;
    let (rows, target, mut notes, recording) = if card.holds_rdms() {
        let found = rdms::read(&card, &roots)?;
        let rows = match_rows(&card, stimuli, None, found.stimuli(), &found.path)?;
        (rows, Target::Rdm { rdms: found.rdms, subjects: found.subjects }, found.notes, None)
    } else {
        let mut recording = recording::read(&card, &roots)?;
        let rows =
            match_rows(&card, stimuli, recording.ids.take(), recording.values.nrows(), &recording.path)?;
        check_finite(&recording.path, recording.values.view(), &rows.ids, &recording.neuroid)?;
        let target = Target::Responses {
            averaged: std::mem::take(&mut recording.values),
            repeats: recording.repeats.take(),
            neuroids: recording.neuroid.clone(),
        };
        (rows, target, std::mem::take(&mut recording.notes), Some(recording))
    };
    check_metric(&card, &target, &roots)?;
    let target = rdms::apart(&card, &metric, target, &rows.ids, &roots)?;
    let splits = splits::resolve(&card, &roots, &rows, recording.as_ref().map(|r| &r.presentation), &metric)?;
    if let (Target::Responses { averaged, neuroids, .. }, false) = (&target, splits.is_empty()) {
        notes.extend(splits::silent(averaged.view(), neuroids, &splits));
    }
    let (ceiling, rule) = ceiling::resolve(&card, &roots, &target, recording.as_ref(), &rows.ids, &splits)?;
    if ceiling.estimate.is_none() {
        notes.push("there is no ceiling: scores are raw".to_string());
    }
    let bins = recording.map(|recording| recording.bins).unwrap_or_default();
    let time = card.time.as_ref().map(|time| Time { mode: time.mode, bins: bins.clone() });
    let (groups, parts) = parts::resolve(&card, &metric, time.as_ref(), target.neuroids(), &ceiling, &roots)?;
    let (stimuli, components) = reduction::resolve(&card, &metric, rows.stimuli, &roots)?;
    Ok(Benchmark {
        card,
        path,
        stimuli,
        pools: rows.pools,
        ids: rows.ids,
        target,
        metric,
        splits,
        ceiling: ceiling.estimate,
        rule,
        notes,
        time,
        bins,
        components,
        groups,
        parts,
    })
}

/// A benchmark of behaviour: rows are stimuli, those that a decoder learns from included.
fn load_behavior(card: BenchmarkCard, roots: &Roots<'_>) -> Result<Benchmark> {
    if card.splits != Default::default() {
        return Err(roots.field("splits", "has no meaning for a metric of behaviour; remove it"));
    }
    let (stimuli, behavior) = behavior::load(&card, roots)?;
    without_recording(card, roots, stimuli, Target::Behavior(Box::new(behavior)))
}

/// A benchmark that has no responses to its stimuli: every stimulus is a row.
fn without_recording(
    card: BenchmarkCard,
    roots: &Roots<'_>,
    stimuli: StimulusSet,
    target: Target,
) -> Result<Benchmark> {
    let (found, rule) = ceiling::resolve(&card, roots, &target, None, &[], &[])?;
    let ceiling = found.estimate;
    let mut notes: Vec<String> = match &target {
        Target::Behavior(behavior) => behavior.note().into_iter().collect(),
        _ => Vec::new(),
    };
    if ceiling.is_none() {
        notes.push("there is no ceiling: scores are raw".to_owned());
    }
    Ok(Benchmark {
        path: roots.card.to_owned(),
        ids: stimuli.ids.clone(),
        stimuli,
        pools: None,
        metric: card.metric.resolve(roots.card)?,
        target,
        splits: Vec::new(),
        notes,
        ceiling,
        rule,
        time: None,
        bins: Vec::new(),
        components: None,
        groups: Vec::new(),
        parts: Vec::new(),
        card,
    })
}

/// Stimuli matched with rows.
pub(super) struct Rows {
    pub(super) stimuli: StimulusSet,
    pub(super) pools: Option<Vec<Vec<usize>>>,
    pub(super) ids: Vec<String>,
}

pub(super) fn check_degrees(card: &StimuliCard, roots: &Roots<'_>) -> Result<()> {
    match card.degrees {
        Some(degrees) if !(degrees > 0.0 && degrees.is_finite()) => {
            Err(roots.field("stimuli.degrees", &format!("{degrees} is not an angle above zero")))
        }
        _ => Ok(()),
    }
}

fn check_metric(card: &BenchmarkCard, target: &Target, roots: &Roots<'_>) -> Result<()> {
    let rdm_metric = card.metric.name == super::MetricName::Rdm;
    match target {
        Target::Rdm { .. } if !rdm_metric => {
            Err(roots.field("metric.name", "must be `rdm` when the assembly holds dissimilarities"))
        }
        Target::Rdm { .. } => Ok(()),
        _ if card.subjects.is_some() => Err(roots.field(
            "subjects",
            "holds dissimilarities, the assembly responses; remove it (ceiling.subjects names a column of the neuroids)",
        )),
        _ => Ok(()),
    }
}

pub(super) fn open_stimuli(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<StimulusSet> {
    open_set("stimuli", &card.identifier, &card.stimuli, roots)
}

/// The images of a section; `identifier` names the set unless the section does.
pub(crate) fn open_set(
    section: &str,
    identifier: &str,
    stimuli: &StimuliCard,
    roots: &Roots<'_>,
) -> Result<StimulusSet> {
    let path = roots.path(section, &stimuli.file, &stimuli.data)?;
    let identifier = stimuli.identifier.as_deref().unwrap_or(identifier);
    let pattern = stimuli.pattern.as_deref().unwrap_or(ANY_FILE);
    match stimuli.format {
        StimulusFormat::Zip => StimulusSet::from_zip(identifier, &path, pattern),
        StimulusFormat::Directory => StimulusSet::from_directory(identifier, &path, pattern),
        StimulusFormat::Table => {
            let (file, data) = stimuli.table_paths();
            let field = format!("{section}.table");
            let table = roots.optional(&field, &file, &data)?;
            let table = table.ok_or_else(|| roots.field(&field, "is needed for format `table`; add it"))?;
            StimulusSet::from_table(identifier, &table, &path)
        }
        StimulusFormat::Mat => {
            let variable = roots.needed(&format!("{section}.variable"), &stimuli.variable, "mat")?;
            StimulusSet::from_mat(identifier, &path, variable)
        }
    }
}

impl StimuliCard {
    /// `file` and `data` of the table, which lies beside the images.
    pub(crate) fn table_paths(&self) -> (Option<PathBuf>, Option<PathBuf>) {
        let beside = |images: &Option<PathBuf>| {
            self.table.as_ref().and_then(|name| images.as_ref().map(|i| i.with_file_name("").join(name)))
        };
        (beside(&self.file), beside(&self.data))
    }
}

fn match_rows(
    card: &BenchmarkCard,
    set: StimulusSet,
    ids: Option<Vec<String>>,
    rows: usize,
    path: &Path,
) -> Result<Rows> {
    if let Some(ids) = &ids {
        let remedy = match card.assembly.format {
            ArrayFormat::Csv => "number the repetitions of a stimulus in a column `repetition`",
            ArrayFormat::Nc => "number the repetitions of a stimulus in a coordinate `repetition`",
            _ => {
                "average the repetitions of a stimulus, and give them in a file of their own under [repeats]"
            }
        };
        check_unique_or(path, "presentation", ids, remedy)?;
    }
    let groups = groups(card, &set, path)?;
    let Some(ids) = ids else {
        // Without identifiers the order is the only link, so the numbers must agree.
        recording::check_length(path, "rows", rows, groups.len(), "there are stimuli (or pools)")?;
        let ids = groups.iter().map(|(id, _)| id.clone()).collect();
        let pools = card.pools.is_some().then(|| groups.into_iter().map(|(_, members)| members).collect());
        return Ok(Rows { stimuli: set, pools, ids });
    };
    let known: HashMap<&str, &Vec<usize>> =
        groups.iter().map(|(id, members)| (id.as_str(), members)).collect();
    let absent: Vec<&String> = ids.iter().filter(|id| !known.contains_key(id.as_str())).collect();
    let missing = |what, other: String, absent: Vec<&String>, total, there| Error::Missing {
        path: path.to_path_buf(),
        what,
        other,
        missing: absent.len(),
        total,
        first: absent.first().map(|s| s.to_string()).unwrap_or_default(),
        there,
    };
    if !absent.is_empty() {
        let total = ids.len();
        let there = other_side(&ids, groups.iter().map(|(id, _)| id));
        let other = format!("the stimulus set {}", set.identifier);
        return Err(missing("presentations", other, absent, total, there));
    }
    let named: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let unused: Vec<&String> =
        groups.iter().map(|(id, _)| id).filter(|id| !named.contains(id.as_str())).collect();
    if !unused.is_empty() && !card.stimuli.allow_unused {
        let total = groups.len();
        let other = "the assembly (or set stimuli.allow_unused)".to_owned();
        return Err(missing("stimuli", other, unused, total, ids.first().map(|id| id.as_str().into())));
    }
    let members: Vec<Vec<usize>> = ids.iter().map(|id| known[id.as_str()].clone()).collect();
    let order: Vec<usize> = if card.pools.is_some() {
        members.iter().flatten().copied().collect::<BTreeSet<usize>>().into_iter().collect()
    } else {
        members.iter().flatten().copied().collect()
    };
    let position: HashMap<usize, usize> = order.iter().enumerate().map(|(new, &old)| (old, new)).collect();
    let renamed = || members.iter().map(|pool| pool.iter().map(|old| position[old]).collect()).collect();
    let pools = card.pools.is_some().then(renamed);
    let stimuli = set
        .select(&order)
        .ok_or_else(|| Error::field(path, "stimuli", "refer to images that do not exist"))?;
    Ok(Rows { stimuli, pools, ids })
}

/// The stimuli by pool, or each alone, in order of first appearance.
fn groups(card: &BenchmarkCard, set: &StimulusSet, path: &Path) -> Result<Vec<(String, Vec<usize>)>> {
    let Some(pools) = &card.pools else {
        return Ok(set.ids.iter().enumerate().map(|(i, id)| (id.clone(), vec![i])).collect());
    };
    let labels = set.labels(&pools.column).ok_or_else(|| {
        let problem =
            format!("the stimuli have no column `{}`; they have: {}", pools.column, set.table.names());
        Error::field(path, "pools.column", problem)
    })?;
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (index, label) in labels.into_iter().enumerate() {
        let position = *positions.entry(label.clone()).or_insert(groups.len());
        if position == groups.len() {
            groups.push((label, Vec::new()));
        }
        groups[position].1.push(index);
    }
    Ok(groups)
}

fn check_finite(path: &Path, values: ArrayView2<'_, f64>, ids: &[String], neuroid: &Table) -> Result<()> {
    let mut bad = values.indexed_iter().filter(|(_, v)| !v.is_finite());
    let Some(((row, column), &value)) = bad.next() else { return Ok(()) };
    Err(Error::NonFinite {
        path: path.to_path_buf(),
        presentation: ids.get(row).cloned().unwrap_or_default(),
        neuroid: neuroid_ids(neuroid).get(column).cloned().unwrap_or_default(),
        value,
        count: 1 + bad.count(),
    })
}

impl Recording {
    /// An error unless there are presentations.
    pub(super) fn check_not_empty(self) -> Result<Recording> {
        if self.values.nrows() == 0 {
            return Err(Error::field(&self.path, "assembly", "there are no presentations in it"));
        }
        Ok(self)
    }
}
