use std::future::Future;
use std::io::Write;
use std::time::Duration;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use ventral_plan::Digest;
use ventral_proto::limits::{MAX_RESPONSE_BYTES, MAX_UPLOAD_MESSAGE_BYTES};
use ventral_proto::v1;
use ventral_proto::v1::artifacts_client::ArtifactsClient;
use ventral_proto::v1::catalog_client::CatalogClient;
use ventral_proto::v1::evaluations_client::EvaluationsClient;
use ventral_proto::v1::fleet_client::FleetClient;
use ventral_proto::v1::scores_client::ScoresClient;

use crate::retry::Backoff;
use crate::target::Headers;
use crate::{Error, Target, TargetError, Watch};

/// Longest unary call.
const CALL_TIME: Duration = Duration::from_secs(90);

type Wire = InterceptedService<Channel, Headers>;

/// Ways to steer a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Admit nothing more.
    Pause,
    /// Admit again.
    Resume,
    /// Give up what is not finished.
    Cancel,
    /// Try failed units again.
    Retry,
}

/// Calls a coordinator. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Client {
    wire: Wire,
    url: String,
    patience: Duration,
}

impl Client {
    /// A client of a target. The connection is made with the first call; call this within a tokio runtime.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn new(target: &Target) -> Result<Self, TargetError> {
        let wire = InterceptedService::new(target.channel()?, target.headers()?);
        Ok(Self { wire, url: target.url.clone(), patience: target.patience })
    }

    /// Where the coordinator is.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.patience)
    }

    pub(crate) fn evaluations(&self) -> EvaluationsClient<Wire> {
        EvaluationsClient::new(self.wire.clone()).max_decoding_message_size(MAX_RESPONSE_BYTES)
    }

    pub(crate) fn scores(&self) -> ScoresClient<Wire> {
        ScoresClient::new(self.wire.clone()).max_decoding_message_size(MAX_RESPONSE_BYTES)
    }

    pub(crate) fn catalog(&self) -> CatalogClient<Wire> {
        CatalogClient::new(self.wire.clone()).max_decoding_message_size(MAX_RESPONSE_BYTES)
    }

    pub(crate) fn fleet(&self) -> FleetClient<Wire> {
        FleetClient::new(self.wire.clone()).max_decoding_message_size(MAX_RESPONSE_BYTES)
    }

    pub(crate) fn artifacts(&self) -> ArtifactsClient<Wire> {
        ArtifactsClient::new(self.wire.clone())
            .max_decoding_message_size(MAX_RESPONSE_BYTES)
            .max_encoding_message_size(MAX_UPLOAD_MESSAGE_BYTES)
    }

    /// Calls until there is an answer, or patience ends. Safe for mutations: they carry a request id.
    pub(crate) async fn call<M: Clone, T, F>(
        &self,
        message: &M,
        call: impl Fn(Self, Request<M>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut backoff = self.backoff();
        loop {
            let mut request = Request::new(message.clone());
            request.set_timeout(CALL_TIME);
            match call(self.clone(), request).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => backoff.wait(&self.url, &status).await?,
            }
        }
    }

    /// Accepts a job. The bundle must have been [uploaded](crate::upload).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn submit(&self, request: &v1::SubmitRequest) -> Result<v1::Job, Error> {
        self.call(request, |client, request| async move { client.evaluations().submit(request).await }).await
    }

    /// Plans without computing.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn plan(&self, request: &v1::SubmitRequest) -> Result<v1::Job, Error> {
        self.call(request, |client, request| async move { client.evaluations().plan(request).await }).await
    }

    /// Accepts a drill.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn submit_drill(&self, request: &v1::SubmitDrillRequest) -> Result<v1::Job, Error> {
        self.call(request, |client, request| async move { client.evaluations().submit_drill(request).await })
            .await
    }

    /// A job.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn job(&self, job: &str) -> Result<v1::Job, Error> {
        let request = v1::GetJobRequest { job: job.to_owned() };
        self.call(&request, |client, request| async move { client.evaluations().get(request).await }).await
    }

    /// Steers a job.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn control(&self, control: Control, job: &str, request_id: &str) -> Result<v1::Job, Error> {
        let request = v1::ControlRequest { request_id: request_id.to_owned(), job: job.to_owned() };
        self.call(&request, |client, request| async move {
            let mut evaluations = client.evaluations();
            match control {
                Control::Pause => evaluations.pause(request).await,
                Control::Resume => evaluations.resume(request).await,
                Control::Cancel => evaluations.cancel(request).await,
                Control::Retry => evaluations.retry(request).await,
            }
        })
        .await
    }

    /// Why a unit is where it is.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn explain(&self, unit: &str) -> Result<Vec<v1::Unit>, Error> {
        let request = v1::ExplainRequest { unit: unit.to_owned() };
        let call =
            self.call(&request, |client, request| async move { client.evaluations().explain(request).await });
        Ok(call.await?.units)
    }

    /// The states of a job from now on.
    pub fn watch(&self, job: &str) -> Watch {
        Watch::new(self.clone(), job)
    }

    /// The plan of a job, JSON.
    ///
    /// # Errors
    /// [`Error`]; reason `PLAN_NOT_READY` before there is one.
    pub async fn plan_document(&self, job: &str) -> Result<Vec<u8>, Error> {
        let request = v1::GetJobRequest { job: job.to_owned() };
        self.bytes(&request, |client, request| async move { client.evaluations().get_plan(request).await })
            .await
    }

    /// A result document of a job, JSON.
    ///
    /// # Errors
    /// [`Error`]; reason `RESULTS_NOT_READY` before there is one.
    pub async fn document(&self, job: &str, document: v1::ScoresDocument) -> Result<Vec<u8>, Error> {
        let request = v1::GetScoresRequest { job: job.to_owned(), document: document.into() };
        self.bytes(&request, |client, request| async move { client.scores().get(request).await }).await
    }

    /// Two models side by side.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn compare(&self, request: &v1::CompareRequest) -> Result<v1::CompareResponse, Error> {
        self.call(request, |client, request| async move { client.scores().compare(request).await }).await
    }

    /// Writes a table to `output`. Not tried again once bytes have been written.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn export(&self, request: &v1::ExportRequest, output: &mut dyn Write) -> Result<(), Error> {
        let mut stream = self
            .call(request, |client, request| async move { client.scores().export(request).await })
            .await?;
        while let Some(chunk) = stream.message().await.map_err(|status| Error::of(&status))? {
            output.write_all(&chunk.data).map_err(Error::Output)?;
        }
        Ok(())
    }

    /// The bytes of a blob or result.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn download(&self, digest: &Digest, kind: v1::ArtifactKind) -> Result<Vec<u8>, Error> {
        let request = v1::DownloadRequest { digest: digest.to_string(), kind: kind.into(), offset: 0 };
        self.bytes(&request, |client, request| async move { client.artifacts().download(request).await })
            .await
    }

    /// Asks a worker to drain.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn drain(&self, worker: &str, request_id: &str) -> Result<(), Error> {
        let request = v1::DrainRequest { request_id: request_id.to_owned(), worker: worker.to_owned() };
        self.call(&request, |client, request| async move { client.fleet().drain(request).await })
            .await
            .map(drop)
    }

    /// A whole byte stream, begun anew when it breaks.
    async fn bytes<M: Clone, F>(
        &self,
        message: &M,
        call: impl Fn(Self, Request<M>) -> F + Clone,
    ) -> Result<Vec<u8>, Error>
    where
        F: Future<Output = Result<Response<Streaming<v1::DataChunk>>, Status>>,
    {
        let mut backoff = self.backoff();
        loop {
            let stream = match call(self.clone(), Request::new(message.clone())).await {
                Ok(response) => response.into_inner(),
                Err(status) => {
                    backoff.wait(&self.url, &status).await?;
                    continue;
                }
            };
            match whole(stream).await {
                Ok(bytes) => return bytes,
                Err(status) => backoff.wait(&self.url, &status).await?,
            }
        }
    }
}

async fn whole(mut stream: Streaming<v1::DataChunk>) -> Result<Result<Vec<u8>, Error>, Status> {
    let (mut bytes, mut told) = (Vec::new(), None);
    while let Some(chunk) = stream.message().await? {
        told = chunk.total_bytes.or(told);
        bytes.extend_from_slice(&chunk.data);
    }
    Ok(match told {
        Some(total) if total != bytes.len() as u64 => {
            Err(Error::Protocol(format!("{} bytes came, {total} were announced", bytes.len())))
        }
        _ => Ok(bytes),
    })
}
