//! The units of a job, and what each needs.

use std::collections::HashMap;
use std::sync::Arc;

use ventral_plan::pool::{ASSEMBLE_POOL, DRILL_POOL, MIN_CLASS, pool_name, unit_class};
use ventral_plan::{Assignment, Digest, Estimate, Plan, Work};
use ventral_queue::{Entry, SHARDS, UnitId};

use super::{JobRequest, Submission};

/// A unit of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnitRef {
    /// Reads what the spec names.
    Plan,
    /// Assembles the results.
    Assemble,
    /// Features units first, then score, map and synthesis units; or drill units.
    Body(u32),
}

/// The body of a job.
#[derive(Debug)]
pub enum Body {
    /// Not planned yet, or ended.
    Unknown,
    /// Units of a plan.
    Evaluation(Evaluation),
    /// So many units that do nothing.
    Drill {
        /// Their number.
        units: u32,
        /// Duration of each.
        milliseconds: u64,
    },
}

/// The units of a plan and how they depend on each other.
#[derive(Debug)]
pub struct Evaluation {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Names of the features units.
    features: Vec<Digest>,
    /// Features unit and layer (index into its layers) of each score.
    source: Vec<(u32, u32)>,
    /// Scores from Grams of each features unit.
    users: Vec<Vec<u32>>,
    /// Maps from Grams of each features unit.
    maps: Vec<Vec<u32>>,
    /// Layers (positions) of each features unit that natural images are compared in.
    natural: Vec<Vec<usize>>,
}

impl Evaluation {
    /// Links scores to the features units they read.
    pub fn new(plan: Arc<Plan>) -> Self {
        let mut grams: HashMap<&Digest, (u32, u32)> = HashMap::new();
        for (unit, features) in plan.features.iter().enumerate() {
            for (layer, target) in features.layers.iter().enumerate() {
                grams.entry(&target.gram).or_insert((unit as u32, layer as u32));
            }
        }
        let source: Vec<(u32, u32)> =
            plan.scores.iter().map(|score| grams.get(&score.gram).copied().unwrap_or((0, 0))).collect();
        let mut users = vec![Vec::new(); plan.features.len()];
        for (score, &(unit, _)) in source.iter().enumerate() {
            if plan.scores[score].apart
                && let Some(list) = users.get_mut(unit as usize)
            {
                list.push(score as u32);
            }
        }
        let mut maps = vec![Vec::new(); plan.features.len()];
        for (map, unit) in plan.maps.iter().enumerate() {
            if let Some(list) = unit.features.and_then(|features| maps.get_mut(features)) {
                list.push(map as u32);
            }
        }
        let natural = (0..plan.features.len()).map(|index| plan.natural_layers(index)).collect();
        let features = plan.features.iter().map(|unit| plan.features_digest(unit)).collect();
        Self { source, users, maps, natural, features, plan }
    }

    /// Number of features units.
    pub fn features_count(&self) -> usize {
        self.features.len()
    }

    /// Index of a score's unit.
    pub fn unit_of(&self, score: u32) -> u32 {
        self.features.len() as u32 + score
    }

    /// The score of a unit, unless it is of another kind.
    pub fn score_of(&self, unit: u32) -> Option<usize> {
        let score = (unit as usize).checked_sub(self.features.len())?;
        (score < self.plan.scores.len()).then_some(score)
    }

    /// Index of a map's unit.
    pub fn unit_of_map(&self, map: u32) -> u32 {
        (self.features.len() + self.plan.scores.len()) as u32 + map
    }

    /// The map of a unit, if it is a map unit.
    pub fn map_of(&self, unit: u32) -> Option<usize> {
        let map = (unit as usize).checked_sub(self.features.len() + self.plan.scores.len())?;
        (map < self.plan.maps.len()).then_some(map)
    }

    /// The synthesis of a unit, if it is a synthesis unit.
    pub fn synthesis_of(&self, unit: u32) -> Option<usize> {
        (unit as usize).checked_sub(self.unit_of_map(self.plan.maps.len() as u32) as usize)
    }

    /// Layers (positions) of a features unit that natural images are compared in.
    pub fn natural(&self, features: u32) -> &[usize] {
        &self.natural[features as usize]
    }

    /// Features unit that a score or map unit waits for; a synthesis waits for nothing.
    pub fn input_of(&self, unit: u32) -> Option<u32> {
        match (self.score_of(unit), self.map_of(unit)) {
            (Some(score), _) => Some(self.source[score].0),
            (None, Some(map)) => self.plan.maps[map].features.map(|features| features as u32),
            (None, None) => None,
        }
    }

    /// Features unit and layer that a score reads.
    pub fn source(&self, score: usize) -> (u32, u32) {
        self.source[score]
    }

    /// Scores that read the Grams of a features unit.
    pub fn users(&self, features: u32) -> &[u32] {
        &self.users[features as usize]
    }

    /// Maps that read all Grams of a features unit.
    pub fn maps(&self, features: u32) -> &[u32] {
        &self.maps[features as usize]
    }

    /// Whether a unit reads a model.
    pub fn is_features(&self, unit: u32) -> bool {
        (unit as usize) < self.features.len()
    }

    /// Why a map is lost that needs this layer (index into its features unit's).
    pub fn lost_layer(&self, features: u32, layer: u32, reason: &str) -> String {
        let unit = &self.plan.features[features as usize];
        let target = unit.layers.get(layer as usize);
        let name =
            target.map_or("", |target| self.plan.models[unit.model].layers[target.layer].name.as_str());
        format!("layer {name} cannot be read: {reason}")
    }

    /// Units that read Grams of a features unit.
    pub fn readers(&self, features: u32) -> Vec<u32> {
        let scores = self.users(features).iter().map(|&score| self.unit_of(score));
        scores.chain(self.maps(features).iter().map(|&map| self.unit_of_map(map))).collect()
    }

    /// Whether a score is computed while its layer is read, and so is no unit of its own.
    pub fn in_features(&self, score: usize) -> bool {
        !self.plan.scores[score].apart
    }

    /// All results of the plan: scores, then Grams that are kept in the order of the features units, then maps and syntheses.
    pub fn results(&self) -> Vec<Digest> {
        let scores = self.plan.scores.iter().map(|unit| unit.digest.clone());
        let grams = self.plan.features.iter();
        let grams = grams.flat_map(|unit| unit.kept().map(|layer| unit.layers[layer].gram.clone()));
        let maps = self.plan.maps.iter().map(|unit| unit.digest.clone());
        let syntheses = self.plan.syntheses.iter().map(|unit| unit.digest.clone());
        scores.chain(grams).chain(maps).chain(syntheses).collect()
    }

    fn place(&self, unit: u32) -> Place {
        match (self.score_of(unit), self.map_of(unit), self.synthesis_of(unit)) {
            (Some(score), _, _) => Place::Score(score),
            (None, Some(map), _) => Place::Map(map),
            (None, None, Some(synthesis)) => Place::Synthesis(synthesis),
            (None, None, None) => Place::Features(unit as usize),
        }
    }

    fn digest(&self, unit: u32) -> &Digest {
        match self.place(unit) {
            Place::Score(score) => &self.plan.scores[score].digest,
            Place::Map(map) => &self.plan.maps[map].digest,
            Place::Synthesis(synthesis) => &self.plan.syntheses[synthesis].digest,
            Place::Features(features) => &self.features[features],
        }
    }

    /// Predicted cost of a unit.
    pub fn estimate(&self, unit: u32) -> &Estimate {
        match self.place(unit) {
            Place::Score(score) => &self.plan.scores[score].estimate,
            Place::Map(map) => &self.plan.maps[map].estimate,
            Place::Synthesis(synthesis) => &self.plan.syntheses[synthesis].estimate,
            Place::Features(features) => &self.plan.features[features].estimate,
        }
    }

    /// Units with one shard share Grams, or the volumes of a subject.
    fn shard(&self, unit: u32) -> u16 {
        let features = match self.place(unit) {
            Place::Map(map) => {
                let map = &self.plan.maps[map];
                let scan = &self.plan.scans[map.scan].digest;
                return shard_of(&Digest::of_identity(&("subject", scan, map.subject)));
            }
            // Restarts share nothing but the model.
            Place::Synthesis(synthesis) => return shard_of(&self.plan.syntheses[synthesis].digest),
            Place::Score(score) => self.source[score].0 as usize,
            Place::Features(features) => features,
        };
        shard_of(&self.features[features])
    }

    /// The unit in words.
    pub fn title(&self, unit: u32) -> String {
        match self.place(unit) {
            Place::Score(score) => self.score_title(score),
            Place::Map(map) => self.plan.map_title(&self.plan.maps[map]),
            Place::Synthesis(synthesis) => self.plan.synthesis_title(&self.plan.syntheses[synthesis]),
            Place::Features(features) => self.plan.features_title(&self.plan.features[features]),
        }
    }

    /// A score in words.
    pub fn score_title(&self, score: usize) -> String {
        self.plan.score_title(&self.plan.scores[score])
    }
}

/// A unit's place in the plan.
enum Place {
    Features(usize),
    Score(usize),
    Map(usize),
    Synthesis(usize),
}

fn shard_of(digest: &Digest) -> u16 {
    u16::from_str_radix(&digest.as_str()[..4], 16).unwrap_or(0) % SHARDS
}

impl Body {
    /// Number of units.
    pub fn len(&self) -> u32 {
        match self {
            Self::Unknown => 0,
            Self::Evaluation(units) => {
                units.unit_of_map((units.plan.maps.len() + units.plan.syntheses.len()) as u32)
            }
            Self::Drill { units, .. } => *units,
        }
    }
}

/// Name of a unit in the queue.
pub fn unit_id(job: &str, round: u32, body: &Body, unit: UnitRef) -> UnitId {
    UnitId(match (unit, body) {
        (UnitRef::Plan, _) => Digest::of_identity(&("plan", job, round)).to_string(),
        (UnitRef::Assemble, _) => Digest::of_identity(&("assemble", job, round)).to_string(),
        (UnitRef::Body(index), Body::Evaluation(units)) => units.digest(index).to_string(),
        (UnitRef::Body(index), _) => Digest::of_identity(&("drill", job, index)).to_string(),
    })
}

/// Pool of a unit.
pub fn pool_of(submission: &Submission, body: &Body, unit: UnitRef) -> String {
    match (unit, body) {
        (UnitRef::Plan, _) => pool_name(&submission.profile, MIN_CLASS),
        (UnitRef::Assemble, _) => ASSEMBLE_POOL.to_owned(),
        (UnitRef::Body(index), Body::Evaluation(units)) => {
            pool_name(&submission.profile, unit_class(units.estimate(index).least_bytes))
        }
        (UnitRef::Body(_), _) => DRILL_POOL.to_owned(),
    }
}

/// Name of the kind of a unit.
pub fn kind_of(body: &Body, unit: UnitRef) -> &'static str {
    match (unit, body) {
        (UnitRef::Plan, _) => "plan",
        (UnitRef::Assemble, _) => "assemble",
        (UnitRef::Body(index), Body::Evaluation(units)) => match units.place(index) {
            Place::Score(_) => "score",
            Place::Map(_) => "map",
            Place::Synthesis(_) => "synthesis",
            Place::Features(_) => "features",
        },
        (UnitRef::Body(_), _) => "drill",
    }
}

/// Predicted seconds of a unit; nothing predicts planning and assembling.
pub fn predicted_seconds(body: &Body, unit: UnitRef) -> Option<f64> {
    match (unit, body) {
        (UnitRef::Body(index), Body::Evaluation(units)) => Some(units.estimate(index).seconds),
        (UnitRef::Body(_), Body::Drill { milliseconds, .. }) => Some(*milliseconds as f64 / 1e3),
        _ => None,
    }
}

/// A unit as an entry of the queue.
pub fn entry(job: &str, round: u32, submission: &Submission, body: &Body, unit: UnitRef) -> Entry {
    let work = match (unit, body, &submission.request) {
        (UnitRef::Plan, _, JobRequest::Evaluation { bundle, .. }) => Work::Plan { bundle: bundle.clone() },
        (UnitRef::Body(index), Body::Evaluation(units), _) => match units.place(index) {
            Place::Score(index) => Work::Score { index },
            Place::Map(index) => Work::Map { index },
            Place::Synthesis(index) => Work::Synthesis { index },
            Place::Features(index) => Work::Features { index },
        },
        (UnitRef::Body(_), Body::Drill { milliseconds, .. }, _) => {
            Work::Drill { milliseconds: *milliseconds }
        }
        _ => Work::Assemble,
    };
    let shard = match (unit, body) {
        (UnitRef::Body(index), Body::Evaluation(units)) => units.shard(index),
        (UnitRef::Body(index), _) => (index % u32::from(SHARDS)) as u16,
        _ => 0,
    };
    let assignment = Assignment {
        job: job.to_owned(),
        work,
        traceparent: submission.traceparent.clone(),
        predicted_seconds: predicted_seconds(body, unit),
    };
    Entry {
        unit: unit_id(job, round, body, unit),
        pool: pool_of(submission, body, unit),
        shard,
        job: job.to_owned(),
        payload: serde_json::to_vec(&assignment).unwrap_or_default(),
    }
}
