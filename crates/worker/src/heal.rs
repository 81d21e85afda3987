//! What a job has in the store is read before it is computed: what is damaged is discarded, and so computed again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use ventral_plan::{Digest, Plan};
use ventral_store::{CodecError, Error as StoreError, MapRecord, ScoreRecord, Store, SynthesisRecord};

use crate::{Error, Event, Observer};

/// Reads an object as far as its kind can be told to be whole.
type Check = fn(&Store, &Digest) -> Result<(), StoreError>;

/// Discards the damaged objects of a plan and returns their names.
///
/// # Errors
/// A store that fails, such as one whose damaged objects cannot be removed; interruption.
pub(crate) fn discard_damaged(
    plan: &Plan,
    store: &Store,
    observer: &dyn Observer,
) -> Result<BTreeSet<Digest>, Error> {
    let objects = objects(plan);
    let (done, total) = (AtomicUsize::new(0), objects.len());
    observer.on(&Event::Checking { done: 0, total });
    let look = |(digest, check): (&Digest, Check)| -> Result<Option<(Digest, String)>, Error> {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let problem = match check(store, digest) {
            Err(StoreError::Damaged { problem, .. }) => Some((digest.clone(), problem)),
            checked => checked.map(|()| None)?,
        };
        observer.on(&Event::Checking { done: done.fetch_add(1, Ordering::Relaxed) + 1, total });
        Ok(problem)
    };
    let found: Result<Vec<_>, Error> = objects.into_par_iter().map(look).collect();
    let mut discarded = BTreeSet::new();
    for (digest, problem) in found?.into_iter().flatten() {
        store.discard(&digest)?;
        observer.on(&Event::Discarded { path: store.path(&digest), problem });
        discarded.insert(digest);
    }
    Ok(discarded)
}

fn objects(plan: &Plan) -> BTreeMap<&Digest, Check> {
    let grams = plan.features.iter().flat_map(|unit| unit.kept().map(|layer| &unit.layers[layer].gram));
    let scores = plan.scores.iter().map(|unit| &unit.digest);
    let maps = plan.maps.iter().map(|unit| &unit.digest);
    let syntheses = plan.syntheses.iter().map(|unit| &unit.digest);
    // A Gram can be too large to be held as often as there are threads; its fields are checked where it is used.
    let mut objects: BTreeMap<&Digest, Check> = grams.map(|digest| (digest, whole as Check)).collect();
    objects.extend(scores.map(|digest| (digest, score as Check)));
    objects.extend(maps.map(|digest| (digest, map as Check)));
    objects.extend(syntheses.map(|digest| (digest, synthesis as Check)));
    objects
}

fn whole(store: &Store, digest: &Digest) -> Result<(), StoreError> {
    store.verify(digest).map(drop)
}

fn decoded(
    store: &Store,
    digest: &Digest,
    problem: impl FnOnce(&[u8]) -> Option<CodecError>,
) -> Result<(), StoreError> {
    let payload = store.get(digest)?;
    match payload.and_then(|payload| problem(&payload)) {
        Some(problem) => Err(StoreError::Damaged { path: store.path(digest), problem: problem.to_string() }),
        None => Ok(()),
    }
}

fn score(store: &Store, digest: &Digest) -> Result<(), StoreError> {
    decoded(store, digest, |payload| ScoreRecord::decode(payload).err())
}

fn map(store: &Store, digest: &Digest) -> Result<(), StoreError> {
    decoded(store, digest, |payload| MapRecord::decode(payload).err())
}

fn synthesis(store: &Store, digest: &Digest) -> Result<(), StoreError> {
    decoded(store, digest, |payload| SynthesisRecord::decode(payload).err())
}
