//! Trying again what may succeed later.

use std::time::{Duration, Instant};

use tonic::Status;

use crate::Error;
use crate::error::{is_transport, wait_after};

/// First pause; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Hears why a call is tried again, once per outage.
pub(crate) type Told = Box<dyn Fn(&Error) + Send + Sync>;

/// Pauses that double, until patience ends.
pub(crate) struct Backoff {
    began: Instant,
    patience: Duration,
    pause: Duration,
    told: Option<Told>,
}

impl Backoff {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { began: Instant::now(), patience, pause: FIRST_PAUSE, told: None }
    }

    /// Waits without end while waiting may help; `told` hears why.
    pub(crate) fn for_ever(told: Told) -> Self {
        Self { told: Some(told), ..Self::new(Duration::MAX) }
    }

    /// Waits if the call may succeed later; else says what went wrong.
    pub(crate) async fn wait(&mut self, url: &str, status: &Status) -> Result<(), Error> {
        let last = || match is_transport(status) {
            true => Error::Unreachable { url: url.to_owned(), problem: words(status) },
            false => Error::of(status),
        };
        let asked = wait_after(status).ok_or_else(last)?;
        let pause = asked.max(self.pause);
        if self.began.elapsed().saturating_add(pause) > self.patience {
            return Err(last());
        }
        if let (FIRST_PAUSE, Some(told)) = (self.pause, &self.told) {
            told(&last());
        }
        tracing::debug!(%status, ?pause, "trying again");
        tokio::time::sleep(pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// It went well: patience begins anew.
    pub(crate) fn reset(&mut self) {
        (self.began, self.pause) = (Instant::now(), FIRST_PAUSE);
    }
}

/// What a transport error says, down to its cause.
fn words(status: &Status) -> String {
    use std::error::Error as _;
    let mut text = status.message().to_owned();
    let mut cause = status.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}
