//! Results of a job that cannot be had, and why.

use std::collections::BTreeMap;

use ventral_plan::Plan;
use ventral_store::Failure;

/// What cannot be had, by its place in the plan, each with the reason.
#[derive(Debug, Default)]
pub struct Lost {
    /// Scores.
    pub scores: BTreeMap<usize, String>,
    /// Maps.
    pub maps: BTreeMap<usize, String>,
    /// Syntheses.
    pub syntheses: BTreeMap<usize, String>,
    /// Layers of natural images: features unit, and position of the layer in it.
    pub natural: BTreeMap<(usize, usize), String>,
}

impl Lost {
    /// As the aggregator reads it.
    pub fn failures(&self, plan: &Plan) -> Vec<Failure> {
        let of = |digest: &ventral_plan::Digest, unit: String, reason: &str| {
            Failure::new(digest.clone(), unit, reason)
        };
        let scores = self.scores.iter().map(|(&index, reason)| {
            let unit = &plan.scores[index];
            of(&unit.digest, plan.score_title(unit), reason)
        });
        let maps = self.maps.iter().map(|(&index, reason)| {
            let unit = &plan.maps[index];
            of(&unit.digest, plan.map_title(unit), reason)
        });
        let syntheses = self.syntheses.iter().map(|(&index, reason)| {
            let unit = &plan.syntheses[index];
            of(&unit.digest, plan.synthesis_title(unit), reason)
        });
        let natural = self.natural.iter().map(|(&(features, layer), reason)| {
            let target = &plan.features[features].layers[layer];
            of(&target.gram, plan.natural_title(features, layer), reason)
        });
        scores.chain(maps).chain(syntheses).chain(natural).collect()
    }

    /// In words, with so many cards that could not be used; `None` if nothing is lost.
    pub fn in_words(&self, refused: usize) -> Option<String> {
        let lost = [
            (refused, "cards could not be used"),
            (self.scores.len(), "scores could not be computed"),
            (self.maps.len(), "pieces of maps could not be computed"),
            (self.syntheses.len(), "sets of images could not be made"),
            (self.natural.len(), "layers could not be read on the natural images"),
        ];
        let lost: Vec<String> = lost
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!lost.is_empty()).then(|| format!("{}; the results say which and why", lost.join(" and ")))
    }
}
