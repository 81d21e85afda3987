//! The same layers with natural images: random draws of as many of them.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1};
use ventral_metrics::rdm;
use ventral_plan::{Digest, Plan, PoolFacts, SynthesisSpec, SynthesisUnit};
use ventral_store::{LayerGramRecord, Store};
use ventral_synthesis::natural::{Draws, Natural, natural};

use super::collect::{Concerns, Gap};
use super::measure::{Measured, named};
use crate::Error;

/// Seed of the draws: the same for every job, so that jobs can be compared.
const SEED: u64 = 20_251_125;
/// Most images of the pool that are compared with: their similarities take 16 MB per layer.
pub(crate) const MAX_NATURAL: usize = 2_000;

/// What natural images give.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) identifier: String,
    pub(crate) version: String,
    pub(crate) citation: Option<String>,
    /// Images of the pool.
    pub(crate) count: usize,
    /// Images that were compared with: at most [`MAX_NATURAL`], and none that is blank.
    pub(crate) used: usize,
    /// Images that are blank to a layer, in words.
    pub(crate) blank: Vec<String>,
    pub(crate) draws: Natural,
    /// Of all those images together: layers x layers, Pearson's r and that of ranks.
    pub(crate) correlation: [Array2<f64>; 2],
}

impl Pool {
    /// Draws with values and with ranks.
    pub(crate) fn both(&self) -> [&Draws; 2] {
        [&self.draws.pearson, &self.draws.spearman]
    }
}

/// The natural images of a model, and what of them is not there.
pub(super) fn pool(
    plan: &Plan,
    spec: &SynthesisSpec,
    store: &Store,
    reasons: &BTreeMap<&Digest, &str>,
    unit: &SynthesisUnit,
) -> Result<(Option<Pool>, Vec<Gap>), Error> {
    let (Some(facts), Some(grams)) = (plan.pools.first(), plan.natural_grams(unit)) else {
        return Ok((None, Vec::new()));
    };
    let (mut rsms, mut gaps) = (Vec::with_capacity(grams.len()), Vec::new());
    let gap = |what: String, reason: String| Gap { of: Concerns::Model(unit.model), unit: what, reason };
    let model = &plan.models[unit.model].identifier;
    let names: Vec<String> = plan.synthesis_layer_names(unit).into_iter().map(str::to_owned).collect();
    let taken = evenly(facts.count, MAX_NATURAL);
    for (gram, layer) in grams.into_iter().zip(&names) {
        let what = || format!("{model}, layer {layer}, on the natural images of {}", facts.identifier);
        match similarities(store, gram, &taken)? {
            Some(Ok(rsm)) => rsms.push(rsm),
            Some(Err(problem)) => gaps.push(gap(what(), problem)),
            None => {
                let reason = reasons.get(gram).map_or("not computed", |reason| *reason);
                gaps.push(gap(what(), reason.to_owned()));
            }
        }
    }
    if !gaps.is_empty() {
        return Ok((None, gaps));
    }
    match compared(rsms, taken.len(), spec, facts, &names) {
        Ok(pool) => Ok((Some(pool), Vec::new())),
        Err(problem) => {
            let what = format!("{model}, comparison with the natural images of {}", facts.identifier);
            Ok((None, vec![gap(what, problem)]))
        }
    }
}

/// At most `most` of `count` places, evenly spaced, in ascending order.
fn evenly(count: usize, most: usize) -> Vec<usize> {
    let taken = count.min(most);
    (0..taken).map(|place| place * count / taken).collect()
}

/// Similarities of all pairs of these natural images in a layer, NaN for those that are blank to it; `None` if the layer was not read.
fn similarities(
    store: &Store,
    gram: &Digest,
    images: &[usize],
) -> Result<Option<Result<Array1<f64>, String>>, Error> {
    let Some(payload) = store.get(gram)? else { return Ok(None) };
    let damaged = |source| Error::Object { object: store.path(gram), source };
    let record = LayerGramRecord::decode(&payload).map_err(damaged)?;
    let similar = record.0.select(images).and_then(|some| rdm(&some));
    Ok(Some(similar.map(|distances| distances.mapv(|r| 1.0 - r)).map_err(|error| error.to_string())))
}

/// `rsms` are those of `taken` images of the pool.
fn compared(
    rsms: Vec<Array1<f64>>,
    taken: usize,
    spec: &SynthesisSpec,
    facts: &PoolFacts,
    names: &[String],
) -> Result<Pool, String> {
    let mut usable = vec![true; taken];
    let mut blank = Vec::new();
    for (rsm, name) in rsms.iter().zip(names) {
        let seen = seen(rsm.view(), taken);
        let count = seen.iter().filter(|seen| !**seen).count();
        if count > 0 {
            blank.push(format!("{count} in layer `{name}`"));
        }
        usable.iter_mut().zip(seen).for_each(|(usable, seen)| *usable &= seen);
    }
    let used = usable.iter().filter(|usable| **usable).count();
    let mut all = Array2::zeros((rsms.len(), used * used.saturating_sub(1) / 2));
    // Each layer's is freed when it has been copied.
    for (mut row, rsm) in all.rows_mut().into_iter().zip(rsms) {
        row.iter_mut().zip(between(rsm.view(), &usable)).for_each(|(to, from)| *to = from);
    }
    let views: Vec<ArrayView1<'_, f64>> = all.rows().into_iter().collect();
    let values = || Ok((natural(&views, used, spec.images, spec.draws, SEED)?, Measured::new(all.view())?));
    let (draws, whole) = values().map_err(|error| match blank.is_empty() {
        true => named(&error, names),
        false => format!("{}; images left out as blank: {}", named(&error, names), blank.join(", ")),
    })?;
    Ok(Pool {
        identifier: facts.identifier.clone(),
        version: facts.version.clone(),
        citation: facts.citation.clone(),
        count: facts.count,
        used,
        blank,
        draws,
        correlation: [whole.correlation, whole.ranks],
    })
}

fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |first| (first + 1..count).map(move |second| (first, second)))
}

/// Whether each image is like or unlike any other in a layer: a blank one, whose units are all the same, is neither.
fn seen(rsm: ArrayView1<'_, f64>, count: usize) -> Vec<bool> {
    let mut seen = vec![false; count];
    for ((first, second), value) in pairs(count).zip(rsm) {
        if value.is_finite() {
            (seen[first], seen[second]) = (true, true);
        }
    }
    seen
}

/// The similarities of pairs of usable images.
fn between<'a>(rsm: ArrayView1<'a, f64>, usable: &'a [bool]) -> impl Iterator<Item = f64> + 'a {
    let both = |((first, second), value)| (usable[first] && usable[second]).then_some(value);
    pairs(usable.len()).zip(rsm.into_iter().copied()).filter_map(both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_small_pool_and_evenly_spaced_ones_of_a_large_one() {
        assert_eq!(evenly(5, 5), [0, 1, 2, 3, 4]);
        assert_eq!(evenly(10, 5), [0, 2, 4, 6, 8]);
        assert_eq!(evenly(7, 5), [0, 1, 2, 4, 5]);
        assert!(evenly(0, 5).is_empty());
        let many = evenly(100_000, MAX_NATURAL);
        assert_eq!((many.len(), many[1], many[MAX_NATURAL - 1]), (MAX_NATURAL, 50, 99_950));
    }
}
