//! Jobs: submit, watch, steer, explain.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use tokio::sync::watch;
use tonic::{Code, Request, Response, Status};
use ventral_proto::limits::{MAX_DRILL_MS, MAX_DRILL_UNITS, MAX_EXPLAINED, MAX_TOKEN_BYTES};
use ventral_proto::v1;
use ventral_proto::v1::evaluations_server::Evaluations;

use super::page::{Query, cut, size};
use super::shared::ending;
use super::status::{Reason, invalid, refuse};
use super::stream::{Messages, chunks};
use super::{Shared, check, convert, documents};
use crate::auth::Identity;
use crate::core::{Control, Error, JobRequest, JobView, MAX_PRIORITY, MIN_PRIORITY, Submission};

/// Least time between two responses of a watch.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// The service.
pub struct Jobs(pub Arc<Shared>);

impl Jobs {
    async fn accept(
        &self,
        request: Request<v1::SubmitRequest>,
        dry_run: bool,
    ) -> Result<Response<v1::Job>, Status> {
        let caller = check::caller(&request)?;
        let traceparent = traceparent(&request);
        let body = request.into_inner();
        check::request_id(&body.request_id)?;
        check::job_name(&body.name)?;
        let bundle = check::digest("bundle", &body.bundle)?;
        check::profile(&body.profile)?;
        self.0.check_bundle(&caller.tenant, &bundle).await?;
        let work = JobRequest::Evaluation { name: body.name.clone(), bundle };
        let submission = self.submission(&caller, &body.request_id, work, body.priority, &body.profile)?;
        let submission = Submission { dry_run, traceparent, ..submission };
        let method = if dry_run { "Plan" } else { "Submit" };
        self.submit(&caller, &body.request_id, method, &body, submission).await
    }

    fn submission(
        &self,
        caller: &Identity,
        request_id: &str,
        request: JobRequest,
        priority: i32,
        profile: &str,
    ) -> Result<Submission, Status> {
        if !(MIN_PRIORITY..=MAX_PRIORITY).contains(&priority) {
            return Err(invalid("priority", format!("{priority}; write {MIN_PRIORITY} to {MAX_PRIORITY}")));
        }
        let profile = if profile.is_empty() { &self.0.profile } else { profile };
        Ok(Submission {
            tenant: caller.tenant.clone(),
            request_id: request_id.to_owned(),
            request,
            priority,
            profile: profile.to_owned(),
            dry_run: false,
            submitted_ms: now_ms(),
            traceparent: None,
        })
    }

    async fn submit(
        &self,
        caller: &Identity,
        request_id: &str,
        method: &str,
        body: &impl prost::Message,
        submission: Submission,
    ) -> Result<Response<v1::Job>, Status> {
        // The core knows ids of submissions for ever and returns the job there is; the registry also finds reuse across methods and names.
        let core = &self.0.core;
        let act = |_| async { core.submit(submission).await.map_err(|error| self.0.fault(error)) };
        let view = self.0.requests.once(&caller.tenant, request_id, method, body, act).await?;
        Ok(Response::new(convert::job(&view)))
    }

    async fn steer(
        &self,
        request: Request<v1::ControlRequest>,
        control: Control,
    ) -> Result<Response<v1::Job>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        check::request_id(&body.request_id)?;
        check::job_id("job", &body.job)?;
        let (core, scope, job) = (&self.0.core, caller.scope(), body.job.as_str());
        if control == Control::Retry
            && let Ok(view) = core.get(scope, job).await
        {
            self.0.holdings.touch_all(&view.tenant);
        }
        let act = |again| async move {
            let view =
                if again { core.get(scope, job).await } else { core.control(scope, job, control).await };
            view.map_err(|error| self.0.fault(error))
        };
        let method = format!("{control:?}");
        let view = self.0.requests.once(&caller.tenant, &body.request_id, &method, &body, act).await?;
        tracing::info!(job, by = caller.name, ?control, "steered");
        Ok(Response::new(convert::job(&view)))
    }

    fn resume_revision(&self, job: &str, token: &str) -> Result<Option<u64>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let bad = || {
            let message = "this resume token is not of this job; watch without one";
            refuse(Code::InvalidArgument, Reason::ResumeTokenInvalid, message)
        };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(bad());
        }
        let (head, of) = token.split_once('/').ok_or_else(bad)?;
        let (generation, revision) = head.rsplit_once(':').ok_or_else(bad)?;
        let revision: u64 = revision.parse().map_err(|_| bad())?;
        if of != job {
            return Err(bad());
        }
        Ok((generation == self.0.core.generation()).then_some(revision))
    }
}

#[tonic::async_trait]
impl Evaluations for Jobs {
    async fn plan(&self, request: Request<v1::SubmitRequest>) -> Result<Response<v1::Job>, Status> {
        self.accept(request, true).await
    }

    async fn submit(&self, request: Request<v1::SubmitRequest>) -> Result<Response<v1::Job>, Status> {
        self.accept(request, false).await
    }

    async fn submit_drill(
        &self,
        request: Request<v1::SubmitDrillRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        check::request_id(&body.request_id)?;
        check::job_name(&body.name)?;
        if !(1..=MAX_DRILL_UNITS).contains(&body.units) {
            return Err(invalid("units", format!("{}; write 1 to {MAX_DRILL_UNITS}", body.units)));
        }
        if body.milliseconds > MAX_DRILL_MS {
            return Err(invalid("milliseconds", format!("{}; at most {MAX_DRILL_MS}", body.milliseconds)));
        }
        let work =
            JobRequest::Drill { name: body.name.clone(), units: body.units, milliseconds: body.milliseconds };
        let submission = self.submission(&caller, &body.request_id, work, body.priority, "")?;
        self.submit(&caller, &body.request_id, "SubmitDrill", &body, submission).await
    }

    async fn get(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::Job>, Status> {
        let caller = check::caller(&request)?;
        let job = request.into_inner().job;
        check::job_id("job", &job)?;
        let view = self.0.core.get(caller.scope(), &job).await.map_err(|error| self.0.fault(error))?;
        Ok(Response::new(convert::job(&view)))
    }

    async fn list(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        let size = size(body.page_size)?;
        let state = body.state();
        let scope = match caller.scope() {
            None if !body.tenant.is_empty() => Some(body.tenant.as_str()),
            Some(own) if !body.tenant.is_empty() && body.tenant != own => {
                return Err(invalid("tenant", "only operators may name another tenant than their own"));
            }
            scope => scope,
        };
        let fields = v1::ListJobsRequest { page_token: String::new(), ..body.clone() };
        let query = Query::new(scope, "List", &fields);
        let after: Option<(u64, String)> = self.0.pages.open(&query, &body.page_token)?;
        let mut jobs = self.0.core.list(scope).await.map_err(|error| self.0.fault(error))?;
        jobs.retain(|job| state == v1::JobState::Unspecified || convert::job_state(job.state) == state);
        jobs.sort_by_cached_key(newest_first);
        let (page, next) = cut(jobs, size, after, newest_first);
        let next_page_token = next.map_or(Ok(String::new()), |next| self.0.pages.seal(&query, &next))?;
        let jobs = page.iter().map(convert::job).collect();
        Ok(Response::new(v1::ListJobsResponse { jobs, next_page_token }))
    }

    type WatchStream = Messages<v1::WatchResponse>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        check::job_id("job", &body.job)?;
        let receiver =
            self.0.core.subscribe(caller.scope(), &body.job).await.map_err(|error| self.0.fault(error))?;
        let seen = self.resume_revision(&body.job, &body.resume_token)?;
        let watching = Watching {
            receiver,
            stop: self.0.stop.clone(),
            seen,
            generation: self.0.core.generation(),
            sent: false,
            ended: false,
        };
        let stream = futures::stream::unfold(watching, |mut watching| async move {
            let response = watching.next().await?;
            Some((response, watching))
        });
        Ok(Response::new(stream.boxed()))
    }

    async fn pause(&self, request: Request<v1::ControlRequest>) -> Result<Response<v1::Job>, Status> {
        self.steer(request, Control::Pause).await
    }

    async fn resume(&self, request: Request<v1::ControlRequest>) -> Result<Response<v1::Job>, Status> {
        self.steer(request, Control::Resume).await
    }

    async fn cancel(&self, request: Request<v1::ControlRequest>) -> Result<Response<v1::Job>, Status> {
        self.steer(request, Control::Cancel).await
    }

    async fn retry(&self, request: Request<v1::ControlRequest>) -> Result<Response<v1::Job>, Status> {
        self.steer(request, Control::Retry).await
    }

    async fn list_units(
        &self,
        request: Request<v1::ListUnitsRequest>,
    ) -> Result<Response<v1::ListUnitsResponse>, Status> {
        let caller = check::caller(&request)?;
        let body = request.into_inner();
        check::job_id("job", &body.job)?;
        let size = size(body.page_size)?;
        let fields = v1::ListUnitsRequest { page_token: String::new(), ..body.clone() };
        let query = Query::new(caller.scope(), "ListUnits", &fields);
        let offset: usize = self.0.pages.open(&query, &body.page_token)?.unwrap_or(0);
        let phase = convert::phase(body.state());
        let units = self
            .0
            .core
            .units(caller.scope(), &body.job, phase, offset, size)
            .await
            .map_err(|error| self.0.fault(error))?;
        let next_page_token = match units.len() {
            full if full == size => self.0.pages.seal(&query, &offset.saturating_add(size))?,
            _ => String::new(),
        };
        let units = units.into_iter().map(convert::unit).collect();
        Ok(Response::new(v1::ListUnitsResponse { units, next_page_token }))
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let caller = check::caller(&request)?;
        let unit = request.into_inner().unit;
        check::unit_prefix(&unit)?;
        let mut units =
            self.0.core.explain(caller.scope(), &unit).await.map_err(|error| self.0.fault(error))?;
        if units.is_empty() {
            return Err(self.0.fault(Error::NoUnit(unit)));
        }
        units.truncate(MAX_EXPLAINED);
        Ok(Response::new(v1::ExplainResponse { units: units.into_iter().map(convert::unit).collect() }))
    }

    type GetPlanStream = Messages<v1::DataChunk>;

    async fn get_plan(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<Self::GetPlanStream>, Status> {
        let caller = check::caller(&request)?;
        let job = request.into_inner().job;
        check::job_id("job", &job)?;
        self.0.core.get(caller.scope(), &job).await.map_err(|error| self.0.fault(error))?;
        let bytes = self.0.document(&job, documents::PLAN).await?;
        Ok(Response::new(chunks(bytes, 0)))
    }
}

struct Watching {
    receiver: watch::Receiver<JobView>,
    stop: watch::Receiver<bool>,
    seen: Option<u64>,
    generation: String,
    sent: bool,
    ended: bool,
}

impl Watching {
    async fn next(&mut self) -> Option<Result<v1::WatchResponse, Status>> {
        if self.ended {
            return None;
        }
        loop {
            let view = self.receiver.borrow_and_update().clone();
            // The last state is always told, so that a stream that ends has said why.
            if self.seen != Some(view.revision) || view.state.is_final() {
                if std::mem::replace(&mut self.sent, true) {
                    tokio::time::sleep(WATCH_EVERY).await;
                }
                let view = self.receiver.borrow_and_update().clone();
                self.seen = Some(view.revision);
                self.ended = view.state.is_final();
                let resume_token = format!("{}:{}/{}", self.generation, view.revision, view.id);
                return Some(Ok(v1::WatchResponse { job: Some(convert::job(&view)), resume_token }));
            }
            let going_on = tokio::select! {
                changed = self.receiver.changed() => changed.is_ok(),
                _ = self.stop.wait_for(|stop| *stop) => false,
            };
            if !going_on {
                self.ended = true;
                return Some(Err(ending()));
            }
        }
    }
}

/// Sorts jobs by age; the id tells jobs of one millisecond apart.
fn newest_first(job: &JobView) -> (u64, String) {
    (u64::MAX - job.submitted_ms, job.id.clone())
}

/// W3C trace context of the caller; what does not look like one is left out.
fn traceparent<T>(request: &Request<T>) -> Option<String> {
    const LENGTH: usize = 55;
    let text = request.metadata().get("traceparent")?.to_str().ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (text.len() == LENGTH && plain).then(|| text.to_owned())
}

/// Unix time in milliseconds.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}
