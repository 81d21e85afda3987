//! All syntheses of a job that are not in the store.

use ventral_plan::UnitRef;
use ventral_store::{Failure, Store};

use super::{SynthesisModel, execute, forget};
use crate::run::{Work, execution};
use crate::{Error, Event, Job, Observer};

/// Computes what `work` lists of syntheses, one after the other: each uses every thread. A unit that fails is reported and the
/// others go on.
///
/// # Errors
/// A store that fails, and interruption.
pub fn synthesise_all(
    job: &Job,
    store: &Store,
    observer: &dyn Observer,
    work: &Work,
    failures: &mut Vec<Failure>,
) -> Result<(), Error> {
    let mut fail = |index: usize, reason: String| {
        let unit = &job.plan.syntheses[index];
        let title = job.plan.synthesis_title(unit);
        observer.on(&Event::Failed { unit: title.clone(), reason: reason.clone() });
        failures.push(Failure { digest: unit.digest.clone(), unit: title, reason });
    };
    let mut loaded: Option<(usize, SynthesisModel)> = None;
    for &index in &work.syntheses {
        let unit = &job.plan.syntheses[index];
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        if let Some(reason) = work.unfit_reason(UnitRef::Synthesis(index)) {
            fail(index, reason);
            continue;
        }
        if loaded.as_ref().is_none_or(|(model, _)| *model != unit.model) {
            drop(loaded.take());
            match SynthesisModel::load(&job.cards[unit.model], &job.plan, unit) {
                Ok(model) => loaded = Some((unit.model, model)),
                Err(error) => {
                    fail(index, error.to_string());
                    continue;
                }
            }
        }
        let Some((_, model)) = &loaded else { continue };
        // Units take long: another process with the same store may have been faster.
        if store.contains(&unit.digest) {
            continue;
        }
        match execute(&execution(job, store, observer), unit, model) {
            Ok(()) => {}
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => fail(index, error.to_string()),
        }
    }
    let stored = job.plan.syntheses.iter().filter(|unit| store.contains(&unit.digest));
    stored.for_each(|unit| forget(store, unit));
    Ok(())
}
