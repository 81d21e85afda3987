//! All maps of a job that are not in the store.

use std::time::Instant;

use ventral_plan::{FeaturesUnit, MapUnit, UnitRef};
use ventral_store::{Failure, Store};

use super::execute;
use crate::run::{Work, execution};
use crate::{Error, Event, Job, Observer, parallel};

/// Threads for one unit, beyond which further units are computed at the same time.
const THREADS_PER_UNIT: usize = 8;

/// Computes what `work` lists of maps. A unit that fails is reported and the others go on; `damaged` is set where a Gram has to
/// be made again.
///
/// # Errors
/// A store that fails, and interruption.
pub fn map_all(
    job: &Job,
    store: &Store,
    observer: &dyn Observer,
    work: &Work,
    failures: &mut Vec<Failure>,
    damaged: &mut bool,
) -> Result<(), Error> {
    let plan = &job.plan;
    let reading = |unit: &FeaturesUnit| unit.kept().all(|i| store.contains(&unit.layers[i].gram));
    let read: Vec<bool> = plan.features.iter().map(reading).collect();
    let readable = |&index: &usize| plan.maps[index].features.is_none_or(|unit| read[unit]);
    let all = work.maps.iter().copied().filter(readable);
    let (unfit, pending): (Vec<usize>, Vec<usize>) =
        all.partition(|&index| work.unfit_reason(UnitRef::Map(index)).is_some());
    for index in unfit {
        let reason = work.unfit_reason(UnitRef::Map(index)).unwrap_or_default();
        fail(job, observer, failures, index, reason);
    }
    if pending.is_empty() {
        return Ok(());
    }
    let centres = |&index: &usize| plan.maps[index].centres[1] - plan.maps[index].centres[0];
    let started = Instant::now();
    let total: usize = pending.iter().map(centres).sum();
    observer.on(&Event::MapsStarted { missing: pending.len(), centres: total });
    let mut outcomes = Vec::new();
    // Units of one subject follow each other, and share what was read of it.
    for group in pending.chunk_by(|&a, &b| place(&plan.maps[a]) == place(&plan.maps[b])) {
        outcomes.extend(map_group(job, store, observer, group)?);
    }
    job.map_cache().clear();
    observer.on(&Event::MapsFinished { centres: total, seconds: started.elapsed().as_secs_f64() });
    for (index, error) in outcomes {
        *damaged |= matches!(error, Error::NoGram { .. });
        fail(job, observer, failures, index, error.to_string());
    }
    Ok(())
}

fn place(unit: &MapUnit) -> (usize, Option<usize>) {
    (unit.scan, unit.subject)
}

fn fail(job: &Job, observer: &dyn Observer, failures: &mut Vec<Failure>, index: usize, reason: String) {
    let unit = &job.plan.maps[index];
    let title = job.plan.map_title(unit);
    observer.on(&Event::Failed { unit: title.clone(), reason: reason.clone() });
    failures.push(Failure { digest: unit.digest.clone(), unit: title, reason });
}

/// Units of one subject; those that failed, in order.
fn map_group(
    job: &Job,
    store: &Store,
    observer: &dyn Observer,
    group: &[usize],
) -> Result<Vec<(usize, Error)>, Error> {
    let progress = |centres: usize| observer.on(&Event::Centres { done: centres });
    let failed = parallel::each(group, at_once(job, group), observer, |&index| {
        let unit = &job.plan.maps[index];
        execute(&execution(job, store, observer), unit, &progress)?;
        observer.on(&Event::MapStored { unit });
        Ok(())
    })?;
    Ok(failed.into_iter().map(|(place, error)| (group[place], error)).collect())
}

/// Units that are computed at a time: each has chunks for a few threads only.
fn at_once(job: &Job, group: &[usize]) -> usize {
    let machine = &job.plan.machine;
    let largest = group.iter().map(|&i| job.plan.maps[i].estimate.memory_bytes).max().unwrap_or(0);
    let fitting = usize::try_from(machine.memory_bytes / largest.max(1)).unwrap_or(usize::MAX);
    fitting.min(machine.threads.div_ceil(THREADS_PER_UNIT)).clamp(1, group.len().max(1))
}
