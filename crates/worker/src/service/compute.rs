//! One unit of any kind, from assignment to report.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ventral_data::SCAN_FILE;
use ventral_models::Error as ModelError;
use ventral_plan::{
    Assignment, CardKind, Digest, JobSpec, PLAN_DOCUMENT, PlannedJob, UnitRef, UnitReport, Work,
};
use ventral_queue::FailureKind;
use ventral_queue::consumer::machine::{STORE_REFUSES, machine_fault};
use ventral_store::Error as StoreError;

use super::bundles::OpenBundle;
use super::jobs::OpenJob;
use super::slot::Slot;
use crate::execution::patiently;
use crate::job::{CardFiles, SCANS_FIELD, plan_card_files};
use crate::model::LastModel;
use crate::synthesis::SynthesisModel;
use crate::{Error, Event, Execution, Missing, Observer, features, machine, maps, score, synthesis};

/// Longest pause of a drill unit.
const MAX_DRILL: Duration = Duration::from_secs(3600);

/// Why a unit failed.
#[derive(Debug)]
pub struct UnitFailure {
    pub kind: FailureKind,
    pub reason: String,
    pub alarm: bool,
}

impl From<Error> for UnitFailure {
    fn from(error: Error) -> Self {
        let alarm = matches!(error, Error::Store(StoreError::Conflict { .. }));
        match fault_of(&error) {
            Some(cause) => Self { kind: FailureKind::Machine, reason: format!("{cause}: {error}"), alarm },
            None => Self { kind: kind_of(&error), reason: error.to_string(), alarm },
        }
    }
}

/// What is wrong with this machine, if that is why. A store that turns one machine away may well let others in.
fn fault_of(error: &Error) -> Option<&'static str> {
    let store = match error {
        Error::Store(store) => Some(store),
        Error::Bundle(ventral_bundle::Error::Fetch { problem, .. }) => problem.downcast_ref(),
        _ => None,
    };
    let refused = matches!(store, Some(StoreError::Remote { transient: false, .. }));
    machine_fault(error).or(refused.then_some(STORE_REFUSES))
}

/// Whether another try may help. What follows from the inputs alone always follows.
fn kind_of(error: &Error) -> FailureKind {
    match error {
        Error::NoGram { .. } => FailureKind::Input,
        Error::Store(StoreError::Conflict { .. } | StoreError::TooLarge { .. }) => FailureKind::Permanent,
        Error::Model(ModelError::Spill { .. } | ModelError::Memory { .. } | ModelError::Sink { .. }) => {
            FailureKind::Attempt
        }
        Error::Bundle(ventral_bundle::Error::Fetch { .. } | ventral_bundle::Error::Io { .. }) => {
            FailureKind::Attempt
        }
        Error::Store(_)
        | Error::Data(_)
        | Error::Cache(_)
        | Error::Disk { .. }
        | Error::Interrupted
        | Error::TooSmall(_) => FailureKind::Attempt,
        _ => FailureKind::Permanent,
    }
}

/// Computes a unit; its results are in the store when this returns a report.
pub fn compute(slot: &mut Slot, assignment: &Assignment) -> Result<UnitReport, UnitFailure> {
    let started = Instant::now();
    machine::reset_peak_memory();
    let mut report = match &assignment.work {
        Work::Plan { bundle } => plan(slot, &assignment.job, bundle),
        Work::Features { index } => read_features(slot, &assignment.job, *index),
        Work::Score { index } => compute_score(slot, &assignment.job, *index),
        Work::Map { index } => compute_map(slot, &assignment.job, *index),
        Work::Synthesis { index } => synthesise(slot, &assignment.job, *index),
        Work::Drill { milliseconds } => {
            std::thread::sleep(Duration::from_millis(*milliseconds).min(MAX_DRILL));
            Ok(UnitReport { computed: 1, ..UnitReport::default() })
        }
        Work::Assemble => Err(Error::Cache("workers do not assemble: an aggregator takes this".to_owned())),
    }?;
    report.seconds = started.elapsed().as_secs_f64();
    report.peak_bytes = machine::peak_memory_bytes();
    Ok(report)
}

fn plan(slot: &mut Slot, job: &str, bundle: &Digest) -> Result<UnitReport, Error> {
    let (store, patience) = (&slot.config.store, slot.config.patience);
    match patiently(patience, || store.document(job, PLAN_DOCUMENT)) {
        Ok(Some(_)) => return Ok(UnitReport { cached: 1, ..UnitReport::default() }),
        Err(error @ ventral_store::Error::Damaged { .. }) => {
            tracing::warn!(%error, "the plan is discarded, the job is planned again");
            store.discard_document(job, PLAN_DOCUMENT)?;
        }
        found => drop(found?),
    }
    let open = slot.jobs.bundles.open(bundle)?;
    let planned = planned_job(&open, bundle, slot.config.memory_bytes)?;
    let json = serde_json::to_vec(&planned)
        .map_err(|error| Error::Mismatch(format!("the plan cannot be written: {error}")))?;
    // Two planners measure different times: the first plan counts.
    let created = patiently(patience, || store.create_document(job, PLAN_DOCUMENT, &json))?;
    Ok(UnitReport { cached: usize::from(!created), computed: usize::from(created), ..UnitReport::default() })
}

fn planned_job(open: &OpenBundle, bundle: &Digest, memory_bytes: u64) -> Result<PlannedJob, Error> {
    let workspace = &open.workspace;
    let fetch = |digest: &Digest, path: &Path| open.fetch(digest, path);
    let manifest = workspace.manifest();
    let cards: Vec<&str> = manifest.cards.iter().map(|card| card.path.as_str()).collect();
    workspace.need(&[manifest.spec.as_str()], &fetch)?;
    workspace.need(&cards, &fetch)?;
    let file = workspace.spec();
    let text = fs::read_to_string(&file).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => {
            Error::Mismatch(format!("{}: it is no text (UTF-8)", manifest.spec))
        }
        _ => Error::Cache(format!("{}: {error}", file.display())),
    })?;
    let spec =
        JobSpec::from_toml(&text, &manifest.spec).map_err(|error| Error::Mismatch(error.to_string()))?;
    let prepare = |kind: CardKind, file: &Path| {
        let card = workspace.virtual_path(file).unwrap_or_default();
        match workspace.need_card(kind, &card, &fetch) {
            Ok(_) => Ok(None),
            Err(
                error @ (ventral_bundle::Error::Outside { .. } | ventral_bundle::Error::NotListed { .. }),
            ) => Ok(Some(error.to_string())),
            Err(error) => Err(Error::Bundle(error)),
        }
    };
    let files = CardFiles {
        models: card_files(open, &file, CardKind::Model, &spec),
        benchmarks: card_files(open, &file, CardKind::Benchmark, &spec),
        scans: card_files(open, &file, CardKind::Scan, &spec),
        pools: natural_card(open, &file, &spec),
    };
    for (field, named, listed) in
        [("models", &spec.models, &files.models), ("benchmarks", &spec.benchmarks, &files.benchmarks)]
    {
        if !named.is_empty() && listed.is_empty() {
            let problem = format!("`{field}` names {named:?}, and the manifest lists no card for it");
            return Err(Error::Mismatch(format!("{}: {problem}", manifest.spec)));
        }
    }
    let facts = machine::measure(Some(memory_bytes));
    let mut found = plan_card_files(spec, &file, &files, Some(&workspace.data_dir()), facts, &prepare)?;
    let root = format!("{}/", workspace.root().display());
    for refused in &mut found.plan.refused {
        refused.card = refused.card.replace(&root, "");
        refused.reason = refused.reason.replace(&root, "");
    }
    let virtual_paths = |files: &[PathBuf]| -> Vec<String> {
        files.iter().map(|file| workspace.virtual_path(file).unwrap_or_default()).collect()
    };
    let (model_cards, benchmark_cards) = (virtual_paths(&found.models), virtual_paths(&found.benchmarks));
    let scan_cards = virtual_paths(&found.scans);
    let pool_cards = virtual_paths(&found.pools);
    let (plan, bundle) = (found.plan, bundle.clone());
    Ok(PlannedJob { plan, bundle, model_cards, benchmark_cards, scan_cards, pool_cards })
}

/// The cards of a kind in the order of the spec; in the order of the bundle if the spec names places of the machine it came from.
fn card_files(open: &OpenBundle, spec_file: &Path, kind: CardKind, spec: &JobSpec) -> Vec<PathBuf> {
    let workspace = &open.workspace;
    let (field, patterns, name) = match kind {
        CardKind::Model => ("models", &spec.models, "model.toml"),
        CardKind::Benchmark => ("benchmarks", &spec.benchmarks, "benchmark.toml"),
        CardKind::Scan => match &spec.searchlight {
            Some(searchlight) => (SCANS_FIELD, &searchlight.scans, SCAN_FILE),
            None => return Vec::new(),
        },
        CardKind::Pool => return natural_card(open, spec_file, spec),
    };
    let listed = || workspace.cards(kind).map(|card| workspace.path(&card.path)).collect::<Vec<_>>();
    let relative = patterns.iter().all(|pattern| !Path::new(pattern).is_absolute());
    if !relative {
        return listed();
    }
    match ventral_bundle::resolve(spec_file, field, patterns, name) {
        Ok(found) if found.iter().all(|file| workspace.virtual_path(file).is_some()) => found,
        _ => listed(),
    }
}

/// The benchmark with natural images: the bundle has one at most.
fn natural_card(open: &OpenBundle, spec_file: &Path, spec: &JobSpec) -> Vec<PathBuf> {
    let workspace = &open.workspace;
    match ventral_bundle::resolve_natural(spec_file, spec) {
        Ok(Some(file)) if workspace.virtual_path(&file).is_some() => vec![file],
        _ => workspace.cards(CardKind::Pool).map(|card| workspace.path(&card.path)).collect(),
    }
}

fn read_features(slot: &mut Slot, job: &str, index: usize) -> Result<UnitReport, Error> {
    let job = slot.jobs.open(job)?;
    let plan = &job.planned.plan;
    let unit = plan.features.get(index).ok_or_else(|| no_unit("features", index))?;
    check(slot, &job, UnitRef::Features(index))?;
    let missing = Missing::of(plan, unit, &slot.config.store);
    let all = unit.kept().count() + unit.scores.len();
    let lacking = missing.grams.len() + missing.scores.len();
    let mut report = UnitReport { cached: all - lacking, ..UnitReport::default() };
    if missing.is_empty() {
        return Ok(report);
    }
    let last = LastModel::default();
    let model = || last.get(unit.model, || job.model(unit.model));
    let mut failures = features::execute(&execution(slot, &job), unit, &missing, &model)?;
    // A Gram that was damaged is discarded, and is made again.
    if failures.scores.values().any(|error| matches!(error, Error::NoGram { .. })) {
        failures = features::execute(&execution(slot, &job), unit, &missing, &model)?;
    }
    for (score, error) in failures.scores {
        // What another try, or another machine, may mend is a failure of the unit: the scores that are stored stay.
        if fault_of(&error).is_some() || kind_of(&error) != FailureKind::Permanent {
            return Err(error);
        }
        report.failed_scores.push((score, error.to_string()));
    }
    for (layer, error) in failures.layers {
        let positions = unit.layers.iter().enumerate().filter(|(_, target)| target.layer == layer);
        report.failed_layers.extend(positions.map(|(position, _)| (position, error.to_string())));
    }
    let left = Missing::of(plan, unit, &slot.config.store);
    report.computed = lacking.saturating_sub(left.grams.len() + left.scores.len());
    Ok(report)
}

fn compute_map(slot: &mut Slot, job: &str, index: usize) -> Result<UnitReport, Error> {
    let job = slot.jobs.open(job)?;
    let unit = job.planned.plan.maps.get(index).ok_or_else(|| no_unit("map", index))?;
    if slot.config.store.contains(&unit.digest) {
        return Ok(UnitReport { cached: 1, ..UnitReport::default() });
    }
    check(slot, &job, UnitRef::Map(index))?;
    maps::execute(&execution(slot, &job), unit, &|_| ())?;
    Ok(UnitReport { computed: 1, ..UnitReport::default() })
}

fn synthesise(slot: &mut Slot, job: &str, index: usize) -> Result<UnitReport, Error> {
    let job = slot.jobs.open(job)?;
    let unit = job.planned.plan.syntheses.get(index).ok_or_else(|| no_unit("synthesis", index))?;
    if slot.config.store.contains(&unit.digest) {
        // A worker whose lease had ended may have left one behind.
        synthesis::forget(&slot.config.store, unit);
        return Ok(UnitReport { cached: 1, ..UnitReport::default() });
    }
    check(slot, &job, UnitRef::Synthesis(index))?;
    let model = SynthesisModel::load(&job.model_card(unit.model)?, &job.planned.plan, unit)?;
    synthesis::execute(&execution(slot, &job), unit, &model)?;
    Ok(UnitReport { computed: 1, ..UnitReport::default() })
}

fn compute_score(slot: &mut Slot, job: &str, index: usize) -> Result<UnitReport, Error> {
    let job = slot.jobs.open(job)?;
    let unit = job.planned.plan.scores.get(index).ok_or_else(|| no_unit("score", index))?;
    if slot.config.store.contains(&unit.digest) {
        return Ok(UnitReport { cached: 1, ..UnitReport::default() });
    }
    check(slot, &job, UnitRef::Score(index))?;
    score::execute(&execution(slot, &job), index)?;
    Ok(UnitReport { computed: 1, ..UnitReport::default() })
}

fn no_unit(kind: &str, index: usize) -> Error {
    Error::Mismatch(format!("the job's plan has no {kind} unit {index}"))
}

/// A unit must have been planned for this kind of processor, and fit into the slot.
fn check(slot: &Slot, job: &OpenJob, unit: UnitRef) -> Result<(), Error> {
    let (plan, own) = (&job.planned.plan, machine::numeric_profile());
    if plan.machine.profile != own {
        return Err(Error::TooSmall(format!(
            "the unit is for machines of profile {}, this one is {own}",
            plan.machine.profile
        )));
    }
    match plan.unfit(slot.config.memory_bytes).into_iter().find(|unfit| unfit.unit == unit) {
        Some(unfit) => Err(Error::TooSmall(unfit.reason())),
        None => Ok(()),
    }
}

struct Quiet;

impl Observer for Quiet {
    fn on(&self, event: &Event<'_>) {
        match event {
            Event::FeaturesStarted { missing, .. } => tracing::info!(layers = missing, "reading"),
            Event::SynthesisStarted { unit, done } => tracing::info!(seed = unit.seed, done, "synthesising"),
            Event::Evaluating { stop, .. } => tracing::info!(stop, "evaluating"),
            Event::FeaturesFinished { seconds, placement, .. } => tracing::info!(seconds, placement, "read"),
            _ => {}
        }
    }
}

fn execution<'a>(slot: &'a Slot, job: &'a OpenJob) -> Execution<'a> {
    Execution {
        plan: &job.planned.plan,
        benchmarks: job,
        scans: job,
        pools: job,
        store: &slot.config.store,
        memory_bytes: slot.config.memory_bytes,
        threads: slot.config.threads,
        patience: slot.config.patience,
        observer: &Quiet,
    }
}
