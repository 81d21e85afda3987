//! Where scores are computed: while their layer is read, or in units of their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::cost::{self, BASE_BYTES, FeaturesShape};
use crate::spec::Scoring;
use crate::{Consumes, Digest, Estimate, FeaturesUnit, LayerTarget, Plan};

/// Seconds of scoring that a features unit takes on, beside as many as its reading takes: so long a unit is lost at most when a worker is
/// killed, and so long the other workers may have nothing to do.
pub const SCORING_SECONDS: f64 = 60.0;

impl Plan {
    /// Decides for each features unit which scores it computes, which are units of their own, and so which Grams are stored.
    pub(crate) fn place_scores(&mut self) {
        for features in 0..self.features.len() {
            let apart = self.apart(features);
            self.features[features].scores.retain(|score| !apart.contains(score));
            for &score in &apart {
                self.scores[score].apart = true;
            }
            self.keep_grams(features, &apart);
            self.estimate_with_scores(features);
        }
    }

    /// Scores of a features unit that are units of their own: of the benchmarks that cost most, and that need more memory than there is.
    fn apart(&self, features: usize) -> BTreeSet<usize> {
        let unit = &self.features[features];
        let of_grams = |score: &&usize| self.consumes(**score) == Consumes::Gram;
        let scores: Vec<usize> = unit.scores.iter().filter(of_grams).copied().collect();
        match self.spec.features.scoring {
            Scoring::Together => return BTreeSet::new(),
            Scoring::Apart => return scores.into_iter().collect(),
            Scoring::Auto => {}
        }
        let mut by_benchmark: BTreeMap<usize, (f64, Vec<usize>)> = BTreeMap::new();
        for score in scores {
            let (seconds, list) = by_benchmark.entry(self.scores[score].benchmark).or_default();
            *seconds += self.scores[score].estimate.seconds;
            list.push(score);
        }
        let mut by_cost: Vec<(f64, Vec<usize>)> = by_benchmark.into_values().collect();
        by_cost.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let bound = unit.estimate.seconds.max(SCORING_SECONDS);
        let mut total = 0.0;
        let mut apart = BTreeSet::new();
        for (seconds, list) in by_cost {
            let least = self.scores[list[0]].estimate.least_bytes.saturating_sub(BASE_BYTES);
            let fits = unit.estimate.least_bytes.saturating_add(least) <= self.machine.memory_bytes;
            if fits && total + seconds <= bound {
                total += seconds;
            } else {
                apart.extend(list);
            }
        }
        apart
    }

    fn keep_grams(&mut self, features: usize, apart: &BTreeSet<usize>) {
        let unit = &self.features[features];
        // A metric of tiles that needs the Gram before reads the layer twice.
        let needs = |&&score: &&usize| self.benchmarks[self.scores[score].benchmark].variant.needs_gram;
        let readers = apart.iter().chain(unit.scores.iter().filter(needs));
        let read: BTreeSet<Digest> = readers.map(|&score| self.scores[score].gram.clone()).collect();
        let mapped = self.maps.iter().any(|map| map.features == Some(features));
        let results = self.natural_layers(features);
        let plain: Vec<usize> = unit.plain().collect();
        let all = self.spec.features.keep_grams;
        for (position, layer) in self.features[features].layers.iter_mut().enumerate() {
            let wanted = all || (mapped && plain.contains(&position)) || results.contains(&position);
            layer.kept = wanted || read.contains(&layer.gram);
        }
    }

    fn estimate_with_scores(&mut self, features: usize) {
        let unit = &self.features[features];
        let of_grams = unit.scores.iter().filter(|&&score| self.consumes(score) == Consumes::Gram);
        let of_grams: Vec<&Estimate> = of_grams.map(|&score| &self.scores[score].estimate).collect();
        let beside = |bytes: fn(&Estimate) -> u64| {
            of_grams.iter().map(|estimate| bytes(estimate).saturating_sub(BASE_BYTES)).max().unwrap_or(0)
        };
        let scoring_bytes = beside(|estimate| estimate.least_bytes);
        // As many at a time as there are threads, each with all threads.
        let at_once = self.machine.threads.min(of_grams.len()) as u64;
        let wanted = beside(|estimate| estimate.memory_bytes).saturating_mul(at_once);
        let seconds: f64 = unit.scores.iter().map(|&score| self.scores[score].estimate.seconds).sum();
        let rows = self.models[unit.model].rows(self.stimuli_of(unit).0);
        self.features[features].scoring_bytes = scoring_bytes;
        let mut estimate =
            cost::features(&self.features_shape(&self.features[features], rows), &self.machine);
        let reading_bytes = estimate.memory_bytes.saturating_sub(scoring_bytes);
        let taken = reading_bytes.saturating_add(wanted).min(self.machine.memory_bytes);
        estimate.memory_bytes = estimate.memory_bytes.max(taken);
        estimate.seconds += seconds;
        self.features[features].reading_bytes = reading_bytes;
        self.features[features].estimate = estimate;
    }

    pub(crate) fn features_shape(&self, unit: &FeaturesUnit, rows: usize) -> FeaturesShape {
        let facts = &self.models[unit.model];
        let features = |target: &LayerTarget| facts.layers[target.layer].features;
        FeaturesShape {
            stimuli: rows,
            layers: unit.plain().map(|position| features(&unit.layers[position])).collect(),
            seconds_per_stimulus: facts.seconds_per_stimulus,
            weight_bytes: facts.weight_bytes,
            products: unit.layers.iter().map(|target| (features(target), target.precision)).collect(),
            scoring_bytes: unit.scoring_bytes,
        }
    }

    /// Predicted seconds of reading a features unit, without its scores.
    pub fn reading_seconds(&self, features: usize) -> f64 {
        let unit = &self.features[features];
        let scoring: f64 = unit.scores.iter().map(|&score| self.scores[score].estimate.seconds).sum();
        (unit.estimate.seconds - scoring).max(0.0)
    }

    fn consumes(&self, score: usize) -> Consumes {
        self.benchmarks[self.scores[score].benchmark].consumes
    }
}
