//! Faults on request, for tests of what must survive them; nothing in a release build without the feature `faults`.
//!
//! `VENTRAL_FAULT` is a list of `point:n` (the process aborts when it comes to `point` for the nth time), `worker-point:n` (its parent is killed
//! as well), `poison:PREFIX` (the process aborts whenever it computes a unit whose name begins so), `hang:KIND` (a unit of this kind never ends),
//! separated by commas.

/// Environment variable that asks for faults.
pub const VARIABLE: &str = "VENTRAL_FAULT";

/// Comes to a point; the process may end here.
#[inline]
pub fn point(name: &str) {
    #[cfg(any(debug_assertions, feature = "faults"))]
    active::point(name);
    #[cfg(not(any(debug_assertions, feature = "faults")))]
    let _ = name;
}

/// Begins to compute a unit; the process may end here.
#[inline]
pub fn unit(name: &str) {
    #[cfg(any(debug_assertions, feature = "faults"))]
    active::unit(name);
    #[cfg(not(any(debug_assertions, feature = "faults")))]
    let _ = name;
}

/// Begins to compute a unit of a kind; this may never return.
#[inline]
pub fn kind(name: &str) {
    #[cfg(any(debug_assertions, feature = "faults"))]
    active::kind(name);
    #[cfg(not(any(debug_assertions, feature = "faults")))]
    let _ = name;
}

/// What of [`VARIABLE`] a child that replaces a crashed one is given: poison stays, faults that happen once do not happen again.
pub fn for_replacement() -> Option<String> {
    let wanted = std::env::var(VARIABLE).ok()?;
    let kept: Vec<&str> = wanted.split(',').filter(|fault| fault.starts_with("poison:")).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(any(debug_assertions, feature = "faults"))]
mod active {
    use std::collections::HashMap;
    use std::process::Command;
    use std::sync::{Mutex, OnceLock, PoisonError};

    fn wanted() -> &'static [(String, String)] {
        static WANTED: OnceLock<Vec<(String, String)>> = OnceLock::new();
        WANTED.get_or_init(|| {
            let text = std::env::var(super::VARIABLE).unwrap_or_default();
            let faults = text.split(',').filter_map(|fault| fault.split_once(':'));
            faults.map(|(point, what)| (point.to_owned(), what.to_owned())).collect()
        })
    }

    pub fn unit(name: &str) {
        if wanted().iter().any(|(point, prefix)| point == "poison" && name.starts_with(prefix.as_str())) {
            eprintln!("fault: poisoned unit {name}");
            std::process::abort();
        }
    }

    pub fn kind(name: &str) {
        if wanted().iter().any(|(point, kind)| point == "hang" && kind == name) {
            eprintln!("fault: a unit of kind {name} hangs");
            loop {
                std::thread::park();
            }
        }
    }

    pub fn point(name: &str) {
        static VISITS: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);
        if wanted().is_empty() {
            return;
        }
        let visit = {
            let mut visits = VISITS.lock().unwrap_or_else(PoisonError::into_inner);
            let visit = visits.get_or_insert_default().entry(name.to_owned()).or_default();
            *visit += 1;
            visit.to_string()
        };
        for (point, at) in wanted().iter().filter(|(_, at)| *at == visit) {
            let whole_worker = point.strip_prefix("worker-") == Some(name);
            if whole_worker {
                kill_parent();
            }
            if whole_worker || point == name {
                eprintln!("fault: {point}:{at}");
                std::process::abort();
            }
        }
    }

    #[cfg(unix)]
    fn kill_parent() {
        let parent = std::os::unix::process::parent_id().to_string();
        let _ = Command::new("kill").args(["-9", &parent]).status();
    }

    #[cfg(not(unix))]
    fn kill_parent() {}
}
