//! Plans and benchmarks that a slot keeps in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ventral_data::{Benchmark, Scan, StimulusSet, load_benchmark, load_scan};
use ventral_models::ModelCard;
use ventral_plan::{CardKind, PLAN_DOCUMENT, PlannedJob};
use ventral_store::Store;

use super::bundles::{Bundles, OpenBundle};
use super::slot::SlotConfig;
use crate::execution::{Benchmarks, MAX_BENCHMARK_BYTES, Pools, count_within, patiently};
use crate::maps::{MapCache, Scans};
use crate::{Error, LoadedModel, job, synthesis};

/// Plans kept in memory.
const MAX_JOBS: usize = 3;
/// Benchmarks of one job that are kept in memory whatever their size: a layer is scored on all that have its stimuli, one layer after the other.
const MIN_BENCHMARKS: usize = 3;

/// The jobs a slot has computed for lately, the latest first.
pub struct JobCache {
    store: Store,
    patience: Duration,
    pub bundles: Bundles,
    jobs: VecDeque<Arc<OpenJob>>,
}

/// A planned job whose cards are loaded when they are needed.
pub struct OpenJob {
    id: String,
    /// Its plan.
    pub planned: PlannedJob,
    bundle: OpenBundle,
    benchmarks: Mutex<VecDeque<(usize, Arc<Benchmark>)>>,
    scan: Mutex<Option<(usize, Arc<Scan>)>>,
    pool: Mutex<Option<(usize, Arc<StimulusSet>)>>,
    maps: MapCache,
}

impl JobCache {
    pub fn new(config: &SlotConfig, bundles: Bundles) -> Self {
        Self { store: config.store.clone(), patience: config.patience, bundles, jobs: VecDeque::new() }
    }

    /// The job of this id, its plan read from the store if it is not in memory.
    pub fn open(&mut self, id: &str) -> Result<Arc<OpenJob>, Error> {
        let known = self.jobs.iter().position(|job| job.id == id).and_then(|at| self.jobs.remove(at));
        let job = match known {
            Some(job) => job,
            None => Arc::new(self.read(id)?),
        };
        for other in &self.jobs {
            other.kept().clear();
            other.maps.clear();
        }
        self.jobs.push_front(job.clone());
        self.jobs.truncate(MAX_JOBS);
        Ok(job)
    }

    fn read(&self, id: &str) -> Result<OpenJob, Error> {
        let bytes = patiently(self.patience, || self.store.document(id, PLAN_DOCUMENT))?;
        let bytes = bytes.ok_or_else(|| Error::Cache(format!("job {id} has no {PLAN_DOCUMENT} yet")))?;
        let planned: PlannedJob = serde_json::from_slice(&bytes).map_err(|error| {
            Error::Mismatch(format!("{PLAN_DOCUMENT} of job {id} cannot be read: {error}"))
        })?;
        let bundle = self.bundles.open(&planned.bundle)?;
        Ok(OpenJob {
            id: id.to_owned(),
            planned,
            bundle,
            benchmarks: Mutex::default(),
            scan: Mutex::default(),
            pool: Mutex::default(),
            maps: MapCache::default(),
        })
    }
}

impl OpenJob {
    /// Loads a model of the plan.
    pub fn model(&self, index: usize) -> Result<LoadedModel, Error> {
        LoadedModel::load(&self.model_card(index)?)
    }

    /// The card of a model of the plan.
    pub fn model_card(&self, index: usize) -> Result<ModelCard, Error> {
        let file = self.card(CardKind::Model, self.planned.model_cards.get(index))?;
        let data = self.bundle.workspace.data_dir();
        job::card_of(&self.planned.plan.spec, &file, Some(&data))
    }

    fn card(&self, kind: CardKind, card: Option<&String>) -> Result<std::path::PathBuf, Error> {
        let missing = || Error::Mismatch(format!("the plan names no card of this {kind}"));
        let fetch = |digest: &_, path: &_| self.bundle.fetch(digest, path);
        Ok(self.bundle.workspace.need_card(kind, card.ok_or_else(missing)?, &fetch)?)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, VecDeque<(usize, Arc<Benchmark>)>> {
        self.benchmarks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Benchmarks for OpenJob {
    fn benchmark(&self, index: usize) -> Result<Arc<Benchmark>, Error> {
        // Held while it is loaded: two threads must not load the same.
        let mut kept = self.kept();
        let known = kept.iter().position(|(other, _)| *other == index).and_then(|at| kept.remove(at));
        let benchmark = match known {
            Some((_, benchmark)) => benchmark,
            None => {
                let file = self.card(CardKind::Benchmark, self.planned.benchmark_cards.get(index))?;
                Arc::new(load_benchmark(&file, Some(&self.bundle.workspace.data_dir()))?)
            }
        };
        kept.push_front((index, benchmark.clone()));
        let sizes = kept.iter().map(|(index, _)| self.planned.plan.benchmarks[*index].bytes());
        let count = count_within(sizes, MAX_BENCHMARK_BYTES, MIN_BENCHMARKS);
        kept.truncate(count);
        Ok(benchmark)
    }
}

impl Scans for OpenJob {
    fn scan(&self, index: usize) -> Result<Arc<Scan>, Error> {
        let mut kept = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((other, scan)) = kept.as_ref()
            && *other == index
        {
            return Ok(scan.clone());
        }
        let file = self.card(CardKind::Scan, self.planned.scan_cards.get(index))?;
        let scan = Arc::new(load_scan(&file, Some(&self.bundle.workspace.data_dir()))?);
        *kept = Some((index, scan.clone()));
        Ok(scan)
    }

    fn cache(&self) -> &MapCache {
        &self.maps
    }
}

impl Pools for OpenJob {
    fn pool(&self, index: usize) -> Result<Arc<StimulusSet>, Error> {
        let mut kept = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((other, images)) = kept.as_ref()
            && *other == index
        {
            return Ok(images.clone());
        }
        let file = self.card(CardKind::Pool, self.planned.pool_cards.get(index))?;
        let (images, _) = synthesis::load_pool(&file, Some(&self.bundle.workspace.data_dir()))?;
        let images = Arc::new(images);
        *kept = Some((index, images.clone()));
        Ok(images)
    }
}
