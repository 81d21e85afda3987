//! `ventral doctor`: what this machine has, what is missing, how to get it.

use std::path::Path;

use serde::Serialize;
use ventral_worker::{available_memory_bytes, measure};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::{table, units};

/// Memory below which even small jobs may not fit.
const LITTLE_MEMORY_BYTES: u64 = 1 << 30;

/// Gram rate, in n² p operations per second, below which the build is probably not optimised.
const SLOW_RATE: f64 = 3e9;

#[derive(Serialize)]
struct Check {
    what: &'static str,
    found: String,
    /// What to do; empty if all is well.
    advice: String,
    /// Whether nothing works without it.
    needed: bool,
}

impl Check {
    fn new(what: &'static str, found: impl Into<String>, advice: impl Into<String>, needed: bool) -> Self {
        Self { what, found: found.into(), advice: advice.into(), needed }
    }
}

/// Prints the checks; fails if something needed is missing.
pub fn doctor(context: &Context) -> Outcome {
    let machine = measure(context.memory);
    let memory = available_memory_bytes();
    let slow = machine.f64_rate < SLOW_RATE;
    let checks = vec![
        Check::new("version", env!("CARGO_PKG_VERSION"), "", false),
        Check::new("numeric profile", machine.profile.as_str(), "", false),
        Check::new("threads", machine.threads.to_string(), "", false),
        Check::new(
            "memory available",
            format!("{} ({} for a job)", units::bytes(memory), units::bytes(machine.memory_bytes)),
            if memory < LITTLE_MEMORY_BYTES { "close other programs, or use a larger machine" } else { "" },
            false,
        ),
        Check::new(
            "Gram rate",
            format!(
                "{:.1} G/s in f64, {:.1} G/s in f32 (n² p)",
                machine.f64_rate / 1e9,
                machine.f32_rate / 1e9
            ),
            if slow { "build with `make build`, which optimises" } else { "" },
            false,
        ),
        store_check(context),
        data_check(context.data.as_deref()),
    ];
    let broken = checks.iter().any(|check| check.needed && !check.advice.is_empty());
    context.print(&checks, || {
        let mut table = table::new(&["", "found", "what to do"]);
        for check in &checks {
            let advice = if check.advice.is_empty() { "ok" } else { &check.advice };
            table.add_row([check.what, &check.found, advice]);
        }
        table.to_string()
    })?;
    if broken {
        return Err(Exit::Machine(anyhow::anyhow!("this machine is not ready: see the table")));
    }
    Ok(())
}

fn store_check(context: &Context) -> Check {
    let place = context.store_dir.display().to_string();
    let writable = context.store().and_then(|store| {
        tempfile::NamedTempFile::new_in(store.temporary()).map_err(|error| Exit::Machine(error.into()))
    });
    match writable {
        Ok(_) => Check::new("store", format!("{place}, writable"), "", true),
        Err(error) => {
            let reason = error.message().unwrap_or_default();
            Check::new(
                "store",
                place,
                format!("{reason}; choose another with --store or VENTRAL_STORE"),
                true,
            )
        }
    }
}

fn data_check(data: Option<&Path>) -> Check {
    match data {
        Some(data) => Check::new("data directory", data.display().to_string(), "", false),
        None => Check::new(
            "data directory",
            "not set",
            "for real data: set VENTRAL_DATA, then `ventral datasets` shows what can be fetched",
            false,
        ),
    }
}
