//! The same layers with natural images: random draws of as many of them.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1};
use ventral_metrics::rdm;
use ventral_plan::{Digest, Plan, SynthesisSpec, SynthesisUnit};
use ventral_store::{LayerGramRecord, Store};
use ventral_synthesis::natural::{Draws, Natural, natural};

use super::collect::Gap;
use super::measure::{Measured, named};
use crate::Error;

/// Seed of the draws: the same for every job, so that jobs can be compared.
const SEED: u64 = 20_251_125;

/// What natural images give.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) identifier: String,
    pub(crate) version: String,
    pub(crate) citation: Option<String>,
    /// Images of the pool.
    pub(crate) count: usize,
    pub(crate) draws: Natural,
    /// Of all its images together: layers x layers, Pearson's r and that of ranks.
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
    let gap = |what: String, reason: String| Gap { model: Some(unit.model), unit: what, reason };
    let model = &plan.models[unit.model].identifier;
    for (gram, layer) in grams.into_iter().zip(plan.synthesis_layer_names(unit)) {
        let what = || format!("{model}, layer {layer}, on the natural images of {}", facts.identifier);
        match similarities(store, gram)? {
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
    match compared(&rsms, facts.count, spec) {
        Ok((draws, whole)) => {
            let pool = Pool {
                identifier: facts.identifier.clone(),
                version: facts.version.clone(),
                citation: facts.citation.clone(),
                count: facts.count,
                draws,
                correlation: [whole.correlation, whole.ranks],
            };
            Ok((Some(pool), Vec::new()))
        }
        Err(error) => {
            let names: Vec<String> =
                plan.synthesis_layer_names(unit).into_iter().map(str::to_owned).collect();
            let what = format!("{model}, comparison with the natural images of {}", facts.identifier);
            Ok((None, vec![gap(what, named(&error, &names))]))
        }
    }
}

/// Similarities of all pairs of natural images in a layer; `None` if the layer was not read.
fn similarities(store: &Store, gram: &Digest) -> Result<Option<Result<Array1<f64>, String>>, Error> {
    let Some(payload) = store.get(gram)? else { return Ok(None) };
    let damaged = |source| Error::Object { object: store.path(gram), source };
    let record = LayerGramRecord::decode(&payload).map_err(damaged)?;
    let similar = rdm(&record.0).map(|distances| distances.mapv(|distance| 1.0 - distance));
    Ok(Some(similar.map_err(|error| error.to_string())))
}

fn compared(
    rsms: &[Array1<f64>],
    count: usize,
    spec: &SynthesisSpec,
) -> Result<(Natural, Measured), ventral_synthesis::Error> {
    let views: Vec<ArrayView1<'_, f64>> = rsms.iter().map(|rsm| rsm.view()).collect();
    let draws = natural(&views, count, spec.images, spec.draws, SEED)?;
    let pairs = views.first().map_or(0, |view| view.len());
    let all = Array2::from_shape_fn((views.len(), pairs), |(layer, pair)| views[layer][pair]);
    Ok((draws, Measured::new(all.view())?))
}
