use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tonic::Status;
use ventral_store::Store;

use super::CoreApi;
use super::artifacts::Holdings;
use super::page::Pages;
use super::requests::Requests;
use super::status::{Reason, of_core, of_store, refuse_for};
use crate::core::Error;
use crate::limits::Limits;

/// Manifests that are read at a time.
pub const MANIFESTS: usize = 4;

/// What all services share.
pub struct Shared {
    /// The core.
    pub core: Arc<dyn CoreApi>,
    /// Page tokens.
    pub pages: Pages,
    /// Request ids.
    pub requests: Requests,
    /// Numeric profile of jobs that name none.
    pub profile: String,
    /// The limits.
    pub limits: Limits,
    /// What tenants have uploaded.
    pub holdings: Arc<Holdings>,
    /// Manifests that are read at a time: each may take many megabytes.
    pub manifests: Semaphore,
    /// Turns true when the server ends: streams end then.
    pub stop: watch::Receiver<bool>,
}

impl Shared {
    /// What the core says, on the wire. A job that is not known may only not be loaded yet: then nobody is told that it does not exist.
    pub fn fault(&self, error: Error) -> Status {
        match (&error, self.core.ready()) {
            (Error::NoJob(_) | Error::NoUnit(_), Err(not_ready)) => of_core(not_ready),
            _ => of_core(error),
        }
    }

    /// Runs work on the store where it may block.
    ///
    /// # Errors
    /// What the store says, on the wire.
    pub async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, ventral_store::Error> + Send + 'static,
    ) -> Result<T, Status> {
        let store = self.core.store().clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result.map_err(of_store),
            Err(_) => Err(ending()),
        }
    }
}

/// The server ends.
pub fn ending() -> Status {
    let message = "the coordinator is ending; try again";
    refuse_for(std::time::Duration::from_secs(1), tonic::Code::Unavailable, Reason::NotReady, message)
}
