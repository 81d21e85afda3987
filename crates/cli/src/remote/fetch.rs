//! Results of a cluster's job, as the local commands read them.

use futures::StreamExt as _;
use ventral_aggregator::Results;
use ventral_plan::{Digest, Plan};
use ventral_proto::v1::{ArtifactKind, Job, JobState, ScoresDocument};
use ventral_store::{JobRecord, Store};

use super::Remote;
use crate::exit::{Exit, Outcome};

/// Jobs that are searched for one that begins as asked.
const SEARCHED: usize = 10_000;
/// Jobs among which the latest is looked for.
const LATEST: usize = 100;
/// Results that are fetched at a time.
const PARALLEL: usize = 16;

impl Remote {
    /// The job `id`, or the one that begins so, or the latest.
    pub fn job(&self, id: Option<&str>) -> Outcome<Job> {
        let every = JobState::Unspecified;
        let Some(id) = id else {
            let latest = self.wait(self.client.jobs(every, LATEST))?;
            // A plan is no result to look at while there is another job.
            let real = latest.iter().find(|job| job.state() != JobState::Planned);
            return real.or(latest.first()).cloned().ok_or_else(|| {
                Exit::input(format!("no jobs at {}; start one with `ventral submit SPEC`", self.client.url()))
            });
        };
        match self.wait(self.client.job(id)) {
            Ok(job) => return Ok(job),
            Err(error) if matches!(error.reason(), Some("JOB_NOT_FOUND")) => {}
            Err(error) => return Err(error.into()),
        }
        let jobs = self.wait(self.client.jobs(every, SEARCHED))?;
        let mut matching = jobs.iter().filter(|job| job.id.starts_with(id));
        match (matching.next(), matching.next()) {
            (Some(job), None) => Ok(job.clone()),
            (Some(_), Some(_)) => Err(Exit::input(format!("more than one job begins with '{id}'"))),
            (None, _) => {
                let known: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).take(5).collect();
                let place = self.client.url();
                Err(Exit::input(format!("no job '{id}' at {place}; the latest are: {}", known.join(", "))))
            }
        }
    }

    /// A job's record and results.
    pub fn load(&self, id: Option<&str>) -> Outcome<(String, JobRecord, Results)> {
        let job = self.job(id)?;
        let (results, record) = (self.results(&job.id)?, self.record(&job.id)?);
        Ok((job.id, record, results))
    }

    /// The record alone.
    pub fn record(&self, id: &str) -> Outcome<JobRecord> {
        parse("record", &self.wait(self.client.document(id, ScoresDocument::Record))?)
    }

    /// The results alone.
    pub fn results(&self, id: &str) -> Outcome<Results> {
        parse("results", &self.wait(self.client.document(id, ScoresDocument::Results))?)
    }

    /// Fetches the scores of a plan into `store`; what the cluster lacks is left out.
    pub fn fetch_scores(&self, plan: &Plan, store: &Store) -> Outcome {
        self.fetch(plan.scores.iter().map(|unit| &unit.digest).collect(), store)
    }

    /// Fetches the pieces of a plan's maps into `store`; what the cluster lacks is left out.
    pub fn fetch_maps(&self, plan: &Plan, store: &Store) -> Outcome {
        self.fetch(plan.maps.iter().map(|unit| &unit.digest).collect(), store)
    }

    /// Fetches the sets of images of a plan, and what its models make of the natural ones, into `store`; what the cluster lacks is
    /// left out.
    pub fn fetch_synthesis(&self, plan: &Plan, store: &Store) -> Outcome {
        let sets = plan.syntheses.iter().map(|unit| &unit.digest);
        let first = plan.syntheses.iter().filter(|unit| unit.restart == 0);
        let natural = first.filter_map(|unit| plan.natural_grams(unit)).flatten();
        self.fetch(sets.chain(natural).collect(), store)
    }

    fn fetch(&self, digests: Vec<&Digest>, store: &Store) -> Outcome {
        let missing = store.contains_many(&digests.iter().copied().cloned().collect::<Vec<_>>())?;
        let wanted = digests.into_iter().zip(missing).filter(|(_, there)| !there).map(|(digest, _)| digest);
        let calls = wanted
            .map(|digest| async move { (digest, self.client.download(digest, ArtifactKind::Object).await) });
        self.wait(async {
            let mut fetched = futures::stream::iter(calls).buffer_unordered(PARALLEL);
            while let Some((digest, payload)) = fetched.next().await {
                match payload {
                    Ok(payload) => drop(store.put(digest, &payload)?),
                    Err(error) if error.reason() == Some("ARTIFACT_NOT_FOUND") => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        })
    }
}

/// Reads a document.
pub fn parse<T: serde::de::DeserializeOwned>(what: &str, bytes: &[u8]) -> Outcome<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Exit::Internal(anyhow::anyhow!(
            "the job's {what} cannot be read: {error}; is the cluster of another version?"
        ))
    })
}
