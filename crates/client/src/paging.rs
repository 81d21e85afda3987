//! Lists, page by page.

use ventral_proto::limits::MAX_PAGE;
use ventral_proto::v1;

use crate::{Client, Error};

const PAGE: u32 = MAX_PAGE as u32;

/// Collects the pages of a list, at most `$limit` entries.
macro_rules! pages {
    ($self:ident, $service:ident . $method:ident, $request:expr, $entries:ident, $limit:expr) => {{
        let limit: usize = $limit;
        let mut request = $request;
        let mut all = Vec::new();
        loop {
            // A token belongs to one page size.
            request.page_size = PAGE.min(u32::try_from(limit).unwrap_or(PAGE)).max(1);
            let page = $self
                .call(&request, |client, request| async move { client.$service().$method(request).await })
                .await?;
            all.extend(page.$entries);
            if page.next_page_token.is_empty() || all.len() >= limit {
                all.truncate(limit);
                return Ok(all);
            }
            request.page_token = page.next_page_token;
        }
    }};
}

impl Client {
    /// The newest jobs, at most `limit`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn jobs(&self, state: v1::JobState, limit: usize) -> Result<Vec<v1::Job>, Error> {
        let request = v1::ListJobsRequest { state: state.into(), ..Default::default() };
        pages!(self, evaluations.list, request, jobs, limit)
    }

    /// Units of a job in the order of its plan, at most `limit`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn units(&self, job: &str, state: v1::UnitState, limit: usize) -> Result<Vec<v1::Unit>, Error> {
        let request = v1::ListUnitsRequest { job: job.to_owned(), state: state.into(), ..Default::default() };
        pages!(self, evaluations.list_units, request, units, limit)
    }

    /// Workers by name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn workers(&self) -> Result<Vec<v1::Worker>, Error> {
        pages!(self, fleet.list_workers, v1::ListWorkersRequest::default(), workers, usize::MAX)
    }

    /// Pools by name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pools(&self) -> Result<Vec<v1::Pool>, Error> {
        pages!(self, fleet.list_pools, v1::ListPoolsRequest::default(), pools, usize::MAX)
    }

    /// Dead units, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn dead(&self, limit: usize) -> Result<Vec<v1::DeadUnit>, Error> {
        pages!(self, fleet.list_dead, v1::ListDeadRequest::default(), units, limit)
    }

    /// Models of the caller's jobs.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn models(&self) -> Result<Vec<v1::Model>, Error> {
        pages!(self, catalog.list_models, v1::ListModelsRequest::default(), models, usize::MAX)
    }

    /// Benchmarks of the caller's jobs.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn benchmarks(&self) -> Result<Vec<v1::Benchmark>, Error> {
        pages!(self, catalog.list_benchmarks, v1::ListBenchmarksRequest::default(), benchmarks, usize::MAX)
    }

    /// Metrics of the caller's jobs.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn metrics(&self) -> Result<Vec<v1::Metric>, Error> {
        pages!(self, catalog.list_metrics, v1::ListMetricsRequest::default(), metrics, usize::MAX)
    }

    /// Models by rank.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn leaderboard(&self, job: &str) -> Result<Vec<v1::LeaderboardRow>, Error> {
        let request = v1::LeaderboardRequest { job: job.to_owned(), ..Default::default() };
        pages!(self, scores.leaderboard, request, rows, usize::MAX)
    }
}
