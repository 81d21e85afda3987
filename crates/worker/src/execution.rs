//! What a unit is computed with, embedded or in a slot of a worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ventral_data::{Benchmark, StimulusSet};
use ventral_plan::{Digest, Plan};
use ventral_queue::fault;
use ventral_store::Store;

use crate::maps::Scans;
use crate::{Error, Observer};

/// First pause after a store error; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Bytes of the benchmarks that a process keeps, or scores together, beside those it needs in any case.
pub(crate) const MAX_BENCHMARK_BYTES: u64 = 64 << 20;

/// How many of these sizes, from the first on, are within `limit` bytes together; at least `least`, or all there are.
pub(crate) fn count_within(sizes: impl Iterator<Item = u64>, limit: u64, least: usize) -> usize {
    let mut total = 0_u64;
    let within = |(place, bytes): &(usize, u64)| {
        total = total.saturating_add(*bytes);
        *place < least || total <= limit
    };
    sizes.enumerate().take_while(within).count()
}

/// Benchmarks of a plan, by their index.
pub trait Benchmarks: Sync {
    /// The benchmark, loaded if it is not in memory.
    ///
    /// # Errors
    /// A card or data file that cannot be used.
    fn benchmark(&self, index: usize) -> Result<Arc<Benchmark>, Error>;
}

/// Sets of natural images of a plan, by their index.
pub trait Pools: Sync {
    /// The images, opened if they are not yet.
    ///
    /// # Errors
    /// A card or data file that cannot be used.
    fn pool(&self, index: usize) -> Result<Arc<StimulusSet>, Error>;
}

/// A plan, what it needs, and the limits of the process that executes it.
#[derive(Clone, Copy)]
pub struct Execution<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its benchmarks.
    pub benchmarks: &'a dyn Benchmarks,
    /// Its scans.
    pub scans: &'a dyn Scans,
    /// Its natural images.
    pub pools: &'a dyn Pools,
    /// Where results go.
    pub store: &'a Store,
    /// Memory a unit may use, in bytes.
    pub memory_bytes: u64,
    /// Threads a unit may use.
    pub threads: usize,
    /// How long a store that does not answer is tried again.
    pub patience: Duration,
    /// Who is told.
    pub observer: &'a dyn Observer,
}

impl Execution<'_> {
    /// Stores a result, once and for all.
    ///
    /// # Errors
    /// Those of [`Store::put`]; I/O errors only after [`patience`](Self::patience), a full disk at once.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        fault::point("before-put");
        patiently(self.patience, || self.store.put(digest, bytes))?;
        fault::point("after-put");
        Ok(())
    }

    /// A stored result.
    ///
    /// # Errors
    /// Those of [`Store::get`]; I/O errors only after [`patience`](Self::patience).
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        Ok(patiently(self.patience, || self.store.get(digest))?)
    }
}

/// Repeats `act` with growing pauses while the store does not answer, for at most `patience`.
pub(crate) fn patiently<T>(
    patience: Duration,
    mut act: impl FnMut() -> Result<T, ventral_store::Error>,
) -> Result<T, ventral_store::Error> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match act() {
            Err(error) if may_pass(&error) && started.elapsed() + pause < patience => {
                tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "the store fails, trying again");
                std::thread::sleep(pause);
                pause = (pause * 2).min(MAX_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Whether trying again may help: the store is a disk or a service that may come back.
fn may_pass(error: &ventral_store::Error) -> bool {
    use std::io::ErrorKind;
    match error {
        ventral_store::Error::Io { source, .. } => {
            !matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        }
        other => other.is_transient(),
    }
}

#[cfg(test)]
mod tests {
    use super::count_within;

    #[test]
    fn as_many_as_fit_and_some_in_any_case() {
        let within = |limit, least| count_within([4, 3, 3, u64::MAX, 1].into_iter(), limit, least);
        assert_eq!([within(10, 1), within(9, 1), within(3, 1), within(0, 3)], [3, 2, 1, 3]);
        assert_eq!(within(u64::MAX, 1), 5, "sums saturate");
        assert_eq!(count_within(std::iter::empty(), 9, 3), 0);
    }
}
