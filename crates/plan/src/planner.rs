//! From spec and facts to the units of a job.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use ventral_metrics::Precision;

use crate::cost;
use crate::unit::{GramIdentity, Grams, RESULT_REVISION, ScoreIdentity};
use crate::{
    BenchmarkFacts, CardKind, Digest, Estimate, FeaturesUnit, JobSpec, LayerTarget, MachineFacts, MapUnit,
    ModelFacts, PoolFacts, Refused, ScanFacts, ScoreUnit, Screen, SynthesisUnit, told_apart,
};

/// Most units of one job.
pub const MAX_UNITS: usize = 1_000_000;

/// All units of a job, and the facts they were planned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The spec.
    pub spec: JobSpec,
    /// Models, in the order of the spec.
    pub models: Vec<ModelFacts>,
    /// Benchmarks, in the order of the spec.
    pub benchmarks: Vec<BenchmarkFacts>,
    /// The machine the estimates hold for.
    pub machine: MachineFacts,
    /// Features units, one per model and stimulus set.
    pub features: Vec<FeaturesUnit>,
    /// Score units, by model, then benchmark, then layer.
    pub scores: Vec<ScoreUnit>,
    /// Scans, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scans: Vec<ScanFacts>,
    /// Map units, by scan, then subject, then what they show, then range; ceilings after all subjects of their scan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<MapUnit>,
    /// Natural images that synthesised ones are compared with: at most one set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolFacts>,
    /// Synthesis units, by model, then restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub syntheses: Vec<SynthesisUnit>,
    /// Cards of the spec that cannot be used; the job goes on without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
}

/// A job that cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two cards have one identifier.
    #[error("{kind} '{identifier}' is named twice; identifiers must be unique within a job")]
    Duplicate {
        /// "model", "benchmark" or "scan".
        kind: &'static str,
        /// The identifier.
        identifier: String,
    },
    /// The selection names something that is not in the job.
    #[error("selection for region '{region}': benchmark '{benchmark}' {problem}")]
    Selection {
        /// The region.
        region: String,
        /// The benchmark.
        benchmark: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A preset asks for something that is not in the job.
    #[error("preset: {problem}")]
    Preset {
        /// What is wrong and what to do.
        problem: String,
    },
    /// Brain maps of nothing.
    #[error("searchlight: {problem}")]
    Searchlight {
        /// What is wrong and what to do.
        problem: String,
    },
    /// Images that cannot be made.
    #[error("synthesis: {problem}")]
    Synthesis {
        /// What is wrong and what to do.
        problem: String,
    },
    /// No centre of a subject has as many voxels as a value needs.
    #[error(
        "searchlight: {scan} {subject}: the largest neighbourhood has {largest} voxels, searchlight.minimum_voxels asks for {minimum}: \
         no map would have a value; raise the radius or lower minimum_voxels"
    )]
    Neighbourhoods {
        /// The scan.
        scan: String,
        /// The subject.
        subject: String,
        /// Voxels of its largest neighbourhood.
        largest: usize,
        /// Voxels that are asked for.
        minimum: usize,
    },
    /// Too many units.
    #[error("the job has {found} units; at most {MAX_UNITS} fit into one job, split it")]
    TooManyUnits {
        /// Number of units.
        found: usize,
    },
    /// A unit cannot fit into memory.
    #[error(
        "{unit} needs at least {needed} MiB of memory, {available} MiB are allowed; raise --memory or use a larger machine"
    )]
    DoesNotFit {
        /// The unit, in words.
        unit: String,
        /// Needed MiB.
        needed: u64,
        /// Allowed MiB.
        available: u64,
    },
}

/// Plans a job. Units that are too large for the machine are planned all the same: [`Plan::unfit`] names them.
///
/// # Errors
/// Identifiers that are not unique, a selection that names what is not there or is private, more than [`MAX_UNITS`] units.
pub fn plan(
    spec: JobSpec,
    models: Vec<ModelFacts>,
    benchmarks: Vec<BenchmarkFacts>,
    machine: MachineFacts,
) -> Result<Plan, Error> {
    let facts = Facts { models, benchmarks, ..Facts::default() };
    plan_without(facts, spec, machine)
}

/// What the cards of a spec are about.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Models, in the order of the spec.
    pub models: Vec<ModelFacts>,
    /// Benchmarks, in the order of the spec.
    pub benchmarks: Vec<BenchmarkFacts>,
    /// Scans, in the order of the spec.
    pub scans: Vec<ScanFacts>,
    /// Natural images of the spec's synthesis.
    pub pools: Vec<PoolFacts>,
    /// Cards that cannot be used.
    pub refused: Vec<Refused>,
}

/// As [`plan()`], for a spec with scans, or some of whose cards cannot be used.
///
/// # Errors
/// Those of [`plan()`]; a selection may name a benchmark that was refused, its region then has no layer. Scans that there is
/// nothing to compare with.
pub fn plan_without(facts: Facts, spec: JobSpec, machine: MachineFacts) -> Result<Plan, Error> {
    let Facts { models, benchmarks, scans, pools, refused } = facts;
    unique("model", models.iter().map(|model| &model.identifier))?;
    unique("benchmark", benchmarks.iter().map(|benchmark| &benchmark.identifier))?;
    unique("scan", scans.iter().map(|scan| &scan.identifier))?;
    // A benchmark that was refused may be the one that is looked for.
    if refused.iter().all(|card| card.kind != CardKind::Benchmark) {
        check_selection(&spec, &benchmarks)?;
    }
    check_preset(&spec, &benchmarks, &refused)?;
    let layers: usize = models.iter().map(|model| model.layers.len()).sum();
    let found = layers.saturating_mul(benchmarks.len());
    if found > MAX_UNITS {
        return Err(Error::TooManyUnits { found });
    }
    let mut plan = Plan {
        spec,
        models,
        benchmarks,
        machine,
        features: Vec::new(),
        scores: Vec::new(),
        scans,
        maps: Vec::new(),
        pools,
        syntheses: Vec::new(),
        refused,
    };
    plan.refuse_syntheses();
    for model in 0..plan.models.len() {
        plan.add_model(model);
    }
    plan.add_maps()?;
    plan.add_syntheses()?;
    plan.place_scores();
    plan.refuse_unread();
    Ok(plan)
}

impl Plan {
    /// The job's id: its name and the digest of the names of all its results.
    pub fn job_id(&self) -> String {
        let digests: Vec<&Digest> = self.scores.iter().map(|unit| &unit.digest).collect();
        let maps: Vec<&Digest> = self.maps.iter().map(|unit| &unit.digest).collect();
        let images: Vec<&Digest> = self.syntheses.iter().map(|unit| &unit.digest).collect();
        // A kind of unit that a job has not must not change its id.
        let digest = match (maps.is_empty(), images.is_empty()) {
            (true, true) => Digest::of_identity(&(&self.spec, digests)),
            (false, true) => Digest::of_identity(&(&self.spec, digests, maps)),
            (_, false) => {
                let pools: Vec<&Digest> = self.pools.iter().map(|pool| &pool.stimuli).collect();
                Digest::of_identity(&(&self.spec, digests, maps, images, pools))
            }
        };
        format!("{}-{}", self.spec.name, &digest.as_str()[..8])
    }

    /// Number of results: one per Gram that is kept, per score, map and set of images.
    pub fn unit_count(&self) -> usize {
        let grams: usize = self.features.iter().map(|unit| unit.kept().count()).sum();
        grams + self.scores.len() + self.maps.len() + self.syntheses.len()
    }

    /// Name of a features unit in a queue: the digest of the names of all its results.
    pub fn features_digest(&self, unit: &FeaturesUnit) -> Digest {
        let grams: Vec<&Digest> = unit.kept().map(|layer| &unit.layers[layer].gram).collect();
        let scores: Vec<&Digest> = unit.scores.iter().map(|&score| &self.scores[score].digest).collect();
        Digest::of_identity(&("features", grams, scores))
    }

    /// Largest predicted memory of any unit, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        self.estimates().map(|estimate| estimate.memory_bytes).max().unwrap_or(0)
    }

    fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let features = self.features.iter().map(|unit| &unit.estimate);
        let scores = self.scores.iter().map(|unit| &unit.estimate);
        let maps = self.maps.iter().map(|unit| &unit.estimate);
        features.chain(scores).chain(maps).chain(self.syntheses.iter().map(|unit| &unit.estimate))
    }

    fn add_model(&mut self, model: usize) {
        let facts = self.models[model].clone();
        // Given answers: there is nothing to compare with brains.
        let answers = facts.mapped() == 0;
        let key = |benchmark: &BenchmarkFacts| Shown::of_benchmark(0, benchmark).key(facts.degrees);
        let benchmarks = self.benchmarks.clone();
        // Stimuli for which behaviour alone is wanted are read from one layer.
        let neural = benchmarks.iter().filter(|benchmark| benchmark.variant.behavior.is_none());
        let mut neural: BTreeSet<(Digest, Option<[u64; 2]>)> = neural.map(key).collect();
        // Maps and comparisons with natural images are of all layers.
        let scans = self.scans.iter().enumerate().filter_map(Shown::of_scan);
        let pools = self.pools.iter().enumerate().filter(|_| facts.gradient.is_some());
        let others: Vec<Shown> = scans.chain(pools.map(Shown::of_pool)).filter(|_| !answers).collect();
        neural.extend(others.iter().map(|shown| shown.key(facts.degrees)));
        let grams = |wanted: &(Digest, Option<[u64; 2]>)| {
            let of_stimuli = benchmarks.iter().filter(|benchmark| key(benchmark) == *wanted);
            let (solving, multiplying): (Vec<_>, Vec<_>) = of_stimuli.partition(|b| b.variant.solves);
            let plain = others.iter().any(|shown| shown.key(facts.degrees) == *wanted);
            Grams { multiplied: plain || !multiplying.is_empty(), solved: !solving.is_empty() }
        };
        let mut by_stimuli: BTreeMap<(Digest, Option<[u64; 2]>), usize> = BTreeMap::new();
        for (index, benchmark) in benchmarks.iter().enumerate() {
            let behavioral = benchmark.variant.behavior.is_some();
            if (behavioral && facts.readout.is_none()) || (answers && !behavioral) {
                continue;
            }
            let key = key(benchmark);
            let grams = grams(&key);
            let only = facts.readout.filter(|_| !neural.contains(&key)).map(|readout| vec![readout]);
            let screen = screen(facts.degrees, benchmark.degrees);
            let unit = *by_stimuli.entry(key).or_insert_with(|| {
                let shown = Shown::of_benchmark(index, benchmark);
                let unit = self.features_unit(model, &shown, screen, only.as_deref(), grams);
                self.features.push(unit);
                self.features.len() - 1
            });
            self.add_scores(unit, benchmark, index);
        }
        for shown in &others {
            let key = shown.key(facts.degrees);
            let grams = grams(&key);
            by_stimuli.entry(key).or_insert_with(|| {
                // Natural images are compared in the layers that are told apart.
                let only = shown.pool.map(|_| told_apart(&self.spec, &facts));
                let screen = screen(facts.degrees, shown.degrees);
                let unit = self.features_unit(model, shown, screen, only.as_deref(), grams);
                self.features.push(unit);
                self.features.len() - 1
            });
        }
    }

    /// Reads all layers, or these `only`.
    fn features_unit(
        &self,
        model: usize,
        shown: &Shown,
        screen: Option<Screen>,
        only: Option<&[usize]>,
        grams: Grams,
    ) -> FeaturesUnit {
        let facts = &self.models[model];
        let read = || {
            facts.layers.iter().enumerate().filter(|(layer, _)| only.is_none_or(|only| only.contains(layer)))
        };
        let rows = facts.rows(shown.count);
        let asked = self.spec.features.precision;
        let wanted = grams.of(read().map(|(layer, facts)| (layer, facts.features)), asked, rows);
        let target = |&(layer, precision): &(usize, Precision)| LayerTarget {
            layer,
            precision,
            kept: false,
            gram: Digest::of_identity(&GramIdentity {
                kind: "layer-gram",
                revision: RESULT_REVISION,
                profile: &self.machine.profile,
                model: &facts.digest,
                layer: &facts.layers[layer].name,
                stimuli: &shown.stimuli,
                screen,
                precision,
            }),
        };
        let layers: Vec<LayerTarget> = wanted.iter().map(target).collect();
        let mut unit = FeaturesUnit {
            model,
            benchmark: shown.benchmark,
            scan: shown.scan,
            pool: shown.pool,
            stimuli: shown.stimuli.clone(),
            screen,
            layers,
            scores: Vec::new(),
            scoring_bytes: 0,
            reading_bytes: 0,
            estimate: Estimate::default(),
        };
        unit.estimate = cost::features(&self.features_shape(&unit, rows), &self.machine);
        unit
    }

    fn add_scores(&mut self, features: usize, benchmark: &BenchmarkFacts, index: usize) {
        let model = &self.models[self.features[features].model];
        let temporal = !model.time_bins.is_empty();
        let rows = model.rows(benchmark.stimulus_count);
        // Behaviour is read from one layer.
        let only = benchmark.variant.behavior.as_ref().and(model.readout);
        let unit = &self.features[features];
        let positions: Vec<usize> = match benchmark.variant.solves {
            true => (0..unit.layers.len()).filter(|&i| unit.layers[i].precision == Precision::F64).collect(),
            false => unit.plain().collect(),
        };
        let layers: Vec<LayerTarget> = positions.into_iter().map(|i| unit.layers[i].clone()).collect();
        let read_from = |target: &LayerTarget| only.is_none_or(|layer| target.layer == layer);
        for target in layers.into_iter().filter(read_from) {
            let digest = Digest::of_identity(&ScoreIdentity {
                kind: "score",
                revision: RESULT_REVISION,
                gram: &target.gram,
                benchmark: &benchmark.digest,
                bins: temporal.then_some(benchmark.variant.bins.as_slice()),
            });
            self.features[features].scores.push(self.scores.len());
            self.scores.push(ScoreUnit {
                digest,
                model: self.features[features].model,
                layer: target.layer,
                benchmark: index,
                gram: target.gram,
                apart: false,
                estimate: cost::score(benchmark, rows, &self.machine),
            });
        }
    }
}

/// Stimuli, and who has them.
struct Shown {
    benchmark: usize,
    scan: Option<usize>,
    pool: Option<usize>,
    stimuli: Digest,
    count: usize,
    degrees: Option<f64>,
}

impl Shown {
    fn of_benchmark(index: usize, facts: &BenchmarkFacts) -> Self {
        let (count, degrees) = (facts.stimulus_count, facts.degrees);
        Self { benchmark: index, scan: None, pool: None, stimuli: facts.stimuli.clone(), count, degrees }
    }

    fn of_scan((index, facts): (usize, &ScanFacts)) -> Option<Self> {
        let shown = facts.stimuli.as_ref()?;
        let (count, degrees) = (shown.count, shown.degrees);
        let stimuli = shown.digest.clone();
        Some(Self { benchmark: 0, scan: Some(index), pool: None, stimuli, count, degrees })
    }

    /// Natural images fill the input, as the synthesised ones do, whatever the degrees they were once shown at.
    fn of_pool((index, facts): (usize, &PoolFacts)) -> Self {
        let (stimuli, count) = (facts.stimuli.clone(), facts.count);
        Self { benchmark: 0, scan: None, pool: Some(index), stimuli, count, degrees: None }
    }

    /// What is read once for all that have it.
    fn key(&self, model_degrees: Option<f64>) -> (Digest, Option<[u64; 2]>) {
        let screen = screen(model_degrees, self.degrees);
        (self.stimuli.clone(), screen.map(|s| [s.source_degrees.to_bits(), s.target_degrees.to_bits()]))
    }
}

pub(crate) fn screen(model: Option<f64>, benchmark: Option<f64>) -> Option<Screen> {
    let (target_degrees, source_degrees) = (model?, benchmark?);
    (target_degrees != source_degrees).then_some(Screen { source_degrees, target_degrees })
}

fn unique<'a>(kind: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for identifier in names {
        if !seen.insert(identifier) {
            return Err(Error::Duplicate { kind, identifier: identifier.clone() });
        }
    }
    Ok(())
}

fn check_preset(spec: &JobSpec, benchmarks: &[BenchmarkFacts], refused: &[Refused]) -> Result<(), Error> {
    let Some(preset) = spec.preset else { return Ok(()) };
    let regions = preset.regions();
    for benchmark in benchmarks {
        let (identifier, region) = (&benchmark.identifier, &benchmark.region);
        if !regions.contains(&region.as_str()) {
            let problem = format!(
                "benchmark '{identifier}' is of region '{region}', only {} count",
                regions.join(", ")
            );
            return Err(Error::Preset { problem });
        }
        let reduced = benchmark.variant.components == Some(preset.components());
        if !reduced && benchmark.variant.behavior.is_none() {
            let problem = format!(
                "benchmark '{identifier}' is not scored on {} principal components; add [pca] to its card",
                preset.components()
            );
            return Err(Error::Preset { problem });
        }
    }
    // A benchmark that was refused may be the one that is missing.
    let missing = regions.iter().find(|region| benchmarks.iter().all(|b| b.region != **region));
    match missing.filter(|_| refused.iter().all(|card| card.kind != CardKind::Benchmark)) {
        None => Ok(()),
        Some(region) => {
            Err(Error::Preset { problem: format!("no benchmark is of region '{region}'; add one") })
        }
    }
}

fn check_selection(spec: &JobSpec, benchmarks: &[BenchmarkFacts]) -> Result<(), Error> {
    for selection in &spec.selection {
        let refuse = |problem: String| {
            Err(Error::Selection {
                region: selection.region.clone(),
                benchmark: selection.select_on.clone(),
                problem,
            })
        };
        let named = benchmarks.iter().find(|b| b.identifier == selection.select_on);
        match named {
            None => {
                let known: Vec<&str> = benchmarks.iter().map(|b| b.identifier.as_str()).collect();
                return refuse(format!("is not in the job, which has {}", known.join(", ")));
            }
            Some(benchmark) if benchmark.region != selection.region => {
                return refuse(format!("is of region '{}'", benchmark.region));
            }
            Some(benchmark) if benchmark.private => {
                return refuse(
                    "is private: its scores are reported and may not choose layers; select on a public one"
                        .to_owned(),
                );
            }
            Some(_) => {}
        }
        let reported =
            |b: &&BenchmarkFacts| b.region == selection.region && b.identifier != selection.select_on;
        if benchmarks.iter().find(reported).is_none() {
            return refuse("is the only one of its region: add one to report on".to_owned());
        }
    }
    Ok(())
}
