use tonic::Streaming;
use ventral_proto::v1;

use crate::retry::Backoff;
use crate::{Client, Error};

/// The states of a job. A stream that breaks is resumed where it was.
pub struct Watch {
    client: Client,
    job: String,
    token: String,
    stream: Option<Streaming<v1::WatchResponse>>,
    backoff: Backoff,
    ended: bool,
}

impl Watch {
    pub(crate) fn new(client: Client, job: &str) -> Self {
        let backoff = client.backoff();
        Self { client, job: job.to_owned(), token: String::new(), stream: None, backoff, ended: false }
    }

    /// Waits for a coordinator that does not answer as long as it takes; `told` hears why, once per outage.
    #[must_use]
    pub fn for_ever(mut self, told: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.backoff = Backoff::for_ever(Box::new(told));
        self
    }

    /// Resumes the stream with the next call; nothing is lost.
    pub fn disconnect(&mut self) {
        self.stream = None;
    }

    /// The next state; `None` after one in which the job has ended.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next(&mut self) -> Result<Option<v1::Job>, Error> {
        while !self.ended {
            let status = match self.stream.take() {
                None => match self.open().await {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        continue;
                    }
                    Err(status) => status,
                },
                Some(mut stream) => match stream.message().await {
                    Ok(Some(response)) => {
                        self.stream = Some(stream);
                        self.backoff.reset();
                        return self.accept(response).map(Some);
                    }
                    Ok(None) => tonic::Status::unavailable("the stream ended before the job"),
                    Err(status) => status,
                },
            };
            self.backoff.wait(self.client.url(), &status).await?;
        }
        Ok(None)
    }

    async fn open(&mut self) -> Result<Streaming<v1::WatchResponse>, tonic::Status> {
        let request = v1::WatchRequest { job: self.job.clone(), resume_token: self.token.clone() };
        let mut evaluations = self.client.evaluations();
        evaluations.watch(request).await.map(tonic::Response::into_inner)
    }

    fn accept(&mut self, response: v1::WatchResponse) -> Result<v1::Job, Error> {
        self.token = response.resume_token;
        let job = response.job.ok_or_else(|| Error::Protocol("a state without a job".to_owned()))?;
        self.ended = is_final(job.state());
        Ok(job)
    }
}

/// Whether nothing will change any more unless the job is retried.
pub(crate) fn is_final(state: v1::JobState) -> bool {
    use v1::JobState as State;
    matches!(state, State::Succeeded | State::Partial | State::Failed | State::Cancelled | State::Planned)
}
