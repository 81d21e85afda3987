//! Panics of the engine, which are caught and become errors, are not printed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether the code that this thread runs is the engine's.
    static ENGINE: Cell<bool> = const { Cell::new(false) };
}

/// Says that all that this thread will ever run is the engine's.
pub(crate) fn mark_thread() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !ENGINE.get() {
                before(info);
            }
        }));
    });
    ENGINE.set(true);
}

/// Runs engine code; a panic in it (a malformed graph can cause one) becomes a message.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let before = ENGINE.get();
    mark_thread();
    let result = catch_unwind(AssertUnwindSafe(run));
    ENGINE.set(before);
    result.map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        format!("the engine gave up on it: {}", text.unwrap_or("no reason given"))
    })
}
