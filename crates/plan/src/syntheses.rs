//! Synthesis units: one restart of the search for images of a model, and the natural images it is compared with.

use serde::{Deserialize, Serialize};
use ventral_synthesis::{MAX_LAYERS, MAX_PIXELS, REVISION, Settings, USUAL_IMAGES};

use crate::cost::{self, SynthesisShape};
use crate::planner::MAX_UNITS;
use crate::unit::RESULT_REVISION;
use crate::{CardKind, Digest, Error, Estimate, JobSpec, ModelFacts, Plan, Refused, SynthesisSpec};

/// Reasons shown in one message.
const MAX_REASONS: usize = 5;

fn in_words(refused: &Refused) -> String {
    format!("{}: {}", refused.title(), refused.reason)
}

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
    /// Of the mathematics of synthesis.
    algorithm: u32,
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
            self.add_restarts(model, &spec);
        }
        if self.scores.is_empty() && self.maps.is_empty() && self.syntheses.is_empty() {
            let reasons: Vec<String> = self.refused.iter().take(MAX_REASONS).map(in_words).collect();
            let problem = format!("there is nothing to do: {}", reasons.join("; "));
            return Err(Error::Synthesis { problem });
        }
        Ok(())
    }

    /// Leaves out the models that no images can be made for: they keep their scores and maps, and the others their images.
    pub(crate) fn refuse_syntheses(&mut self) {
        let Some(spec) = self.spec.synthesis.clone() else { return };
        for model in 0..self.models.len() {
            let facts = &self.models[model];
            let problem = match &facts.gradient {
                Some(gradient) => self.problem(facts, gradient, &spec),
                // Where there are scores, too, whoever looked for the gradient has said why there is none.
                None => self.spec.has_images_alone().then(|| "it has no gradient".to_owned()),
            };
            let Some(problem) = problem else { continue };
            let reason = format!("no images can be made for it: {problem}");
            let card = facts.identifier.clone();
            self.refused.push(Refused { kind: CardKind::Model, card, reason });
            self.models[model].gradient = None;
        }
    }

    /// Why no images can be made for a model.
    fn problem(&self, facts: &ModelFacts, gradient: &GradientFacts, spec: &SynthesisSpec) -> Option<String> {
        let layers = told_apart(&self.spec, facts).len();
        if !(2..=MAX_LAYERS).contains(&layers) {
            return Some(format!(
                "it has {layers} layers to tell apart; choose 2 to {MAX_LAYERS} under [layers]"
            ));
        }
        if layers == 2 && spec.objective.adjacent_weight == 0.0 {
            let problem = "synthesis.objective.adjacent_weight: found 0, and its two layers are an adjacent pair, the only one; \
                           write a number above 0, such as 1.0";
            return Some(problem.to_owned());
        }
        let [height, width] = gradient.size;
        let fitting = MAX_PIXELS / height.saturating_mul(width).max(1);
        if spec.images > fitting && fitting >= USUAL_IMAGES {
            let images = spec.images;
            return Some(format!(
                "synthesis.images: found {images}; of {height} x {width} pixels, its input, at most {fitting} fit into a set"
            ));
        }
        spec.settings(gradient.size, spec.seed).check().err().map(|error| error.to_string())
    }

    fn synthesis_shape(&self, model: usize) -> Option<SynthesisShape> {
        let facts = self.models.get(model)?;
        let (spec, gradient) = (self.spec.synthesis.as_ref()?, facts.gradient.as_ref()?);
        Some(SynthesisShape {
            images: spec.images,
            size: gradient.size,
            steps: spec.steps,
            features: told_apart(&self.spec, facts)
                .iter()
                .map(|&layer| facts.layers[layer].features)
                .collect(),
            trace_bytes: gradient.trace_bytes,
            working_bytes: gradient.working_bytes,
            weight_bytes: facts.weight_bytes,
            seconds_per_image: gradient.seconds_per_image,
        })
    }

    /// Threads of at most `threads` with which a synthesis unit fits into `memory_bytes`; at least one.
    pub fn synthesis_threads(&self, unit: &SynthesisUnit, memory_bytes: u64, threads: usize) -> usize {
        let shape = self.synthesis_shape(unit.model);
        shape.map_or(1, |shape| cost::synthesis_threads(&shape, memory_bytes, threads))
    }

    fn add_restarts(&mut self, model: usize, spec: &SynthesisSpec) {
        let (facts, shape) = (&self.models[model], self.synthesis_shape(model));
        let (Some(gradient), Some(shape)) = (&facts.gradient, shape) else { return };
        let layers = told_apart(&self.spec, facts);
        let estimate = cost::synthesis(&shape, &self.machine);
        let unit = |restart: u64| {
            let seed = spec.seed + restart;
            let digest = Digest::of_identity(&SynthesisIdentity {
                kind: "synthesis",
                revision: RESULT_REVISION,
                algorithm: REVISION,
                profile: &self.machine.profile,
                engine: &gradient.engine,
                model: &facts.digest,
                layers: layers.iter().map(|&layer| facts.layers[layer].name.as_str()).collect(),
                settings: spec.settings(gradient.size, seed),
            });
            SynthesisUnit { digest, model, restart, seed, layers: layers.clone(), estimate }
        };
        let units: Vec<SynthesisUnit> = (0..spec.restarts).map(unit).collect();
        self.syntheses.extend(units);
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
        unit.plain().filter(read).collect()
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
