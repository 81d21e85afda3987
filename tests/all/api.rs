//! What tests ask the coordinator, without the program's own client.

use std::time::Duration;

use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use ventral_proto::v1::evaluations_client::EvaluationsClient;
use ventral_proto::v1::fleet_client::FleetClient;
use ventral_proto::v1::{
    DeadUnit, GetJobRequest, Job, JobState, ListDeadRequest, ListWorkersRequest, SubmitDrillRequest, Worker,
};
use ventral_testkit::wait_until;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection to a coordinator that may be away.
pub struct Api {
    runtime: Runtime,
    endpoint: Endpoint,
    token: Option<String>,
}

impl Api {
    pub fn new(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let endpoint =
            Endpoint::from_shared(url.to_owned()).expect("a URL").timeout(ANSWER).connect_timeout(ANSWER);
        Self { runtime: runtime.expect("a runtime"), endpoint, token: None }
    }

    /// The same with a token.
    pub fn with_token(url: &str, token: &str) -> Self {
        Self { token: Some(format!("Bearer {token}")), ..Self::new(url) }
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.parse().expect("an ASCII token"));
        }
        request
    }

    fn channel(&self) -> Channel {
        let _inside = self.runtime.enter();
        self.endpoint.connect_lazy()
    }

    /// The job; `None` while the coordinator is away.
    pub fn job(&self, id: &str) -> Option<Job> {
        let mut client = EvaluationsClient::new(self.channel());
        let request = GetJobRequest { job: id.to_owned() };
        self.runtime.block_on(client.get(self.request(request))).ok().map(tonic::Response::into_inner)
    }

    /// Waits until the job has ended; the job.
    #[track_caller]
    pub fn ended(&self, id: &str, limit: Duration) -> Job {
        let mut last = None;
        wait_until(&format!("job {id} ends"), limit, || {
            last = self.job(id).or(last.take());
            last.as_ref().is_some_and(|job| is_final(job.state()))
        });
        last.expect("it has ended")
    }

    /// Waits until `count` units of the job are done.
    #[track_caller]
    pub fn done(&self, id: &str, count: u64) {
        wait_until(&format!("{count} units of {id} are done"), Duration::from_secs(120), || {
            self.job(id).and_then(|job| job.counts).is_some_and(|counts| counts.done >= count)
        });
    }

    /// Submits a drill.
    pub fn drill(&self, name: &str, units: u32, milliseconds: u64) -> Result<Job, tonic::Status> {
        let mut client = EvaluationsClient::new(self.channel());
        let request_id = name.to_owned();
        let request =
            SubmitDrillRequest { request_id, name: name.to_owned(), units, milliseconds, priority: 0 };
        self.runtime.block_on(client.submit_drill(self.request(request))).map(tonic::Response::into_inner)
    }

    /// Workers that the coordinator knows.
    pub fn workers(&self) -> Vec<Worker> {
        let mut client = FleetClient::new(self.channel());
        let reply = self.runtime.block_on(client.list_workers(self.request(ListWorkersRequest::default())));
        reply.map(|reply| reply.into_inner().workers).unwrap_or_default()
    }

    /// Dead units.
    pub fn dead(&self) -> Vec<DeadUnit> {
        let mut client = FleetClient::new(self.channel());
        let reply = self.runtime.block_on(client.list_dead(self.request(ListDeadRequest::default())));
        reply.map(|reply| reply.into_inner().units).unwrap_or_default()
    }
}

fn is_final(state: JobState) -> bool {
    matches!(
        state,
        JobState::Succeeded | JobState::Partial | JobState::Failed | JobState::Cancelled | JobState::Planned
    )
}
