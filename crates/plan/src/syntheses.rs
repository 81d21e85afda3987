//! Synthesis units: one restart of the search for images of a model, and the natural images it is compared with.

use serde::{Deserialize, Serialize};
use ventral_synthesis::{MAX_LAYERS, Settings};

use crate::cost::{self, SynthesisShape};
use crate::planner::MAX_UNITS;
use crate::unit::RESULT_REVISION;
use crate::{Digest, Error, Estimate, JobSpec, ModelFacts, Plan, SynthesisSpec};

/// What planning needs to know about a model's gradient with respect to the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradientFacts {
    /// What computes it; part of every digest.
    pub engine: String,
    /// Height and width of the images in pixels: the model's input.
    pub size: [usize; 2],
    /// Bytes that are kept for an image between the way forward and the way back.
    pub trace_bytes: u64,
    /// Bytes that an image on its way takes besides: at most all tensors of the graph.
    pub working_bytes: u64,
    /// Seconds of one image forward and back on this machine, one thread.
    pub seconds_per_image: f64,
}

/// Natural images that synthesised ones are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolFacts {
    /// Identifier on the benchmark card.
    pub identifier: String,
    /// Version on the card.
    pub version: String,
    /// Digest of the stimuli: ids and image bytes, in order.
    pub stimuli: Digest,
    /// Their number.
    pub count: usize,
    /// Whom to cite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<String>,
}

/// One restart of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SynthesisUnit {
    /// Name of the resulting record, and of its checkpoints.
    pub digest: Digest,
    /// Index into the plan's models.
    pub model: usize,
    /// Which of the model's restarts it is, from 0.
    pub restart: u64,
    /// Its seed: that of the spec plus `restart`.
    pub seed: u64,
    /// Indices, ascending, into the model's layers of those that are told apart.
    pub layers: Vec<usize>,
    /// Predicted memory and time.
    pub estimate: Estimate,
}

/// Everything that can change the bytes of a synthesis record.
#[derive(Serialize)]
struct SynthesisIdentity<'a> {
    kind: &'static str,
    revision: u32,
    profile: &'a str,
    engine: &'a str,
    model: &'a Digest,
    layers: Vec<&'a str>,
    settings: Settings,
}

/// Indices, ascending, of the layers of a model that are told apart: those that the spec names, or else the card's without the readout.
pub fn told_apart(spec: &JobSpec, facts: &ModelFacts) -> Vec<usize> {
    let asked = spec.layers.contains_key(&facts.identifier);
    let kept = |layer: &usize| {
        !facts.committed.contains(layer) && (asked || facts.readout.is_none_or(|readout| readout != *layer))
    };
    (0..facts.layers.len()).filter(kept).collect()
}

impl Plan {
    /// Plans the restarts of all models.
    pub(crate) fn add_syntheses(&mut self) -> Result<(), Error> {
        let Some(spec) = self.spec.synthesis.clone() else { return Ok(()) };
        let planned = self.models.len().saturating_mul(spec.restarts as usize);
        let found = planned.saturating_add(self.scores.len()).saturating_add(self.maps.len());
        if found > MAX_UNITS {
            return Err(Error::TooManyUnits { found });
        }
        if let Some(pool) = self.pools.iter().find(|pool| pool.count < spec.images) {
            let problem = format!(
                "the {} natural images of {} are fewer than the {} to draw; name a benchmark with more, or lower synthesis.images",
                pool.count, pool.identifier, spec.images
            );
            return Err(Error::Synthesis { problem });
        }
        for model in 0..self.models.len() {
            // A model without a gradient can be scored all the same.
            if self.models[model].gradient.is_some() || self.spec.has_images_alone() {
                self.add_restarts(model, &spec)?;
            }
        }
        Ok(())
    }

    fn add_restarts(&mut self, model: usize, spec: &SynthesisSpec) -> Result<(), Error> {
        let facts = &self.models[model];
        let refuse = |problem: String| Err(Error::Synthesis { problem });
        let Some(gradient) = &facts.gradient else {
            return refuse(format!("{} has no gradient: images cannot be made for it", facts.identifier));
        };
        let layers = told_apart(&self.spec, facts);
        if !(2..=MAX_LAYERS).contains(&layers.len()) {
            return refuse(format!(
                "{} has {} layers to tell apart; choose 2 to {MAX_LAYERS} under [layers]",
                facts.identifier,
                layers.len()
            ));
        }
        let named: Vec<&str> = layers.iter().map(|&layer| facts.layers[layer].name.as_str()).collect();
        let shape = SynthesisShape {
            images: spec.images,
            size: gradient.size,
            steps: spec.steps,
            features: layers.iter().map(|&layer| facts.layers[layer].features).collect(),
            trace_bytes: gradient.trace_bytes,
            working_bytes: gradient.working_bytes,
            weight_bytes: facts.weight_bytes,
            seconds_per_image: gradient.seconds_per_image,
        };
        let estimate = cost::synthesis(&shape, &self.machine);
        let mut units = Vec::new();
        for restart in 0..spec.restarts {
            let seed = spec.seed + restart;
            let settings = spec.settings(gradient.size, seed);
            if let Err(error) = settings.check() {
                return refuse(format!("{}: {error}", facts.identifier));
            }
            let digest = Digest::of_identity(&SynthesisIdentity {
                kind: "synthesis",
                revision: RESULT_REVISION,
                profile: &self.machine.profile,
                engine: &gradient.engine,
                model: &facts.digest,
                layers: named.clone(),
                settings,
            });
            units.push(SynthesisUnit { digest, model, restart, seed, layers: layers.clone(), estimate });
        }
        self.syntheses.extend(units);
        Ok(())
    }

    /// Index of the features unit that reads a model on the natural images of its comparison; none without a pool.
    pub fn natural_features(&self, model: usize) -> Option<usize> {
        let pool = self.pools.first()?;
        let layers = told_apart(&self.spec, self.models.get(model)?);
        self.features.iter().position(|unit| {
            let same = unit.stimuli == pool.stimuli && unit.screen.is_none();
            let read = |layer: &usize| unit.layers.iter().any(|target| target.layer == *layer);
            unit.model == model && same && layers.iter().all(read)
        })
    }

    /// Grams of the natural images for the layers of a synthesis unit, in order; none without a pool.
    pub fn natural_grams(&self, unit: &SynthesisUnit) -> Option<Vec<&Digest>> {
        let features = self.features.get(self.natural_features(unit.model)?)?;
        let gram = |layer: &usize| features.layers.iter().find(|target| target.layer == *layer);
        unit.layers.iter().map(|layer| gram(layer).map(|target| &target.gram)).collect()
    }

    /// Positions, ascending, of the layers of a features unit that are read for the comparison with natural images.
    pub fn natural_layers(&self, features: usize) -> Vec<usize> {
        let Some(unit) = self.features.get(features) else { return Vec::new() };
        let synthesis = self.syntheses.iter().find(|synthesis| synthesis.model == unit.model);
        let Some(synthesis) = synthesis.filter(|_| self.natural_features(unit.model) == Some(features))
        else {
            return Vec::new();
        };
        let read = |position: &usize| synthesis.layers.contains(&unit.layers[*position].layer);
        (0..unit.layers.len()).filter(read).collect()
    }

    /// Names of the layers of a synthesis unit, in order.
    pub fn synthesis_layer_names(&self, unit: &SynthesisUnit) -> Vec<&str> {
        let facts = &self.models[unit.model];
        unit.layers.iter().map(|&layer| facts.layers[layer].name.as_str()).collect()
    }

    /// Model and restart of a synthesis unit, in words.
    pub fn synthesis_title(&self, unit: &SynthesisUnit) -> String {
        let images = self.spec.synthesis.as_ref().map_or(0, |spec| spec.images);
        format!("synthesising {images} images for {}, seed {}", self.models[unit.model].identifier, unit.seed)
    }

    /// A layer of the natural images, in words.
    pub fn natural_title(&self, features: usize, position: usize) -> String {
        let unit = &self.features[features];
        let model = &self.models[unit.model];
        let layer = unit.layers.get(position).map_or("", |target| model.layers[target.layer].name.as_str());
        let pool = self.pools.first().map_or("", |pool| pool.identifier.as_str());
        format!("{}, layer {layer}, on the natural images of {pool}", model.identifier)
    }
}
