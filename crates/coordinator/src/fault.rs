//! Named places where tests end the process.

/// Aborts the process when the environment variable `VENTRAL_FAULT` names this place and how often it is passed first (`mid-admission:2`). Only in
/// builds with debug assertions.
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    {
        use std::sync::atomic::{AtomicU32, Ordering};
        static PASSED: AtomicU32 = AtomicU32::new(0);
        let Ok(wanted) = std::env::var("VENTRAL_FAULT") else { return };
        let Some((place, count)) = wanted.split_once(':') else { return };
        if place == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == count.parse().unwrap_or(1) {
            eprintln!("fault: {name}");
            std::process::abort();
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
