//! Loads what a spec names and plans it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ventral_data::{Benchmark, SCAN_FILE, Scan, StimulusSet, load_benchmark, load_scan};
use ventral_models::ModelCard;
use ventral_plan::{
    BenchmarkFacts, CardKind, Facts, JobSpec, MachineFacts, ModelFacts, Plan, PoolFacts, Refused, ScanFacts,
    plan_without,
};

use crate::execution::{Benchmarks, Pools};
use crate::maps::{MapCache, Scans};
use crate::model::load_card;
use crate::opening::try_model;
use crate::{Error, LoadedModel, cards, facts, maps, synthesis};

/// Benchmarks whose stimuli a model is tried on before it is refused: the images of one may be what is wrong.
const MAX_TRIED: usize = 3;

/// Identifiers that a message lists.
const MAX_NAMES: usize = 10;

/// Field of a spec that names scans.
pub(crate) const SCANS_FIELD: &str = "searchlight.scans";

/// A job that can run: its plan, its models' cards and its benchmarks.
pub struct Job {
    /// The plan.
    pub plan: Plan,
    /// Model cards, in the order of the plan's models.
    pub cards: Vec<ModelCard>,
    /// Benchmarks, in the order of the plan's.
    pub benchmarks: Vec<Arc<Benchmark>>,
    /// Scans, in the order of the plan's.
    pub scans: Vec<Arc<Scan>>,
    /// Natural images, in the order of the plan's pools.
    pub pools: Vec<Arc<StimulusSet>>,
    cache: MapCache,
}

impl Job {
    /// Loads the cards that `spec` names, relative to `spec_file`, and plans the job. A card that cannot be used is listed in the plan, and the
    /// job goes on without it.
    ///
    /// # Errors
    /// Entries of the spec that name no card, no usable model or no usable benchmark at all, and whatever planning refuses.
    pub fn load(
        spec: JobSpec,
        spec_file: &Path,
        data_dir: Option<&Path>,
        machine: MachineFacts,
    ) -> Result<Self, Error> {
        let files = CardFiles {
            models: cards::resolve(spec_file, "models", &spec.models, "model.toml")?,
            benchmarks: cards::resolve(spec_file, "benchmarks", &spec.benchmarks, "benchmark.toml")?,
            scans: match &spec.searchlight {
                Some(searchlight) => cards::resolve(spec_file, SCANS_FIELD, &searchlight.scans, SCAN_FILE)?,
                None => Vec::new(),
            },
            pools: cards::resolve_natural(spec_file, &spec)?.into_iter().collect(),
        };
        let survey = Survey::of(&spec, spec_file, &files, data_dir, usize::MAX, &|_, _| Ok(None))?;
        let benchmarks = survey.benchmarks.iter().filter_map(|found| found.loaded.clone()).collect();
        let cards = survey.models.iter().map(|found| found.card.clone()).collect();
        let scans = survey.scans.iter().map(|found| found.loaded.clone()).collect();
        let pools = survey.pools.iter().map(|found| found.images.clone()).collect();
        let plan = survey.plan(spec, machine)?;
        Ok(Self { plan, cards, benchmarks, scans, pools, cache: MapCache::default() })
    }

    pub(crate) fn map_cache(&self) -> &MapCache {
        &self.cache
    }
}

impl Benchmarks for Job {
    fn benchmark(&self, index: usize) -> Result<Arc<Benchmark>, Error> {
        self.benchmarks.get(index).cloned().ok_or_else(|| Error::Mismatch(format!("no benchmark {index}")))
    }
}

impl Scans for Job {
    fn scan(&self, index: usize) -> Result<Arc<Scan>, Error> {
        self.scans.get(index).cloned().ok_or_else(|| Error::Mismatch(format!("no scan {index}")))
    }

    fn cache(&self) -> &MapCache {
        &self.cache
    }
}

impl Pools for Job {
    fn pool(&self, index: usize) -> Result<Arc<StimulusSet>, Error> {
        self.pools.get(index).cloned().ok_or_else(|| Error::Mismatch(format!("no natural images {index}")))
    }
}

/// A plan, and the card files of its models and benchmarks, in its order.
pub(crate) struct PlannedFiles {
    /// The plan.
    pub plan: Plan,
    /// Model cards.
    pub models: Vec<PathBuf>,
    /// Benchmark cards.
    pub benchmarks: Vec<PathBuf>,
    /// Scan cards.
    pub scans: Vec<PathBuf>,
    /// Benchmark cards of natural images.
    pub pools: Vec<PathBuf>,
}

/// Card files of a job.
pub(crate) struct CardFiles {
    pub models: Vec<PathBuf>,
    pub benchmarks: Vec<PathBuf>,
    pub scans: Vec<PathBuf>,
    pub pools: Vec<PathBuf>,
}

/// Makes a card's files ready to be loaded; gives the reason for a card that must not be.
pub(crate) type Prepare<'a> = dyn Fn(CardKind, &Path) -> Result<Option<String>, Error> + 'a;

/// Plans a job without keeping its benchmarks in memory.
///
/// # Errors
/// Those of [`Job::load`], and those of `prepare`.
pub(crate) fn plan_card_files(
    spec: JobSpec,
    spec_file: &Path,
    files: &CardFiles,
    data_dir: Option<&Path>,
    machine: MachineFacts,
    prepare: &Prepare<'_>,
) -> Result<PlannedFiles, Error> {
    let survey = Survey::of(&spec, spec_file, files, data_dir, MAX_TRIED, prepare)?;
    let models = survey.models.iter().map(|found| found.file.clone()).collect();
    let benchmarks = survey.benchmarks.iter().map(|found| found.file.clone()).collect();
    let scans = survey.scans.iter().map(|found| found.file.clone()).collect();
    let pools = survey.pools.iter().map(|found| found.file.clone()).collect();
    Ok(PlannedFiles { plan: survey.plan(spec, machine)?, models, benchmarks, scans, pools })
}

/// Loads a model card, with the layers that the spec names for it.
pub(crate) fn card_of(spec: &JobSpec, file: &Path, data_dir: Option<&Path>) -> Result<ModelCard, Error> {
    let mut card = load_card(file, data_dir)?;
    if let Some(patterns) = spec.layers.get(&card.identifier) {
        card.layers.include.clone_from(patterns);
        card.layers.exclude.clear();
    }
    Ok(card)
}

struct FoundModel {
    file: PathBuf,
    card: ModelCard,
    facts: ModelFacts,
}

struct FoundBenchmark {
    file: PathBuf,
    facts: BenchmarkFacts,
    loaded: Option<Arc<Benchmark>>,
}

struct FoundScan {
    file: PathBuf,
    facts: ScanFacts,
    loaded: Arc<Scan>,
}

struct FoundPool {
    file: PathBuf,
    facts: PoolFacts,
    images: Arc<StimulusSet>,
}

/// The cards of a spec: those that can be used, and the others.
#[derive(Default)]
struct Survey {
    models: Vec<FoundModel>,
    benchmarks: Vec<FoundBenchmark>,
    scans: Vec<FoundScan>,
    pools: Vec<FoundPool>,
    refused: Vec<Refused>,
}

impl Survey {
    /// Loads every card once; the first `keep` benchmarks stay in memory.
    fn of(
        spec: &JobSpec,
        spec_file: &Path,
        files: &CardFiles,
        data_dir: Option<&Path>,
        keep: usize,
        prepare: &Prepare<'_>,
    ) -> Result<Self, Error> {
        let mut survey = Self::default();
        for file in &files.benchmarks {
            let keep = survey.benchmarks.len() < keep;
            match prepare(CardKind::Benchmark, file)? {
                Some(reason) => survey.refuse(CardKind::Benchmark, file, reason),
                None => match found_benchmark(file, data_dir, keep) {
                    Ok(found) => survey.benchmarks.push(found),
                    Err(error) => survey.refuse(CardKind::Benchmark, file, error.to_string()),
                },
            }
        }
        survey.check(CardKind::Benchmark, survey.benchmarks.is_empty() && !files.benchmarks.is_empty())?;
        survey.find_scans(spec, files, data_dir, prepare)?;
        survey.find_pools(files, data_dir, prepare)?;
        for file in &files.models {
            match prepare(CardKind::Model, file)? {
                Some(reason) => survey.refuse(CardKind::Model, file, reason),
                None => match survey.found_model(spec, file, data_dir) {
                    Ok((found, problem)) => {
                        survey.models.push(found);
                        problem.into_iter().for_each(|reason| survey.refuse(CardKind::Model, file, reason));
                    }
                    Err(error) => survey.refuse(CardKind::Model, file, error.to_string()),
                },
            }
        }
        survey.check(CardKind::Model, survey.models.is_empty() && !files.models.is_empty())?;
        survey.check_identifiers()?;
        survey.check_layer_overrides(spec, spec_file)?;
        Ok(survey)
    }

    fn plan(self, spec: JobSpec, machine: MachineFacts) -> Result<Plan, Error> {
        let models = self.models.into_iter().map(|found| found.facts).collect();
        let benchmarks = self.benchmarks.into_iter().map(|found| found.facts).collect();
        let scans = self.scans.into_iter().map(|found| found.facts).collect();
        let pools = self.pools.into_iter().map(|found| found.facts).collect();
        Ok(plan_without(Facts { models, benchmarks, scans, pools, refused: self.refused }, spec, machine)?)
    }

    fn find_scans(
        &mut self,
        spec: &JobSpec,
        files: &CardFiles,
        data_dir: Option<&Path>,
        prepare: &Prepare<'_>,
    ) -> Result<(), Error> {
        let Some(searchlight) = &spec.searchlight else { return Ok(()) };
        for file in &files.scans {
            let found = || -> Result<FoundScan, Error> {
                let loaded = load_scan(file, data_dir)?;
                let facts = maps::of_scan(&loaded, searchlight)?;
                Ok(FoundScan { file: file.clone(), facts, loaded: Arc::new(loaded) })
            };
            match prepare(CardKind::Scan, file)? {
                Some(reason) => self.refuse(CardKind::Scan, file, reason),
                None => match found() {
                    Ok(found) => self.scans.push(found),
                    Err(error) => self.refuse(CardKind::Scan, file, error.to_string()),
                },
            }
        }
        self.check(CardKind::Scan, self.scans.is_empty())
    }

    /// Natural images that cannot be used are no reason not to make others.
    fn find_pools(
        &mut self,
        files: &CardFiles,
        data_dir: Option<&Path>,
        prepare: &Prepare<'_>,
    ) -> Result<(), Error> {
        for file in &files.pools {
            match prepare(CardKind::Pool, file)? {
                Some(reason) => self.refuse(CardKind::Pool, file, reason),
                None => match found_pool(file, data_dir) {
                    Ok(found) => self.pools.push(found),
                    Err(error) => self.refuse(CardKind::Pool, file, error.to_string()),
                },
            }
        }
        Ok(())
    }

    /// Stimuli that a model is tried on.
    fn stimuli(&self) -> impl Iterator<Item = &StimulusSet> {
        let loaded = self.benchmarks.iter().filter_map(|found| found.loaded.as_deref());
        let of_scans = self.scans.iter().filter_map(|found| found.loaded.stimuli.as_ref());
        let natural = self.pools.iter().map(|found| found.images.as_ref());
        loaded.map(|benchmark| &benchmark.stimuli).chain(of_scans).chain(natural).take(MAX_TRIED)
    }

    fn refuse(&mut self, kind: CardKind, file: &Path, reason: String) {
        self.refused.push(Refused { kind, card: file.display().to_string(), reason });
    }

    fn check(&self, kind: CardKind, none: bool) -> Result<(), Error> {
        let of_kind = self.refused.iter().filter(|refused| refused.kind == kind);
        let reasons = || of_kind.map(|refused| refused.reason.clone()).collect();
        if none { Err(Error::AllRefused { kind, reasons: reasons() }) } else { Ok(()) }
    }

    /// The model, and why no images can be made for one that is there for its scores, too.
    fn found_model(
        &self,
        spec: &JobSpec,
        file: &Path,
        data: Option<&Path>,
    ) -> Result<(FoundModel, Option<String>), Error> {
        let card = card_of(spec, file, data)?;
        try_model(&card, data, Some(spec))?;
        let model = LoadedModel::load(&card)?;
        let mut facts = self.tried(spec, &card, &model)?;
        let mut problem = None;
        if spec.synthesis.is_some() {
            match synthesis::gradient_facts(spec, &card, &model, &facts) {
                Ok(gradient) => facts.gradient = Some(gradient),
                Err(error) if spec.has_images_alone() => return Err(error),
                Err(error) => problem = Some(format!("no images can be made for it: {error}")),
            }
        }
        Ok((FoundModel { file: file.to_owned(), card, facts }, problem))
    }

    /// Facts of a model, which must be able to see one of the first stimuli; where there are none at all its gradient tells.
    fn tried(&self, spec: &JobSpec, card: &ModelCard, model: &LoadedModel) -> Result<ModelFacts, Error> {
        let mut failed = None;
        for stimuli in self.stimuli() {
            match model.facts(card, Some(stimuli)) {
                Ok(facts) => return Ok(facts),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) => Err(error),
            None if spec.synthesis.is_some() => model.facts(card, None),
            None => Err(Error::Mismatch("no stimuli to try the model on".to_owned())),
        }
    }

    /// Identifiers of the models, as many as fit into a message.
    fn names(&self) -> String {
        let shown = self.models.iter().take(MAX_NAMES).map(|found| found.card.identifier.as_str());
        let more = if self.models.len() > MAX_NAMES { ", ..." } else { "" };
        shown.collect::<Vec<_>>().join(", ") + more
    }

    /// Two cards of one identifier are named by their files.
    fn check_identifiers(&self) -> Result<(), Error> {
        let models = self.models.iter().map(|found| ("model", &found.card.identifier, &found.file));
        let benchmarks =
            self.benchmarks.iter().map(|found| ("benchmark", &found.facts.identifier, &found.file));
        let mut seen = BTreeMap::new();
        for (kind, identifier, file) in models.chain(benchmarks) {
            if let Some(other) = seen.insert((kind, identifier), file) {
                return Err(Error::Mismatch(format!(
                    "{kind} `{identifier}` is described by {} and by {}; identifiers must be unique within a job",
                    other.display(),
                    file.display()
                )));
            }
        }
        Ok(())
    }

    fn check_layer_overrides(&self, spec: &JobSpec, file: &Path) -> Result<(), Error> {
        // A card that was refused may be the one that is meant.
        if self.refused.iter().any(|refused| refused.kind == CardKind::Model) {
            return Ok(());
        }
        let has_card = |name: &String| self.models.iter().any(|found| found.card.identifier == *name);
        match spec.layers.keys().find(|name| !has_card(name)) {
            None => Ok(()),
            Some(name) => Err(Error::NoCard {
                spec: file.to_owned(),
                field: "layers",
                pattern: name.clone(),
                problem: format!("is the identifier of no model of this job; there are: {}", self.names()),
            }),
        }
    }
}

fn found_pool(file: &Path, data_dir: Option<&Path>) -> Result<FoundPool, Error> {
    let (images, facts) = synthesis::load_pool(file, data_dir)?;
    Ok(FoundPool { file: file.to_owned(), facts, images: Arc::new(images) })
}

fn found_benchmark(file: &Path, data_dir: Option<&Path>, keep: bool) -> Result<FoundBenchmark, Error> {
    let benchmark = load_benchmark(file, data_dir)?;
    let facts = facts::of_benchmark(&benchmark)?;
    Ok(FoundBenchmark { file: file.to_owned(), facts, loaded: keep.then(|| Arc::new(benchmark)) })
}
