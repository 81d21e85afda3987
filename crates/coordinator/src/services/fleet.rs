//! Workers, pools, dead units.

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};
use ventral_proto::v1;
use ventral_proto::v1::fleet_server::Fleet;
use ventral_queue::UnitId;

use super::page::{Query, cut, size};
use super::status::{Reason, refuse};
use super::{Shared, check, convert};

/// The service.
pub struct Machines(pub Arc<Shared>);

#[tonic::async_trait]
impl Fleet for Machines {
    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let size = size(body.page_size)?;
        let fields = v1::ListWorkersRequest { page_token: String::new(), ..body };
        let query = Query::new(caller.scope(), "ListWorkers", &fields);
        let after: Option<String> = self.0.pages.open(&query, &body.page_token)?;
        let mut workers = self.0.core.workers().await.map_err(|error| self.0.fault(error))?;
        workers.sort_by(|a, b| a.name.cmp(&b.name));
        let (page, next) = cut(workers, size, after, |worker| worker.name.clone());
        let next_page_token = next.map_or(Ok(String::new()), |next| self.0.pages.seal(&query, &next))?;
        let workers = page.into_iter().map(convert::worker).collect();
        Ok(Response::new(v1::ListWorkersResponse { workers, next_page_token }))
    }

    async fn drain(&self, request: Request<v1::DrainRequest>) -> Result<Response<v1::DrainResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        check::request_id(&body.request_id)?;
        check::worker(&body.worker)?;
        let (core, worker) = (&self.0.core, body.worker.as_str());
        let act = |again| async move {
            if again || core.drain(worker).await.map_err(|error| self.0.fault(error))? {
                return Ok(());
            }
            let message = format!("no worker '{worker}' was heard of lately");
            Err(refuse(Code::NotFound, Reason::WorkerNotFound, message))
        };
        self.0.requests.once(&caller.tenant, &body.request_id, "Drain", &body, act).await?;
        tracing::info!(worker, by = caller.name, "asked to drain");
        Ok(Response::new(v1::DrainResponse {}))
    }

    async fn list_pools(
        &self,
        request: Request<v1::ListPoolsRequest>,
    ) -> Result<Response<v1::ListPoolsResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let size = size(body.page_size)?;
        let fields = v1::ListPoolsRequest { page_token: String::new(), ..body };
        let query = Query::new(caller.scope(), "ListPools", &fields);
        let after: Option<String> = self.0.pages.open(&query, &body.page_token)?;
        let mut pools = self.0.core.pools().await.map_err(|error| self.0.fault(error))?;
        pools.sort_by(|a, b| a.pool.cmp(&b.pool));
        let (page, next) = cut(pools, size, after, |pool| pool.pool.clone());
        let next_page_token = next.map_or(Ok(String::new()), |next| self.0.pages.seal(&query, &next))?;
        let pools = page.into_iter().map(convert::pool).collect();
        Ok(Response::new(v1::ListPoolsResponse { pools, next_page_token }))
    }

    async fn list_dead(
        &self,
        request: Request<v1::ListDeadRequest>,
    ) -> Result<Response<v1::ListDeadResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let size = size(body.page_size)?;
        let fields = v1::ListDeadRequest { page_token: String::new(), ..body };
        let query = Query::new(caller.scope(), "ListDead", &fields);
        let after: Option<UnitId> = self.0.pages.open(&query, &body.page_token)?;
        let units = self.0.core.dead(after, size).await.map_err(|error| self.0.fault(error))?;
        let next_page_token = match units.last() {
            Some(last) if units.len() == size => self.0.pages.seal(&query, &last.unit)?,
            _ => String::new(),
        };
        let units = units.into_iter().map(convert::dead).collect();
        Ok(Response::new(v1::ListDeadResponse { units, next_page_token }))
    }
}
