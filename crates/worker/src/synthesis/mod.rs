//! Synthesis units: one restart of the search for images whose layers tell themselves apart.

mod batch;
mod evaluate;
mod model;
mod pool;
mod run;

use std::time::{Duration, Instant};

use ventral_plan::{SynthesisSpec, SynthesisUnit};
use ventral_queue::fault;
use ventral_store::{Error as StoreError, Store, SynthesisRecord};
use ventral_synthesis::{Run, Settings, StepError, StepRecord, StopReason};

use crate::execution::patiently;
use crate::{Error, Event, Execution};

pub use batch::Batch;
pub use model::SynthesisModel;
pub(crate) use model::gradient_facts;
pub(crate) use pool::load_pool;
pub(crate) use run::synthesise_all;

/// What is computed after a checkpoint is lost with the process: a step may take seconds, so the clock counts, too.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Computes and stores a synthesis unit, from its checkpoint on if there is one. What it stores depends on neither threads nor
/// interruptions.
///
/// # Errors
/// A network that fails, activations or gradients that cannot be used; interruption, for which a checkpoint is left.
pub fn execute(execution: &Execution<'_>, unit: &SynthesisUnit, model: &SynthesisModel) -> Result<(), Error> {
    let threads = execution.plan.synthesis_threads(unit, execution.memory_bytes, execution.threads);
    if threads >= execution.threads {
        return compute_and_store(execution, unit, model);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Mismatch(format!("cannot start {threads} threads: {error}")))?;
    pool.install(|| compute_and_store(execution, unit, model))
}

fn compute_and_store(
    execution: &Execution<'_>,
    unit: &SynthesisUnit,
    model: &SynthesisModel,
) -> Result<(), Error> {
    let started = Instant::now();
    let observer = execution.observer;
    let spec = execution.plan.spec.synthesis.as_ref();
    let spec =
        spec.ok_or_else(|| Error::Mismatch("the plan has syntheses and its spec has none".to_owned()))?;
    let title = execution.plan.synthesis_title(unit);
    let named = |source| Error::Synthesis { context: title.clone(), source };
    let settings = spec.settings(model.gradient.size(), unit.seed);
    let mut run = begin(execution, unit, &settings, &named)?;
    observer.on(&Event::SynthesisStarted { unit, done: run.steps() });
    let stop = optimise(execution, unit, spec, model, &mut run, &named)?;
    let stop = in_words(&stop, &execution.plan.synthesis_layer_names(unit));
    observer.on(&Event::Evaluating { unit, stop: &stop });
    let record = record(execution, unit, model, &run, stop, &named)?;
    execution.put(&unit.digest, &record.encode())?;
    forget(execution.store, unit);
    observer.on(&Event::SynthesisStored { unit, seconds: started.elapsed().as_secs_f64() });
    Ok(())
}

/// Removes the checkpoint of a unit whose result is stored, if there is one: it is of no more use, and does no harm either.
pub(crate) fn forget(store: &Store, unit: &SynthesisUnit) {
    if let Err(error) = store.remove_checkpoint(&unit.digest) {
        tracing::warn!(unit = unit.digest.short(), %error, "a checkpoint that is of no more use stays");
    }
}

/// The run as its checkpoint left it; a new one without a checkpoint that can be used. A store that fails may still have a good
/// one, which must not be written over.
fn begin(
    execution: &Execution<'_>,
    unit: &SynthesisUnit,
    settings: &Settings,
    named: &evaluate::Named<'_>,
) -> Result<Run<f32>, Error> {
    let problem = match patiently(execution.patience, || execution.store.checkpoint(&unit.digest)) {
        Ok(None) => None,
        Err(StoreError::Damaged { problem, .. }) => Some(problem),
        Err(error @ StoreError::TooLarge { .. }) => Some(error.to_string()),
        Err(error) => return Err(error.into()),
        Ok(Some(bytes)) => match Run::resume(settings.clone(), &bytes) {
            Ok(run) => return Ok(run),
            Err(error) => Some(error.to_string()),
        },
    };
    if let Some(problem) = problem {
        execution.store.remove_checkpoint(&unit.digest)?;
        let path = execution.store.checkpoint_path(&unit.digest);
        tracing::warn!(
            unit = unit.digest.short(),
            problem,
            "the checkpoint cannot be used; the unit begins anew"
        );
        execution.observer.on(&Event::Discarded { path, problem });
    }
    Run::new(settings.clone()).map_err(named)
}

/// Whether a checkpoint is due after so many steps and so much time without one.
fn is_due(steps: u64, waited: Duration, checkpoint_steps: u64) -> bool {
    steps >= checkpoint_steps || waited >= SAVE_EVERY
}

/// Takes steps until the run stops.
fn optimise(
    execution: &Execution<'_>,
    unit: &SynthesisUnit,
    spec: &SynthesisSpec,
    model: &SynthesisModel,
    run: &mut Run<f32>,
    named: &evaluate::Named<'_>,
) -> Result<StopReason, Error> {
    let (observer, batch) = (execution.observer, Batch::new(&model.gradient));
    let (mut saved, mut saved_at) = (run.steps(), Instant::now());
    loop {
        let (stopped, interrupted) = (run.stopped(), observer.interrupted());
        // What has been computed must survive the evaluation, too.
        let steps = run.steps() - saved;
        let due = is_due(steps, saved_at.elapsed(), spec.checkpoint_steps);
        if steps > 0 && (interrupted || stopped.is_some() || due) {
            save(execution, unit, run);
            (saved, saved_at) = (run.steps(), Instant::now());
        }
        if let Some(reason) = stopped {
            return Ok(reason);
        }
        if interrupted {
            return Err(Error::Interrupted);
        }
        let step = run.step(&batch).map_err(|error| of_step(error, named))?;
        let StepRecord { mean_abs_r, max_abs_r, .. } = step;
        observer.on(&Event::Step { unit, done: run.steps(), total: spec.steps, mean_abs_r, max_abs_r });
        fault::point("after-step");
    }
}

/// A checkpoint that cannot be written is none: the unit goes on.
fn save(execution: &Execution<'_>, unit: &SynthesisUnit, run: &Run<f32>) {
    let bytes = run.checkpoint();
    if let Err(error) =
        patiently(execution.patience, || execution.store.save_checkpoint(&unit.digest, &bytes))
    {
        tracing::warn!(unit = unit.digest.short(), %error, "a checkpoint cannot be written");
    }
    fault::point("after-checkpoint");
}

fn of_step(error: StepError<ventral_models::Error>, named: &evaluate::Named<'_>) -> Error {
    match error {
        StepError::Network { source, .. } => Error::Model(source),
        StepError::Synthesis { source, .. } => named(source),
        other => Error::Mismatch(other.to_string()),
    }
}

fn record(
    execution: &Execution<'_>,
    unit: &SynthesisUnit,
    model: &SynthesisModel,
    run: &Run<f32>,
    stop: String,
    named: &evaluate::Named<'_>,
) -> Result<SynthesisRecord, Error> {
    let first = Run::<f32>::new(run.settings().clone()).map_err(named)?.quantised();
    let before = evaluate::scored_rsms(model, &evaluate::as_png(&first)?, named)?;
    let images = evaluate::as_png(&run.quantised())?;
    let rsms = evaluate::scored_rsms(model, &images, named)?;
    let found = evaluate::evaluate(model, &images, execution.observer, named)?;
    let names = execution.plan.synthesis_layer_names(unit);
    Ok(SynthesisRecord {
        layers: names.into_iter().map(str::to_owned).collect(),
        images,
        seed: unit.seed,
        steps: run.steps(),
        stop,
        before,
        rsms,
        transforms: found.transforms,
        jpeg: found.jpeg,
        noise: found.noise,
        convergence: run.records().to_vec(),
        irreducible: run.irreducible().to_vec(),
    })
}

/// Why a run stopped, with the names of layers.
fn in_words(stop: &StopReason, layers: &[&str]) -> String {
    let StopReason::Irreducible { pairs } = stop else { return stop.to_string() };
    let name = |layer: usize| layers.get(layer).copied().unwrap_or_default();
    let pairs: Vec<String> = pairs.iter().map(|&[a, b]| format!("{} and {}", name(a), name(b))).collect();
    format!("no image tells these layers apart: {}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_after_steps_or_time_whichever_is_first() {
        let almost = SAVE_EVERY - Duration::from_millis(1);
        assert!(!is_due(99, almost, 100));
        assert!(is_due(100, Duration::ZERO, 100));
        assert!(is_due(1, SAVE_EVERY, 100));
    }
}
