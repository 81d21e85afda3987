//! Pieces of work beside each other, each of which may use more threads inside.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Observer};

/// Does `work` for all items, `at_once` at a time; those that failed, in order.
///
/// # Errors
/// The first error that makes going on pointless, and interruption.
pub(crate) fn each<T: Sync>(
    items: &[T],
    at_once: usize,
    observer: &dyn Observer,
    work: impl Fn(&T) -> Result<(), Error> + Sync,
) -> Result<Vec<(usize, Error)>, Error> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let failed: Mutex<Vec<(usize, Error)>> = Mutex::new(Vec::new());
    let serve = || {
        while !stop.load(Ordering::Relaxed) && !observer.interrupted() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            if let Err(error) = work(item) {
                stop.fetch_or(error.is_fatal(), Ordering::Relaxed);
                failed.lock().unwrap_or_else(PoisonError::into_inner).push((index, error));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..at_once.min(items.len()) {
            scope.spawn(serve);
        }
        serve();
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|(index, _)| *index);
    if let Some(fatal) = failed.iter().position(|(_, error)| error.is_fatal()) {
        return Err(failed.swap_remove(fatal).1);
    }
    if observer.interrupted() { Err(Error::Interrupted) } else { Ok(failed) }
}
