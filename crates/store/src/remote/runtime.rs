//! The private runtime that remote stores do their network work on.

use std::future::Future;
use std::sync::{OnceLock, mpsc};

use tokio::runtime::{Builder, Runtime};

use crate::Error;

/// Threads of the runtime; requests wait far more than they compute.
const THREADS: usize = 4;

/// One for the process: it is never dropped, so a store may be dropped anywhere.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Starts the runtime unless it runs, and chooses how TLS computes unless somebody did.
pub(super) fn start() -> Result<&'static Runtime, Error> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    // An error means that another part of the program chose a provider; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("ventral-store")
        .enable_all()
        .build()
        .map_err(|e| Error::io("cannot start threads for", "the store", e))?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// Runs `work` on the runtime and waits for it, whatever thread this is.
pub(super) fn wait<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    start()?.spawn(async move {
        // The receiver waits until this is sent.
        let _ = sender.send(work.await);
    });
    receiver.recv().unwrap_or_else(|_| {
        let source = std::io::Error::other("its work ended without an answer");
        Err(Error::io("cannot use", "the store", source))
    })
}
