//! One process computes a job at a time.

use std::time::Duration;

use ventral_store::{JobLock, Locked, Owner, Store};

use crate::args::LockArgs;
use crate::exit::{Exit, Outcome};
use crate::progress::interrupted;
use crate::units;

/// Pause between two looks at a lock that somebody else has.
const PAUSE: Duration = Duration::from_millis(500);

/// Takes the lock of a job, waits for it, or does without it, as the user wants.
///
/// # Errors
/// Another process has it; a store that cannot be written or knows no locks.
pub fn take(store: &Store, job: &str, arguments: LockArgs) -> Outcome<Option<JobLock>> {
    if arguments.force {
        return Ok(None);
    }
    let mut told = false;
    loop {
        let owner = match store.lock_job(job)? {
            Locked::Mine(lock) => return Ok(Some(lock)),
            Locked::By(owner) => whose(owner.as_ref()),
        };
        if !arguments.wait {
            return Err(Exit::Machine(anyhow::anyhow!(
                "job {job} is being computed by {owner}: --wait waits for it, --force computes the same a second time beside it"
            )));
        }
        if !told {
            eprintln!("waiting: job {job} is being computed by {owner}");
            told = true;
        }
        if interrupted() {
            return Err(Exit::Interrupted);
        }
        std::thread::sleep(PAUSE);
    }
}

/// State of a job that is being computed, for a table.
pub fn running(owner: Option<&Owner>) -> String {
    match owner {
        None => "running".to_owned(),
        Some(owner) if owner.is_here() => format!("running (pid {})", owner.pid),
        Some(owner) => format!("running (pid {} on {})", owner.pid, owner.host),
    }
}

fn whose(owner: Option<&Owner>) -> String {
    let Some(owner) = owner else { return "another process".to_owned() };
    let place = if owner.is_here() { String::new() } else { format!(" on {}", owner.host) };
    let time = units::duration(owner.seconds() as f64);
    format!("process {}{place} (`{}`, for {time})", owner.pid, owner.command)
}
