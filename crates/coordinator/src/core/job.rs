//! One job in memory: the state machine of its units. Pure: no clock, no store, no queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ventral_plan::pool::{DRILL_POOL, pool_name, unit_class};
use ventral_plan::{Digest, Plan, UnitReport};
use ventral_queue::UnitId;
use ventral_store::Failure;

use super::documents::{ControlDocument, End};
use super::lost::Lost;
use super::units::{Body, Evaluation, UnitRef, pool_of, unit_id};
use super::{Counts, JobRequest, JobState, Submission};

/// Times a unit may send its input back to be made again before it fails.
pub const MAX_INPUT_RETURNS: u32 = 3;

/// State of a unit of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// An input is missing.
    Blocked,
    /// It can be admitted.
    Ready,
    /// In the queue or in the hands of a worker.
    Admitted,
    /// Its results are in the store.
    Done,
    /// Given up.
    Failed,
}

/// A job.
#[derive(Debug)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// What was submitted.
    pub submission: Submission,
    /// What has become of it.
    pub control: ControlDocument,
    /// Its units.
    pub body: Body,
    /// Units in the queue or in the hands of workers.
    pub in_flight: u64,
    /// When it was last served; the job served longest ago goes first.
    pub served: u64,
    /// Counts changes.
    pub revision: u64,
    stage: JobState,
    phases: Vec<Phase>,
    ready: BTreeMap<String, VecDeque<UnitRef>>,
    failures: BTreeMap<u32, String>,
    lost: Lost,
    returns: BTreeMap<u32, u32>,
    counts: Counts,
    reason: String,
}

impl Job {
    /// A job as submitted. An evaluation waits to be planned; a drill can start; an ended one is kept for the record.
    pub fn new(id: String, submission: Submission, control: ControlDocument) -> Self {
        let mut job = Self {
            id,
            submission,
            control,
            body: Body::Unknown,
            in_flight: 0,
            served: 0,
            revision: 1,
            stage: JobState::Planning,
            phases: Vec::new(),
            ready: BTreeMap::new(),
            failures: BTreeMap::new(),
            lost: Lost::default(),
            returns: BTreeMap::new(),
            counts: Counts::default(),
            reason: String::new(),
        };
        match (&job.control.end, &job.submission.request) {
            (Some(end), _) => {
                (job.stage, job.counts, job.reason) = (end.state, end.counts, end.reason.clone());
            }
            (None, JobRequest::Drill { units, milliseconds, .. }) => {
                let body = Body::Drill { units: *units, milliseconds: *milliseconds };
                job.start(body, |_| false);
            }
            (None, JobRequest::Evaluation { .. }) => job.queue(UnitRef::Plan),
        }
        job
    }

    /// Its state.
    pub fn state(&self) -> JobState {
        match self.stage {
            JobState::Running | JobState::Planning if self.control.paused => JobState::Paused,
            stage => stage,
        }
    }

    /// Why it is in its state.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Units by state.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The plan, once there is one.
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        match &self.body {
            Body::Evaluation(units) => Some(&units.plan),
            _ => None,
        }
    }

    /// State of a unit of the body.
    pub fn phase(&self, unit: u32) -> Phase {
        self.phases.get(unit as usize).copied().unwrap_or(Phase::Blocked)
    }

    /// Whether the unit is one of its own: a score that is computed while features are read is not.
    pub fn counts_unit(&self, unit: u32) -> bool {
        match &self.body {
            Body::Evaluation(units) => units.score_of(unit).is_none_or(|score| !units.in_features(score)),
            _ => true,
        }
    }

    /// Why a unit failed.
    pub fn failure(&self, unit: u32) -> Option<&str> {
        self.failures.get(&unit).map(String::as_str)
    }

    /// Pools it has units for that can be admitted now.
    pub fn wanted_pools(&self) -> impl Iterator<Item = (&String, usize)> {
        let open = !self.control.paused && !self.stage.is_final();
        self.ready
            .iter()
            .filter(move |(_, list)| open && !list.is_empty())
            .map(|(pool, list)| (pool, list.len()))
    }

    /// Takes the next unit of a pool for admission.
    pub fn next_ready(&mut self, pool: &str) -> Option<UnitRef> {
        let unit = self.ready.get_mut(pool)?.pop_front()?;
        self.mark_admitted(unit);
        Some(unit)
    }

    /// The plan is there: `present` says which results are in the store.
    pub fn planned(&mut self, plan: Arc<Plan>, present: impl Fn(&Digest) -> bool) {
        let units = Evaluation::new(plan);
        self.ready.clear();
        self.start(Body::Evaluation(units), present);
        if self.submission.dry_run {
            self.ready.clear();
            self.set_stage(JobState::Planned, String::new());
        }
    }

    fn start(&mut self, body: Body, present: impl Fn(&Digest) -> bool) {
        self.phases = vec![Phase::Blocked; body.len() as usize];
        self.counts = Counts::default();
        self.failures.clear();
        self.lost = Lost::default();
        self.body = body;
        self.set_stage(JobState::Running, String::new());
        let cached = self.initial_phases(present);
        for unit in 0..self.body.len() {
            if !self.counts_unit(unit) {
                continue;
            }
            self.counts.total += 1;
            if cached[unit as usize] {
                self.phases[unit as usize] = Phase::Done;
                self.counts.cached += 1;
            } else {
                self.counts.waiting += 1;
            }
        }
        self.tell_found_from_computed();
        for unit in 0..self.body.len() {
            if self.counts_unit(unit)
                && self.phase(unit) == Phase::Blocked
                && self.input_is_there(unit, &cached)
            {
                self.queue(UnitRef::Body(unit));
            }
        }
    }

    /// After a restart of the coordinator what this job has computed itself is in the store, too.
    fn tell_found_from_computed(&mut self) {
        if matches!(self.body, Body::Evaluation(_)) {
            let found = *self.control.found.get_or_insert(self.counts.cached);
            self.counts.done = self.counts.cached.saturating_sub(found);
            self.counts.cached -= self.counts.done;
        }
    }

    /// Which units have all their results in the store already.
    fn initial_phases(&self, present: impl Fn(&Digest) -> bool) -> Vec<bool> {
        let Body::Evaluation(units) = &self.body else { return vec![false; self.body.len() as usize] };
        let plan = &units.plan;
        let scores: Vec<bool> = plan.scores.iter().map(|unit| present(&unit.digest)).collect();
        let maps: Vec<bool> = plan.maps.iter().map(|unit| present(&unit.digest)).collect();
        let syntheses = plan.syntheses.iter().map(|unit| present(&unit.digest));
        let syntheses: Vec<bool> = syntheses.collect();
        let features = (0..units.features_count()).map(|index| {
            let unit = &plan.features[index];
            // A map reads all layers.
            let mapped = units.maps(index as u32).iter().any(|&map| !maps[map as usize]);
            let needed = |layer: u32| {
                let mut users = units.users(index as u32).iter().map(|&score| score as usize);
                // Natural images are compared by their Grams, which are results.
                let natural = units.natural(index as u32).contains(&(layer as usize));
                mapped || natural || users.any(|score| units.source(score).1 == layer && !scores[score])
            };
            let all = plan.spec.features.keep_grams;
            let grams =
                unit.kept().all(|layer| !(all || needed(layer as u32)) || present(&unit.layers[layer].gram));
            grams && unit.scores.iter().all(|&score| scores[score])
        });
        features.chain(scores.iter().copied()).chain(maps.iter().copied()).chain(syntheses).collect()
    }

    fn input_is_there(&self, unit: u32, cached: &[bool]) -> bool {
        let Body::Evaluation(units) = &self.body else { return true };
        units.input_of(unit).is_none_or(|source| cached[source as usize])
    }

    fn queue(&mut self, unit: UnitRef) {
        if let UnitRef::Body(index) = unit {
            self.phases[index as usize] = Phase::Ready;
        }
        let pool = pool_of(&self.submission, &self.body, unit);
        self.ready.entry(pool).or_default().push_back(unit);
    }

    fn set_stage(&mut self, stage: JobState, reason: String) {
        self.stage = stage;
        self.reason = reason;
        self.revision += 1;
    }

    fn mark_admitted(&mut self, unit: UnitRef) {
        self.in_flight += 1;
        if let UnitRef::Body(index) = unit {
            self.phases[index as usize] = Phase::Admitted;
            self.counts.waiting -= 1;
            self.counts.admitted += 1;
            self.revision += 1;
        }
    }

    /// An admitted unit is not in the queue after all: it will be admitted again, before others.
    pub fn unadmit(&mut self, unit: UnitRef) {
        if !self.release(unit) || self.stage.is_final() {
            return;
        }
        if let UnitRef::Body(index) = unit {
            self.phases[index as usize] = Phase::Ready;
            self.counts.waiting += 1;
        }
        let pool = pool_of(&self.submission, &self.body, unit);
        self.ready.entry(pool).or_default().push_front(unit);
    }

    /// Takes a unit out of the admitted ones; `false` if it was not admitted.
    fn release(&mut self, unit: UnitRef) -> bool {
        if let UnitRef::Body(index) = unit {
            if self.phase(index) != Phase::Admitted {
                return false;
            }
            self.counts.admitted -= 1;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        self.revision += 1;
        true
    }

    /// A unit of the body succeeded.
    pub fn finished(&mut self, unit: u32, report: &UnitReport) {
        if !self.release(UnitRef::Body(unit)) {
            return;
        }
        self.phases[unit as usize] = Phase::Done;
        self.counts.done += 1;
        let Body::Evaluation(units) = &self.body else { return };
        if !units.is_features(unit) {
            return;
        }
        let failed: BTreeMap<u32, &String> =
            report.failed_layers.iter().map(|(layer, reason)| (*layer as u32, reason)).collect();
        let mut ready = Vec::new();
        let mut lost = Vec::new();
        for &score in units.users(unit) {
            let index = units.unit_of(score);
            if self.phases[index as usize] == Phase::Blocked {
                match failed.get(&units.source(score as usize).1) {
                    Some(reason) => lost.push((index, (*reason).clone())),
                    None => ready.push(index),
                }
            }
        }
        for &map in units.maps(unit) {
            let index = units.unit_of_map(map);
            if self.phases[index as usize] == Phase::Blocked {
                match failed.first_key_value() {
                    Some((layer, reason)) => lost.push((index, units.lost_layer(unit, *layer, reason))),
                    None => ready.push(index),
                }
            }
        }
        for &layer in units.natural(unit) {
            if let Some(reason) = failed.get(&(layer as u32)) {
                self.lost.natural.insert((unit as usize, layer), (*reason).clone());
            }
        }
        let of_unit = &units.plan.features[unit as usize].scores;
        for &score in of_unit {
            if let Some(reason) = failed.get(&units.source(score).1) {
                self.lost.scores.insert(score, (*reason).clone());
            }
        }
        for (score, reason) in &report.failed_scores {
            // It may be of another version.
            if of_unit.binary_search(score).is_ok() {
                self.lost.scores.insert(*score, reason.clone());
            }
        }
        for index in ready {
            self.queue(UnitRef::Body(index));
        }
        lost.into_iter().for_each(|(index, reason)| self.give_up(index, reason));
    }

    /// A unit of the body is dead; whatever needs it fails too.
    pub fn died(&mut self, unit: u32, reason: &str) {
        if !self.release(UnitRef::Body(unit)) {
            return;
        }
        // `give_up` counts from waiting.
        self.counts.waiting += 1;
        self.give_up(unit, reason.to_owned());
        let Body::Evaluation(units) = &self.body else { return };
        if !units.is_features(unit) {
            return;
        }
        for &score in &units.plan.features[unit as usize].scores {
            self.lost.scores.insert(score, reason.to_owned());
        }
        for &layer in units.natural(unit) {
            self.lost.natural.insert((unit as usize, layer), reason.to_owned());
        }
        for index in units.readers(unit) {
            if self.phases[index as usize] == Phase::Blocked {
                self.give_up(index, reason.to_owned());
            }
        }
    }

    /// An input of a score or map has to be made again.
    pub fn needs_input(&mut self, unit: u32, reason: &str) {
        let source = match &self.body {
            Body::Evaluation(units) => units.input_of(unit),
            _ => None,
        };
        let returns = self.returns.entry(unit).or_insert(0);
        *returns += 1;
        let within = *returns <= MAX_INPUT_RETURNS;
        let can_be_made = |source: &u32| self.phase(*source) != Phase::Failed;
        let (Some(source), true) = (source.filter(can_be_made), within) else {
            return self.died(unit, reason);
        };
        if !self.release(UnitRef::Body(unit)) {
            return;
        }
        self.phases[unit as usize] = Phase::Blocked;
        self.counts.waiting += 1;
        if self.phase(source) == Phase::Done {
            match self.counts.done {
                0 => self.counts.cached = self.counts.cached.saturating_sub(1),
                _ => self.counts.done -= 1,
            }
            self.counts.waiting += 1;
            self.queue(UnitRef::Body(source));
        }
    }

    fn give_up(&mut self, unit: u32, reason: String) {
        self.phases[unit as usize] = Phase::Failed;
        self.counts.waiting -= 1;
        self.counts.failed += 1;
        self.revision += 1;
        if let Body::Evaluation(units) = &self.body {
            if let Some(score) = units.score_of(unit) {
                self.lost.scores.insert(score, reason.clone());
            }
            if let Some(map) = units.map_of(unit) {
                self.lost.maps.insert(map, reason.clone());
            }
            if let Some(synthesis) = units.synthesis_of(unit) {
                self.lost.syntheses.insert(synthesis, reason.clone());
            }
        }
        self.failures.insert(unit, reason);
    }

    /// All units have ended, and nothing has been done about it yet.
    pub fn is_settled(&self) -> bool {
        let open = self.counts.waiting + self.counts.admitted;
        self.stage == JobState::Running && open == 0 && !matches!(self.body, Body::Unknown)
    }

    /// Results that cannot be had, for the aggregator.
    pub fn failures(&self) -> Vec<Failure> {
        let Body::Evaluation(units) = &self.body else { return Vec::new() };
        self.lost.failures(&units.plan)
    }

    /// What the results lack, in words.
    pub fn what_is_missing(&self) -> Option<String> {
        self.lost.in_words(self.plan().map_or(0, |plan| plan.refused.len()))
    }

    /// The aggregator's turn.
    pub fn assemble(&mut self) {
        self.set_stage(JobState::Assembling, String::new());
        self.queue(UnitRef::Assemble);
    }

    /// The job ends. What is ready is forgotten; the document says how.
    pub fn end(&mut self, state: JobState, reason: String, now_ms: u64) {
        self.ready.clear();
        self.set_stage(state, reason.clone());
        self.control.end = Some(End { state, reason, counts: self.counts, ended_ms: now_ms });
    }

    /// Forgets everything but what was submitted, to begin again: results in the store count.
    pub fn retry(&mut self) {
        let control = ControlDocument { round: self.control.round + 1, ..ControlDocument::default() };
        let (served, revision) = (self.served, self.revision);
        *self = Self::new(self.id.clone(), self.submission.clone(), control);
        (self.served, self.revision) = (served, revision + 1);
    }

    /// Predicted seconds of what is not finished, by pool.
    pub fn seconds_left(&self) -> BTreeMap<String, f64> {
        let mut left = BTreeMap::new();
        if self.stage.is_final() {
            return left;
        }
        match &self.body {
            Body::Unknown => {}
            Body::Drill { milliseconds, .. } => {
                let open = self.counts.waiting + self.counts.admitted;
                left.insert(DRILL_POOL.to_owned(), (open * milliseconds) as f64 / 1e3);
            }
            Body::Evaluation(units) => {
                let open = |&unit: &u32| !matches!(self.phase(unit), Phase::Done | Phase::Failed);
                let mut by_class: BTreeMap<u32, f64> = BTreeMap::new();
                for unit in (0..self.body.len()).filter(|&unit| self.counts_unit(unit)).filter(open) {
                    let estimate = units.estimate(unit);
                    *by_class.entry(unit_class(estimate.least_bytes)).or_insert(0.0) += estimate.seconds;
                }
                let named = |(class, seconds)| (pool_name(&self.submission.profile, class), seconds);
                left.extend(by_class.into_iter().map(named));
            }
        }
        left
    }

    /// Names of the units of the body that failed.
    pub fn failed_units(&self) -> Vec<UnitId> {
        let name = |&unit: &u32| unit_id(&self.id, self.control.round, &self.body, UnitRef::Body(unit));
        self.failures.keys().map(name).collect()
    }
}
