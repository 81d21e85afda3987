//! What goes on with files in the background.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::collect::collect;
use super::{Files, Partials};
use crate::services::Shared;

/// Time between looks at what is to be done.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time between sweeps of unfinished uploads.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Reads what tenants have uploaded, removes unfinished uploads that are too old, and blobs that no job needs.
pub struct Tending {
    shared: Arc<Shared>,
    partials: Arc<Partials>,
}

impl Files {
    /// What is to be run beside the service.
    pub fn tending(&self) -> Tending {
        Tending { shared: self.shared.clone(), partials: self.partials.clone() }
    }
}

impl Tending {
    /// Goes on for ever.
    pub async fn run(&self) {
        let collect_every = self.shared.limits.collect_every;
        let (mut led, mut sweep, mut collect) = (false, Instant::now(), Instant::now() + collect_every);
        loop {
            let leads = self.shared.core.ready().is_ok();
            // While another coordinator led it may have taken uploads.
            if leads && !led && self.shared.holdings.reload().await.is_err() {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            led = leads;
            if sweep <= Instant::now() {
                let partials = self.partials.clone();
                let _ = tokio::task::spawn_blocking(move || partials.sweep()).await;
                sweep = Instant::now() + SWEEP_EVERY;
            }
            if leads && collect <= Instant::now() {
                self.collect().await;
                collect = Instant::now() + collect_every;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn collect(&self) {
        let Shared { holdings, core, limits, .. } = self.shared.as_ref();
        if holdings.reload().await.is_err() {
            return;
        }
        let (holdings, partials) = (holdings.clone(), self.partials.clone());
        let (store, age) = (core.store().clone(), limits.blob_age);
        let collected = tokio::task::spawn_blocking(move || collect(&store, &holdings, &partials, age)).await;
        match collected {
            Ok(Ok(removed)) if removed > 0 => tracing::info!(removed, "blobs that no job needs were removed"),
            Ok(Err(error)) => tracing::error!(%error, "blobs that no job needs cannot be removed"),
            _ => {}
        }
    }
}
