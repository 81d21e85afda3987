//! Models, benchmarks and metrics of the caller's jobs, from their plans.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tonic::{Request, Response, Status};
use ventral_plan::{BenchmarkFacts, ModelFacts};
use ventral_proto::limits::MAX_NAMED;
use ventral_proto::v1;
use ventral_proto::v1::catalog_server::Catalog;

use super::page::{Query, cut, size};
use super::{Shared, check, documents};
use crate::auth::Identity;

/// Plans whose contents are remembered; they never change.
const MAX_REMEMBERED: usize = 2_000;

/// The service.
pub struct Index {
    shared: Arc<Shared>,
    contents: Mutex<HashMap<String, Arc<Contents>>>,
}

/// The part of `plan.json` that is shown.
#[derive(Deserialize)]
struct PlanDocument {
    plan: Contents,
}

#[derive(Deserialize)]
struct Contents {
    models: Vec<ModelFacts>,
    benchmarks: Vec<BenchmarkFacts>,
}

impl Index {
    /// Nothing read yet.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, contents: Mutex::default() }
    }

    /// The caller's planned jobs, the newest first, with what they name.
    async fn jobs(&self, caller: &Identity) -> Result<Vec<(String, Arc<Contents>)>, Status> {
        let mut jobs = Vec::new();
        for job in self.shared.core.list(caller.scope()).await.map_err(|error| self.shared.fault(error))? {
            if let Some(contents) = self.contents(&job.id).await? {
                jobs.push((job.id, contents));
            }
        }
        Ok(jobs)
    }

    async fn contents(&self, job: &str) -> Result<Option<Arc<Contents>>, Status> {
        let known = self.contents.lock().unwrap_or_else(PoisonError::into_inner).get(job).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let id = job.to_owned();
        let Some(bytes) = self.shared.on_store(move |store| store.document(&id, documents::PLAN)).await?
        else {
            return Ok(None);
        };
        let Ok(PlanDocument { plan }) = serde_json::from_slice(&bytes) else {
            tracing::error!(job, "plan.json cannot be read; the catalog leaves it out");
            return Ok(None);
        };
        let contents = Arc::new(plan);
        let mut remembered = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(job.to_owned(), contents.clone());
        Ok(Some(contents))
    }
}

#[tonic::async_trait]
impl Catalog for Index {
    async fn list_models(
        &self,
        request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let size = size(body.page_size)?;
        let fields = v1::ListModelsRequest { page_token: String::new(), ..body };
        let query = Query::new(caller.scope(), "ListModels", &fields);
        let after: Option<(String, String)> = self.shared.pages.open(&query, &body.page_token)?;
        let mut models: BTreeMap<(String, String), v1::Model> = BTreeMap::new();
        for (job, contents) in self.jobs(&caller).await? {
            for facts in &contents.models {
                let key = (facts.identifier.clone(), facts.digest.to_string());
                name(&mut models.entry(key).or_insert_with(|| model(facts)).jobs, &job);
            }
        }
        let key = |model: &v1::Model| (model.identifier.clone(), model.digest.clone());
        let (models, next) = cut(models.into_values().collect(), size, after, key);
        let next_page_token = next.map_or(Ok(String::new()), |next| self.shared.pages.seal(&query, &next))?;
        Ok(Response::new(v1::ListModelsResponse { models, next_page_token }))
    }

    async fn list_benchmarks(
        &self,
        request: Request<v1::ListBenchmarksRequest>,
    ) -> Result<Response<v1::ListBenchmarksResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let size = size(body.page_size)?;
        let fields = v1::ListBenchmarksRequest { page_token: String::new(), ..body };
        let query = Query::new(caller.scope(), "ListBenchmarks", &fields);
        let after: Option<(String, String, String)> = self.shared.pages.open(&query, &body.page_token)?;
        let mut benchmarks: BTreeMap<(String, String, String), v1::Benchmark> = BTreeMap::new();
        for (job, contents) in self.jobs(&caller).await? {
            for facts in &contents.benchmarks {
                let key = (facts.identifier.clone(), facts.version.clone(), facts.digest.to_string());
                name(&mut benchmarks.entry(key).or_insert_with(|| benchmark(facts)).jobs, &job);
            }
        }
        let key = |b: &v1::Benchmark| (b.identifier.clone(), b.version.clone(), b.digest.clone());
        let (benchmarks, next) = cut(benchmarks.into_values().collect(), size, after, key);
        let next_page_token = next.map_or(Ok(String::new()), |next| self.shared.pages.seal(&query, &next))?;
        Ok(Response::new(v1::ListBenchmarksResponse { benchmarks, next_page_token }))
    }

    async fn list_metrics(
        &self,
        request: Request<v1::ListMetricsRequest>,
    ) -> Result<Response<v1::ListMetricsResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let size = size(body.page_size)?;
        let fields = v1::ListMetricsRequest { page_token: String::new(), ..body };
        let query = Query::new(caller.scope(), "ListMetrics", &fields);
        let after: Option<String> = self.shared.pages.open(&query, &body.page_token)?;
        let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (_, contents) in self.jobs(&caller).await? {
            for facts in &contents.benchmarks {
                used.entry(facts.metric.clone()).or_default().insert(facts.identifier.clone());
            }
        }
        let metric = |(name, benchmarks): (String, BTreeSet<String>)| v1::Metric {
            name,
            benchmarks: benchmarks.into_iter().take(MAX_NAMED).collect(),
        };
        let all: Vec<v1::Metric> = used.into_iter().map(metric).collect();
        let (metrics, next) = cut(all, size, after, |metric| metric.name.clone());
        let next_page_token = next.map_or(Ok(String::new()), |next| self.shared.pages.seal(&query, &next))?;
        Ok(Response::new(v1::ListMetricsResponse { metrics, next_page_token }))
    }
}

fn name(jobs: &mut Vec<String>, job: &str) {
    if jobs.len() < MAX_NAMED {
        jobs.push(job.to_owned());
    }
}

fn model(facts: &ModelFacts) -> v1::Model {
    let layer = |layer: &ventral_plan::LayerFacts| v1::ModelLayer {
        name: layer.name.clone(),
        features: layer.features,
    };
    v1::Model {
        identifier: facts.identifier.clone(),
        digest: facts.digest.to_string(),
        layers: facts.layers.iter().map(layer).collect(),
        commitments: facts.commitments.clone().into_iter().collect(),
        imagenet_top1: facts.imagenet_top1,
        jobs: Vec::new(),
    }
}

fn benchmark(facts: &BenchmarkFacts) -> v1::Benchmark {
    v1::Benchmark {
        identifier: facts.identifier.clone(),
        version: facts.version.clone(),
        digest: facts.digest.to_string(),
        region: facts.region.clone(),
        metric: facts.metric.clone(),
        stimuli: facts.stimulus_count as u64,
        targets: facts.targets as u64,
        splits: facts.splits as u64,
        ceiling: facts.ceiling.map(|ceiling| ceiling.value),
        citation: facts.citation.clone().unwrap_or_default(),
        jobs: Vec::new(),
    }
}
