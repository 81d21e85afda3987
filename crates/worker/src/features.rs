//! Features units: a model's layers, read once over a stimulus set and scored while they are in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ndarray::{ArrayView2, s};
use ventral_data::{Benchmark, Scan, StimulusSet};
use ventral_metrics::{
    Error as MetricError, GramBuilder, LayerGram, MAX_NOISE_SHARE, Precision, TileConsumer,
};
use ventral_models::{ActivationSource, StreamLimits, stream};
use ventral_plan::{Consumes, Digest, FeaturesUnit, Plan, cost};
use ventral_store::{LayerGramRecord, ScoreRecord, Store};

use crate::score::{self, load_gram};
use crate::tiles::TileMetric;
use crate::{Error, Event, Execution, LoadedModel, model};

/// What is still missing of a features unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Indices into the unit's layers whose Gram is kept and not stored.
    pub grams: Vec<usize>,
    /// Indices into the plan's scores of this unit that are not stored.
    pub scores: Vec<usize>,
}

impl Missing {
    /// What `unit` still lacks in `store`.
    pub fn of(plan: &Plan, unit: &FeaturesUnit, store: &Store) -> Self {
        let grams = unit.kept().filter(|&i| !store.contains(&unit.layers[i].gram));
        let lacking = |&score: &usize| !store.contains(&plan.scores[score].digest);
        Self { grams: grams.collect(), scores: unit.scores.iter().copied().filter(lacking).collect() }
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.grams.is_empty() && self.scores.is_empty()
    }

    /// The part of it that one of the model's layers is needed for.
    pub fn only(&self, plan: &Plan, unit: &FeaturesUnit, layer: usize) -> Self {
        let grams = self.grams.iter().copied().filter(|&i| unit.layers[i].layer == layer);
        let scores = self.scores.iter().copied().filter(|&i| plan.scores[i].layer == layer);
        Self { grams: grams.collect(), scores: scores.collect() }
    }

    /// What is neither stored nor known to fail.
    pub fn left(&self, plan: &Plan, unit: &FeaturesUnit, store: &Store, failures: &Failures) -> Self {
        let failed = |layer: usize| failures.layers.contains_key(&layer);
        let grams = self.grams.iter().copied().filter(|&i| !failed(unit.layers[i].layer));
        let grams = grams.filter(|&i| !store.contains(&unit.layers[i].gram));
        let scores = self.scores.iter().copied().filter(|i| !failures.scores.contains_key(i));
        let scores = scores.filter(|&i| !failed(plan.scores[i].layer));
        let scores = scores.filter(|&i| !store.contains(&plan.scores[i].digest));
        Self { grams: grams.collect(), scores: scores.collect() }
    }

    /// Without the scores that need a Gram matrix which is not stored yet: they are for the next pass.
    fn in_one_pass(mut self, plan: &Plan, store: &Store) -> Self {
        self.scores.retain(|&score| {
            let unit = &plan.scores[score];
            !plan.benchmarks[unit.benchmark].variant.needs_gram || store.contains(&unit.gram)
        });
        self
    }

    /// Scores that are computed from this Gram.
    fn of_gram<'a>(&'a self, plan: &'a Plan, gram: &'a Digest) -> impl Iterator<Item = usize> + 'a {
        let of_gram = |&score: &usize| {
            let unit = &plan.scores[score];
            unit.gram == *gram && plan.benchmarks[unit.benchmark].consumes == Consumes::Gram
        };
        self.scores.iter().copied().filter(of_gram)
    }

    /// The model's layers that must be read.
    pub fn layers(&self, plan: &Plan, unit: &FeaturesUnit) -> Vec<usize> {
        let grams = self.grams.iter().map(|&i| unit.layers[i].layer);
        let scores = self.scores.iter().map(|&i| plan.scores[i].layer);
        grams.chain(scores).collect::<BTreeSet<usize>>().into_iter().collect()
    }
}

/// What could not be had of a features unit, and why.
#[derive(Debug, Default)]
pub struct Failures {
    /// Layers that could not be read, by their index in the model.
    pub layers: BTreeMap<usize, Error>,
    /// Scores of layers that were read, by their index in the plan.
    pub scores: BTreeMap<usize, Error>,
}

/// Reads what is `missing` of `unit` and stores it layer by layer; a layer with unusable activations, or a score that is not defined, is
/// reported, the others go on.
///
/// # Errors
/// Errors of the model or the stimuli as a whole, of the store, and interruption.
pub fn execute(
    execution: &Execution<'_>,
    unit: &FeaturesUnit,
    missing: &Missing,
    model: &dyn Fn() -> Result<Rc<LoadedModel>, Error>,
) -> Result<Failures, Error> {
    let Execution { plan, store, observer, .. } = *execution;
    let started = Instant::now();
    let mut failures = Failures::default();
    score_stored(execution, unit, missing, &mut failures)?;
    let mut coarse = BTreeSet::new();
    let mut shown = None;
    loop {
        let missing = missing.left(plan, unit, store, &failures);
        let left = missing.grams.len() + missing.scores.len();
        let missing = missing.in_one_pass(plan, store);
        let last = left == missing.grams.len() + missing.scores.len();
        let layers = missing.layers(plan, unit);
        if layers.is_empty() {
            return Ok(failures);
        }
        let model = model()?;
        observer.on(&Event::FeaturesStarted { unit, missing: layers.len() });
        let shown = match &mut shown {
            Some(shown) => shown,
            none => none.insert(Shown::of(execution, unit)?),
        };
        let (stimuli, fitted_on) = shown.stimuli()?;
        let known = coarse.len();
        let read = model.with_stimuli(stimuli, fitted_on, unit.screen, observer, |source| {
            let (coarse, labels, failed) = (&mut coarse, model.labels(), &mut failures.scores);
            let mut reading =
                Reading { execution, unit, missing: &missing, labels, readers: None, coarse, failed };
            reading.read(source, &layers)
        });
        match read {
            Ok(placement) => {
                let seconds = started.elapsed().as_secs_f64();
                observer.on(&Event::FeaturesFinished { unit, seconds, placement });
                if last && coarse.len() == known {
                    return Ok(failures);
                }
            }
            // The layers before it are stored; go on without it.
            Err(error) => match failed_layer(&model, &error) {
                Some(layer) if !observer.interrupted() => _ = failures.layers.insert(layer, error),
                _ if observer.interrupted() => return Err(Error::Interrupted),
                _ => return Err(error),
            },
        }
    }
}

/// Scores of Grams that an earlier job has kept: nothing is read for them.
fn score_stored(
    execution: &Execution<'_>,
    unit: &FeaturesUnit,
    missing: &Missing,
    failures: &mut Failures,
) -> Result<(), Error> {
    for layer in &unit.layers {
        let scores: Vec<usize> = missing.of_gram(execution.plan, &layer.gram).collect();
        if scores.is_empty() || !execution.store.contains(&layer.gram) {
            continue;
        }
        match load_gram(execution, &layer.gram) {
            Ok(gram) => failures.scores.extend(score::execute_all(execution, unit, &scores, &gram)?),
            // It was damaged and is not there any more: the layer is read.
            Err(Error::NoGram { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Who has the stimuli of a unit.
enum Shown {
    Benchmark(Arc<Benchmark>),
    Scan(Arc<Scan>),
    Pool(Arc<StimulusSet>),
}

impl Shown {
    fn of(execution: &Execution<'_>, unit: &FeaturesUnit) -> Result<Self, Error> {
        Ok(match (unit.scan, unit.pool) {
            (Some(scan), _) => Self::Scan(execution.scans.scan(scan)?),
            (None, Some(pool)) => Self::Pool(execution.pools.pool(pool)?),
            (None, None) => Self::Benchmark(execution.benchmarks.benchmark(unit.benchmark)?),
        })
    }

    /// The stimuli, and the first of those that components are fitted on.
    fn stimuli(&self) -> Result<(&StimulusSet, usize), Error> {
        match self {
            Self::Benchmark(benchmark) => Ok((&benchmark.stimuli, model::fitted_on(benchmark))),
            Self::Pool(images) => Ok((images, usize::MAX)),
            Self::Scan(scan) => {
                let missing = || Error::Mismatch(format!("scan {} has no images", scan.identifier()));
                Ok((scan.stimuli.as_ref().ok_or_else(missing)?, usize::MAX))
            }
        }
    }
}

/// The layer an error is about, when the other layers may be fine.
fn failed_layer(model: &LoadedModel, error: &Error) -> Option<usize> {
    use ventral_models::Error as ModelError;
    let Error::Model(
        ModelError::NonFinite { layer, .. }
        | ModelError::LayerSize { layer, .. }
        | ModelError::Memory { layer, .. }
        | ModelError::Sink { layer, .. },
    ) = error
    else {
        return None;
    };
    model.layers().iter().position(|candidate| candidate.name == *layer)
}

/// One pass over the stimuli for several layers.
struct Reading<'a> {
    execution: &'a Execution<'a>,
    unit: &'a FeaturesUnit,
    missing: &'a Missing,
    /// Labels of the features, if they are probabilities.
    labels: &'a [String],
    readers: Option<LayerReaders>,
    /// Positions of the Grams whose 32-bit products say too little: they are read again, in 64 bit.
    coarse: &'a mut BTreeSet<usize>,
    /// Scores that failed.
    failed: &'a mut BTreeMap<usize, Error>,
}

/// What reads the tiles of the layer that is being delivered.
struct LayerReaders {
    layer: usize,
    grams: Vec<(usize, GramBuilder)>,
    scores: Vec<TileScore>,
}

struct TileScore {
    /// Index into the plan's scores.
    score: usize,
    metric: TileMetric,
}

impl Reading<'_> {
    fn read(&mut self, source: &dyn ActivationSource, layers: &[usize]) -> Result<String, Error> {
        let facts = &self.execution.plan.models[self.unit.model];
        let memory = self.execution.memory_bytes;
        let limits = StreamLimits {
            memory_bytes: cost::stream_bytes(
                memory.saturating_sub(self.unit.scoring_bytes),
                source.stimuli(),
                self.unit.grams_at_once(),
                facts.weight_bytes,
            ),
            spill_dir: Some(self.execution.store.temporary()),
            spill_bytes: u64::MAX,
        };
        let observer = self.execution.observer;
        let mut fatal: Option<Error> = None;
        let outcome = stream(
            source,
            layers,
            &limits,
            &mut |layer, first, tile| {
                let taken = if observer.interrupted() {
                    Err(Error::Interrupted)
                } else {
                    self.take(source, layer, first, tile)
                };
                taken.map_err(|error| {
                    let name = source.layers()[layer].name.clone();
                    let message = error.to_string();
                    if error.is_fatal() {
                        fatal = Some(error);
                    }
                    ventral_models::Error::Sink { layer: name, source: message.into() }
                })
            },
            &|at| {
                let done = (at.pass * at.stimuli + at.done) as u64;
                observer.on(&Event::Stimuli { done, total: (at.passes * at.stimuli) as u64 });
            },
        );
        match fatal {
            Some(error) => Err(error),
            None => Ok(outcome?.reason),
        }
    }

    fn take(
        &mut self,
        source: &dyn ActivationSource,
        layer: usize,
        first: u64,
        tile: ArrayView2<'_, f32>,
    ) -> Result<(), Error> {
        if self.readers.as_ref().is_none_or(|readers| readers.layer != layer) {
            self.readers = Some(self.open(layer, source.stimuli())?);
        }
        let Some(readers) = self.readers.as_mut() else { return Ok(()) };
        let exact = source.exact(layer);
        let pushed = readers.push(first, tile, exact, self.failed);
        pushed.map_err(|error| Error::Layer(narrow(error, exact)))?;
        if first + tile.ncols() as u64 == source.layers()[layer].features
            && let Some(readers) = self.readers.take()
        {
            self.finish(readers)?;
        }
        Ok(())
    }

    fn open(&mut self, layer: usize, stimuli: usize) -> Result<LayerReaders, Error> {
        let plan = self.execution.plan;
        let wanted = |&position: &usize| {
            let target = &self.unit.layers[position];
            let scored = || self.missing.of_gram(plan, &target.gram).next().is_some();
            target.layer == layer && (self.missing.grams.contains(&position) || scored())
        };
        let builder = |position: usize| {
            let planned = self.unit.layers[position].precision;
            let precision = if self.coarse.contains(&position) { Precision::F64 } else { planned };
            Ok((position, GramBuilder::new(stimuli, precision)?))
        };
        let grams = (0..self.unit.layers.len()).filter(wanted).map(builder);
        let grams: Vec<_> = grams.collect::<Result<_, MetricError>>().map_err(Error::Layer)?;
        let mut scores = Vec::new();
        for &score in self.missing.scores.iter().filter(|&&score| plan.scores[score].layer == layer) {
            if plan.benchmarks[plan.scores[score].benchmark].consumes == Consumes::Tiles {
                match self.tile_score(score) {
                    Ok(tile_score) => scores.push(tile_score),
                    Err(error) if error.is_fatal() => return Err(error),
                    Err(error) => _ = self.failed.insert(score, error),
                }
            }
        }
        Ok(LayerReaders { layer, grams, scores })
    }

    fn tile_score(&self, score: usize) -> Result<TileScore, Error> {
        let unit = &self.execution.plan.scores[score];
        let benchmark = self.execution.benchmarks.benchmark(unit.benchmark)?;
        let plan = self.execution.plan;
        let needs_gram = plan.benchmarks[unit.benchmark].variant.needs_gram;
        let gram = needs_gram.then(|| load_gram(self.execution, &unit.gram)).transpose()?;
        let bins = &plan.models[unit.model].time_bins;
        let metric = TileMetric::new(&benchmark, bins, self.labels, gram).map_err(Error::Layer)?;
        Ok(TileScore { score, metric })
    }

    fn finish(&mut self, readers: LayerReaders) -> Result<(), Error> {
        let Execution { plan, observer, .. } = *self.execution;
        for TileScore { score, metric } in readers.scores {
            let unit = &plan.scores[score];
            let undefined = metric.undefined();
            match metric.finish() {
                Ok(scores) => {
                    let record = ScoreRecord { scores, precision: None, undefined };
                    self.execution.put(&unit.digest, &record.encode())?;
                    observer.on(&Event::ScoreStored { unit });
                }
                Err(error) => _ = self.failed.insert(score, Error::Layer(error)),
            }
        }
        for (position, builder) in readers.grams {
            let Some(gram) = fine_enough(builder.finish()).map_err(Error::Layer)? else {
                self.coarse.insert(position);
                continue;
            };
            self.finish_gram(position, gram)?;
        }
        Ok(())
    }

    fn finish_gram(&mut self, position: usize, gram: LayerGram) -> Result<(), Error> {
        let digest = &self.unit.layers[position].gram;
        let scores: Vec<usize> = self.missing.of_gram(self.execution.plan, digest).collect();
        self.failed.extend(score::execute_all(self.execution, self.unit, &scores, &gram)?);
        if self.missing.grams.contains(&position) {
            self.execution.put(digest, &LayerGramRecord(gram).encode())?;
        }
        self.execution.observer.on(&Event::LayerStored { unit: self.unit, layer: position });
        Ok(())
    }
}

/// The Gram, unless it is of 32-bit products that left their range or whose rounding hides what metrics depend on.
fn fine_enough(gram: Result<LayerGram, MetricError>) -> Result<Option<LayerGram>, MetricError> {
    match gram {
        Err(MetricError::Overflow { precision: Precision::F32, .. }) => Ok(None),
        Ok(gram) if gram.precision == Precision::F32 && gram.noise_share() > MAX_NOISE_SHARE => Ok(None),
        other => other.map(Some),
    }
}

/// A feature that is finite as it is given left the range of 32 bit.
fn narrow(error: MetricError, exact: Option<ArrayView2<'_, f64>>) -> MetricError {
    let MetricError::NonFinite { stimulus, feature } = error else { return error };
    let column = usize::try_from(feature).unwrap_or(usize::MAX);
    match exact.and_then(|exact| exact.get((stimulus, column)).copied()) {
        Some(value) if value.is_finite() => MetricError::Narrow { stimulus, feature, value },
        _ => error,
    }
}

impl LayerReaders {
    /// `exact` is the whole layer where 32 bit round it: 64-bit products, and metrics of the features themselves, are of that. Scores that
    /// fail are left out, and go to `failed`.
    fn push(
        &mut self,
        first: u64,
        tile: ArrayView2<'_, f32>,
        exact: Option<ArrayView2<'_, f64>>,
        failed: &mut BTreeMap<usize, Error>,
    ) -> Result<(), MetricError> {
        let start = usize::try_from(first).unwrap_or(usize::MAX);
        let exact = exact.map(|exact| exact.slice_move(s![.., start..start + tile.ncols()]));
        for (_, gram) in &mut self.grams {
            match exact.filter(|_| gram.precision() == Precision::F64) {
                Some(exact) => gram.push(first, exact)?,
                None => gram.push(first, tile)?,
            }
        }
        let mut of_layer = Ok(());
        self.scores.retain_mut(|score| {
            let pushed = match exact {
                Some(exact) => score.metric.push(first, exact),
                None => score.metric.push(first, tile),
            };
            match pushed {
                Ok(()) => return true,
                Err(error @ MetricError::NonFinite { .. }) => of_layer = Err(error),
                Err(error) => _ = failed.insert(score.score, Error::Layer(error)),
            }
            false
        });
        of_layer
    }
}
