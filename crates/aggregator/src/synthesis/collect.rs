//! From the records of restarts to the sets of models.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use ndarray::{Array2, Array4};
use ventral_plan::{CardKind, Digest, Plan, Refused, SynthesisSpec, SynthesisUnit};
use ventral_store::{Failure, Store, SynthesisRecord};
use ventral_synthesis::StepRecord;

use super::measure::{Measured, named};
use super::natural::{Pool, pool};
use super::warnings::warnings;
use crate::Error;
use crate::names::Names;

/// All sets of a job.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) spec: &'a SynthesisSpec,
    pub(crate) sets: Vec<Set>,
    /// What is not there, in words; empty for a complete job.
    pub(crate) gaps: Vec<Gap>,
}

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Whose page names it.
    pub(crate) of: Concerns,
    /// What, in words.
    pub(crate) unit: String,
    /// Why.
    pub(crate) reason: String,
}

/// What a gap is a gap of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concerns {
    /// The model with this index.
    Model(usize),
    /// Every model: the natural images.
    All,
    /// None that has images: another model, a benchmark.
    Others,
}

/// The images of one model: those of its best restart, and what is known of all.
#[derive(Debug)]
pub(crate) struct Set {
    /// Index into the plan's models.
    pub(crate) model: usize,
    /// Its folder among the files.
    pub(crate) folder: String,
    pub(crate) layers: Vec<String>,
    /// Units of each layer.
    pub(crate) units: Vec<u64>,
    /// Restarts that are complete, in the order of their seeds.
    pub(crate) restarts: Vec<Restart>,
    /// How many there are to be.
    pub(crate) planned: usize,
    /// Index of the best among `restarts`, and its values.
    pub(crate) best: usize,
    pub(crate) after: Measured,
    /// Of its first images; none where these have no correlation.
    pub(crate) before: Option<Measured>,
    /// Its images: n x height x width x RGB.
    pub(crate) images: Array4<u8>,
    /// Layers x pairs: of its first images, and of the final ones.
    pub(crate) rsms: [Array2<f64>; 2],
    /// Pairs of layers that no image can tell apart.
    pub(crate) irreducible: Vec<[usize; 2]>,
    pub(crate) natural: Option<Pool>,
    /// What a reader must be warned of.
    pub(crate) warnings: Vec<String>,
}

/// A complete restart.
#[derive(Debug)]
pub(crate) struct Restart {
    pub(crate) digest: Digest,
    pub(crate) seed: u64,
    pub(crate) steps: u64,
    pub(crate) stop: String,
    /// E1 and E2 of its images, or why they have none.
    pub(crate) values: Result<[f64; 2], String>,
    /// E6, and E7 for JPEG and noise.
    pub(crate) robust: [f64; 3],
    pub(crate) convergence: Vec<StepRecord>,
}

/// Nothing for a job without synthesis.
pub(crate) fn stage<'a>(
    plan: &'a Plan,
    store: &Store,
    failures: &[Failure],
) -> Result<Option<Stage<'a>>, Error> {
    let Some(spec) = &plan.spec.synthesis else { return Ok(None) };
    let reasons: BTreeMap<&Digest, &str> = failures.iter().map(|f| (&f.digest, f.reason.as_str())).collect();
    let refused = plan.refused.iter();
    let of = |card: &Refused| if card.kind == CardKind::Pool { Concerns::All } else { Concerns::Others };
    let refused = refused.map(|card| Gap { of: of(card), unit: card.title(), reason: card.reason.clone() });
    let mut stage = Stage { plan, spec, sets: Vec::new(), gaps: refused.collect() };
    let folders = Names::new(plan.models.iter().map(|model| model.identifier.as_str()));
    for (model, facts) in plan.models.iter().enumerate() {
        let units: Vec<&SynthesisUnit> = plan.syntheses.iter().filter(|unit| unit.model == model).collect();
        let Some(first) = units.first() else { continue };
        let mut complete = Vec::new();
        for unit in &units {
            match read(plan, spec, store, unit)? {
                Some(record) => complete.push(restart(unit, &record)),
                None => stage.gaps.push(Gap {
                    of: Concerns::Model(model),
                    unit: plan.synthesis_title(unit),
                    reason: reasons.get(&unit.digest).map_or("not computed", |reason| *reason).to_owned(),
                }),
            }
        }
        let folder = folders.get(&facts.identifier).to_owned();
        let all = Complete { first, restarts: complete, planned: units.len(), folder };
        stage.add(store, &reasons, all)?;
    }
    Ok(Some(stage))
}

/// The restarts of a model.
struct Complete<'a> {
    first: &'a SynthesisUnit,
    restarts: Vec<Restart>,
    planned: usize,
    folder: String,
}

impl Stage<'_> {
    fn add(
        &mut self,
        store: &Store,
        reasons: &BTreeMap<&Digest, &str>,
        all: Complete<'_>,
    ) -> Result<(), Error> {
        let (plan, model) = (self.plan, all.first.model);
        let Some(best) = best(&all.restarts) else { return Ok(()) };
        let unit = plan.syntheses.iter().find(|unit| unit.digest == all.restarts[best].digest);
        let Some(record) = unit.map(|unit| read(plan, self.spec, store, unit)).transpose()?.flatten() else {
            return Ok(());
        };
        let after = match Measured::new(record.rsms.view()) {
            Ok(after) => after,
            Err(error) => {
                let unit = format!("images for {}", plan.models[model].identifier);
                self.gaps.push(Gap {
                    of: Concerns::Model(model),
                    unit,
                    reason: named(&error, &record.layers),
                });
                return Ok(());
            }
        };
        let layers: Vec<String> =
            plan.synthesis_layer_names(all.first).into_iter().map(str::to_owned).collect();
        let units = all.first.layers.iter().map(|&layer| plan.models[model].layers[layer].features).collect();
        let (natural, missing) = pool(plan, self.spec, store, reasons, all.first)?;
        self.gaps.extend(missing);
        let mut set = Set {
            model,
            folder: all.folder,
            layers,
            units,
            restarts: all.restarts,
            planned: all.planned,
            best,
            after,
            before: Measured::new(record.before.view()).ok(),
            images: record.images,
            rsms: [record.before, record.rsms],
            irreducible: record.irreducible,
            natural,
            warnings: Vec::new(),
        };
        set.warnings = warnings(self.spec, &set);
        self.sets.push(set);
        Ok(())
    }

    /// What is not there for one model.
    pub(crate) fn gaps_of(&self, model: usize) -> impl Iterator<Item = &Gap> {
        self.gaps.iter().filter(move |gap| gap.of == Concerns::All || gap.of == Concerns::Model(model))
    }
}

impl Set {
    /// The restart whose images they are.
    pub(crate) fn chosen(&self) -> &Restart {
        &self.restarts[self.best]
    }
}

fn read(
    plan: &Plan,
    spec: &SynthesisSpec,
    store: &Store,
    unit: &SynthesisUnit,
) -> Result<Option<SynthesisRecord>, Error> {
    let Some(payload) = store.get(&unit.digest)? else { return Ok(None) };
    let object = store.path(&unit.digest);
    let damaged = |problem: String| Error::Record { object: object.clone(), problem };
    let record = SynthesisRecord::decode(&payload).map_err(|error| damaged(error.to_string()))?;
    let names = plan.synthesis_layer_names(unit);
    if record.layers != names || record.seed != unit.seed || record.images.dim().0 != spec.images {
        return Err(damaged(format!(
            "it has {} images of seed {} for {} layers, the plan says {}, {} and {}",
            record.images.dim().0,
            record.seed,
            record.layers.len(),
            spec.images,
            unit.seed,
            names.len()
        )));
    }
    Ok(Some(record))
}

fn restart(unit: &SynthesisUnit, record: &SynthesisRecord) -> Restart {
    let measured = Measured::new(record.rsms.view());
    Restart {
        digest: unit.digest.clone(),
        seed: record.seed,
        steps: record.steps,
        stop: record.stop.clone(),
        values: measured
            .map(|measured| [measured.pearson.mean_abs_r, measured.pearson.max_abs_r])
            .map_err(|error| named(&error, &record.layers)),
        robust: [record.transforms, record.jpeg, record.noise],
        convergence: record.convergence.clone(),
    }
}

/// The restart with the least E1, then the least E2, then the least seed; those without values come last.
fn best(restarts: &[Restart]) -> Option<usize> {
    let order = |a: &Restart, b: &Restart| {
        let values = match (&a.values, &b.values) {
            (Ok([mean, worst]), Ok([other_mean, other_worst])) => {
                mean.total_cmp(other_mean).then(worst.total_cmp(other_worst))
            }
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => Ordering::Equal,
        };
        values.then(a.seed.cmp(&b.seed))
    };
    (0..restarts.len()).min_by(|&a, &b| order(&restarts[a], &restarts[b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restart(seed: u64, values: Option<[f64; 2]>) -> Restart {
        Restart {
            digest: Digest::of_bytes(&seed.to_le_bytes()),
            seed,
            steps: 1,
            stop: String::new(),
            values: values.ok_or_else(|| "flat".to_owned()),
            robust: [0.0; 3],
            convergence: Vec::new(),
        }
    }

    #[test]
    fn the_least_mean_counts_then_the_least_largest_then_the_least_seed() {
        let seed_of = |restarts: &[(u64, Option<[f64; 2]>)]| {
            let made: Vec<Restart> = restarts.iter().map(|(seed, values)| restart(*seed, *values)).collect();
            best(&made).map(|index| made[index].seed)
        };
        assert_eq!(seed_of(&[]), None);
        assert_eq!(seed_of(&[(1, Some([0.2, 0.3])), (2, Some([0.1, 0.9]))]), Some(2));
        for (first, second) in [(0.3, 0.4), (0.4, 0.3)] {
            let expected = if first < second { 1 } else { 2 };
            assert_eq!(seed_of(&[(1, Some([0.1, first])), (2, Some([0.1, second]))]), Some(expected));
        }
        assert_eq!(seed_of(&[(4, Some([0.1, 0.3])), (3, Some([0.1, 0.3]))]), Some(3));
        assert_eq!(seed_of(&[(1, None), (2, Some([0.9, 0.9]))]), Some(2));
        assert_eq!(seed_of(&[(1, Some([0.9, 0.9])), (0, None)]), Some(1));
        assert_eq!(seed_of(&[(2, None), (1, None)]), Some(1));
    }
}
