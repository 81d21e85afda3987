//! Which units fit into how much memory.

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, Estimate, FeaturesUnit, Plan, ScoreUnit};

/// A unit that does not fit into the memory there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfit {
    /// Which unit.
    pub unit: UnitRef,
    /// In words: model, layer, benchmark.
    pub title: String,
    /// Least memory it can run in, in bytes.
    pub needed_bytes: u64,
    /// Memory there is, in bytes.
    pub available_bytes: u64,
}

/// A unit of a plan, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "index", rename_all = "snake_case")]
pub enum UnitRef {
    /// A features unit.
    Features(usize),
    /// A score unit.
    Score(usize),
    /// A map unit.
    Map(usize),
    /// A synthesis unit.
    Synthesis(usize),
}

impl Unfit {
    /// Why it cannot run, with the numbers.
    pub fn reason(&self) -> String {
        Error::from(self.clone()).to_string()
    }
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        Self::DoesNotFit {
            unit: unfit.title,
            needed: unfit.needed_bytes.div_ceil(1 << 20),
            available: unfit.available_bytes >> 20,
        }
    }
}

impl Plan {
    /// Units that cannot run in `available_bytes`, features units first, then scores, maps and syntheses. Scores that are computed while layers are read are part of their features unit.
    pub fn unfit(&self, available_bytes: u64) -> Vec<Unfit> {
        let too_large = |estimate: &Estimate| estimate.least_bytes > available_bytes;
        let make = |unit, title, estimate: &Estimate| Unfit {
            unit,
            title,
            needed_bytes: estimate.least_bytes,
            available_bytes,
        };
        let features = self.features.iter().enumerate().filter(|(_, unit)| too_large(&unit.estimate));
        let features =
            features.map(|(i, unit)| make(UnitRef::Features(i), self.features_title(unit), &unit.estimate));
        let scores = self.scores.iter().enumerate();
        let scores = scores.filter(|(_, unit)| unit.apart && too_large(&unit.estimate));
        let scores = scores.map(|(i, unit)| make(UnitRef::Score(i), self.score_title(unit), &unit.estimate));
        let maps = self.maps.iter().enumerate().filter(|(_, unit)| too_large(&unit.estimate));
        let maps = maps.map(|(i, unit)| make(UnitRef::Map(i), self.map_title(unit), &unit.estimate));
        let syntheses = self.syntheses.iter().enumerate().filter(|(_, unit)| too_large(&unit.estimate));
        let syntheses = syntheses
            .map(|(i, unit)| make(UnitRef::Synthesis(i), self.synthesis_title(unit), &unit.estimate));
        features.chain(scores).chain(maps).chain(syntheses).collect()
    }

    /// Model and stimuli of a features unit, in words.
    pub fn features_title(&self, unit: &FeaturesUnit) -> String {
        let model = &self.models[unit.model].identifier;
        let (count, identifier) = self.stimuli_of(unit);
        format!("reading {model} on {count} stimuli of {identifier}")
    }

    /// Number of the stimuli of a features unit, and the benchmark, scan or pool that has them.
    pub fn stimuli_of(&self, unit: &FeaturesUnit) -> (usize, &str) {
        if let Some(pool) = unit.pool.and_then(|index| self.pools.get(index)) {
            return (pool.count, &pool.identifier);
        }
        match unit.scan.and_then(|index| self.scans.get(index)) {
            Some(scan) => (scan.stimuli.as_ref().map_or(0, |stimuli| stimuli.count), &scan.identifier),
            None => {
                let benchmark = &self.benchmarks[unit.benchmark];
                (benchmark.stimulus_count, &benchmark.identifier)
            }
        }
    }

    /// Model, layer and benchmark of a score unit, in words.
    pub fn score_title(&self, unit: &ScoreUnit) -> String {
        let model = &self.models[unit.model];
        let benchmark = &self.benchmarks[unit.benchmark];
        format!("{}, layer {}, on {}", model.identifier, model.layers[unit.layer].name, benchmark.identifier)
    }

    /// Digest of what the unit stands for in a queue; `None` for an index beyond the plan.
    pub fn unit_digest(&self, unit: UnitRef) -> Option<Digest> {
        match unit {
            UnitRef::Features(index) => Some(self.features_digest(self.features.get(index)?)),
            UnitRef::Score(index) => Some(self.scores.get(index)?.digest.clone()),
            UnitRef::Map(index) => Some(self.maps.get(index)?.digest.clone()),
            UnitRef::Synthesis(index) => Some(self.syntheses.get(index)?.digest.clone()),
        }
    }
}
