//! Waiting for conditions instead of for times.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold within `limit`: the test fails, naming `what`.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(LOOK);
    }
}

/// Waits until the future that `condition` makes gives `true`.
///
/// # Panics
/// When it does not within `limit`, also when one of the futures hangs: the test fails, naming `what`.
pub async fn wait_until_async<F, Fut>(what: &str, limit: Duration, mut condition: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let looks = async {
        while !condition().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    assert!(tokio::time::timeout(limit, looks).await.is_ok(), "{what}: not within {limit:?}");
}
