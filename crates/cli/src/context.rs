//! What every command shares: the store, the data directory, threads, memory, and how to print.

use std::path::{Path, PathBuf};

use serde::Serialize;
use ventral_plan::JobSpec;
use ventral_store::{JobRecord, Store};
use ventral_worker::{Job, measure};

use crate::args::Global;
use crate::exit::{Exit, Outcome};
use crate::remote::Remote;

/// The global arguments, checked.
pub struct Context {
    /// Directory of results.
    pub store_dir: PathBuf,
    /// Directory of data sets and weights.
    pub data: Option<PathBuf>,
    /// Memory limit, when the user names one.
    pub memory: Option<u64>,
    /// Number of threads, when the user names one.
    pub threads: Option<usize>,
    /// Whether to print JSON.
    pub json: bool,
    /// The cluster, when the user names one.
    pub remote: Option<Remote>,
}

impl Context {
    /// Checks the data directory and sets the number of threads.
    pub fn new(global: Global) -> Outcome<Self> {
        if let Some(data) = &global.data
            && !data.is_dir()
        {
            return Err(Exit::input(format!(
                "{}: no such directory; --data or VENTRAL_DATA names the directory of data sets and weights",
                data.display()
            )));
        }
        let threads = global.threads.map_or(0, usize::from);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|error| Exit::Internal(error.into()))?;
        let remote = Remote::open(&global.remote)?;
        Ok(Self {
            store_dir: global.store,
            data: global.data,
            memory: global.memory,
            threads: global.threads.map(usize::from),
            json: global.json,
            remote,
        })
    }

    /// Opens the store, creating it if needed.
    pub fn store(&self) -> Outcome<Store> {
        Ok(Store::open(&self.store_dir)?)
    }

    /// The cluster that a verb needs.
    pub fn remote(&self) -> Outcome<&Remote> {
        let missing = "this needs a cluster: name its coordinator with --coordinator or VENTRAL_COORDINATOR";
        self.remote.as_ref().ok_or_else(|| Exit::input(missing))
    }

    /// Opens the store of a cluster: a directory, or a URL of a remote one.
    pub fn shared_store(&self) -> Outcome<Store> {
        let place = self.store_dir.to_str();
        let place = place.ok_or_else(|| Exit::input(format!("{}: not UTF-8", self.store_dir.display())))?;
        Ok(Store::from_url(place)?)
    }

    /// Reads a spec and plans it.
    pub fn job(&self, file: &Path) -> Outcome<Job> {
        Ok(Job::load(self.spec(file)?, file, self.data.as_deref(), measure(self.memory))?)
    }

    /// Reads a spec.
    pub fn spec(&self, file: &Path) -> Outcome<JobSpec> {
        let text = ventral_input::read_card(file)
            .map_err(|error| Exit::input(format!("{}: {error}", file.display())))?;
        Ok(JobSpec::from_toml(&text, &file.display().to_string())?)
    }

    /// The job `id`, or the latest one.
    pub fn record(&self, store: &Store, id: Option<&str>) -> Outcome<(String, JobRecord)> {
        let jobs = store.jobs()?;
        let known = || jobs.iter().map(|job| job.id.as_str()).take(5).collect::<Vec<_>>().join(", ");
        let chosen = match id {
            None => jobs.first(),
            Some(id) => {
                let matching: Vec<_> = jobs.iter().filter(|job| job.id.starts_with(id)).collect();
                let exact = matching.iter().find(|job| job.id == id).copied();
                match (exact, matching.as_slice()) {
                    (Some(job), _) => Some(job),
                    (None, [job]) => Some(*job),
                    (None, []) => None,
                    (None, _) => return Err(Exit::input(format!("more than one job begins with '{id}'"))),
                }
            }
        };
        let Some(job) = chosen else {
            let place = store.root().display();
            return Err(Exit::input(match id {
                Some(id) => format!("no job '{id}' in {place}; the latest are: {}", known()),
                None => format!("no jobs in {place}; start one with `ventral run SPEC`"),
            }));
        };
        Ok((job.id.clone(), store.load_job(&job.id)?))
    }

    /// Prints `value` as JSON when asked to, else what `text` makes.
    pub fn print<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) -> Outcome {
        let mut output = if self.json {
            let document =
                serde_json::to_string_pretty(value).map_err(|error| Exit::Internal(error.into()))?;
            ventral_input::json(&document).into_owned()
        } else {
            ventral_input::printable(&text()).into_owned()
        };
        if !output.ends_with('\n') {
            output.push('\n');
        }
        write_stdout(&output)
    }
}

/// Writes text that was made [printable](ventral_input::printable) to standard output; a reader that has gone away (`| head`) is no error.
pub fn write_stdout(text: &str) -> Outcome {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Exit::Machine(anyhow::anyhow!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
