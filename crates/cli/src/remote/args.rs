use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where the cluster is.
#[derive(Debug, Clone, Default, Args)]
pub struct RemoteArgs {
    /// Coordinator of a cluster, host:port or https://host:port; the verbs then work there instead of on --store; `run` and `synthesize` compute here
    /// all the same.
    #[arg(long, global = true, env = "VENTRAL_COORDINATOR", value_name = "URL")]
    pub coordinator: Option<String>,
    /// File with your token; VENTRAL_TOKEN holds the token itself.
    #[arg(long, global = true, env = "VENTRAL_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// CA of the coordinator's certificate, a PEM file.
    #[arg(long, global = true, env = "VENTRAL_COORDINATOR_CA", value_name = "FILE")]
    pub coordinator_ca: Option<PathBuf>,
    /// Your certificate, a PEM file, where certificates stand for people.
    #[arg(long, global = true, env = "VENTRAL_CLIENT_CERTIFICATE", value_name = "FILE")]
    pub client_certificate: Option<PathBuf>,
    /// Its private key.
    #[arg(long, global = true, env = "VENTRAL_CLIENT_KEY", value_name = "FILE")]
    pub client_key: Option<PathBuf>,
}

/// Verbs that need a cluster.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Submit a spec to the cluster, with all files it names.
    Submit(SubmitArgs),
    /// Show a job's progress until it has ended, then its leaderboard and what its images are worth.
    Watch {
        /// Job id, or how it begins; the latest job when absent.
        job: Option<String>,
    },
    /// Say why a unit waits, runs or failed.
    Explain {
        /// The unit's digest, or how it begins.
        unit: String,
    },
    /// Admit no further unit of a job.
    Pause {
        /// Job id, or how it begins; the latest job when absent.
        job: Option<String>,
    },
    /// Give up what is not finished of a job.
    Cancel {
        /// Job id, or how it begins.
        job: String,
    },
    /// Try the failed units of a job that has ended again.
    Retry {
        /// Job id, or how it begins; the latest job when absent.
        job: Option<String>,
    },
    /// List the units of a job.
    Units {
        /// Job id, or how it begins; the latest job when absent.
        job: Option<String>,
        /// Only these: waiting, queued, running, done or failed.
        #[arg(long)]
        state: Option<String>,
        /// Most units to show.
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// List the workers.
    Workers,
    /// List the pools: what waits, what runs, who serves it.
    Pools,
    /// Ask a worker to finish or give back what it has and to end.
    Drain {
        /// Its name.
        worker: String,
    },
    /// List units that were given up, with their evidence.
    Dead {
        /// Most units to show.
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: usize,
    },
    /// Submit units that do nothing, to try the cluster out.
    Drill(DrillArgs),
}

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The job spec, a TOML file.
    pub spec: PathBuf,
    /// Show progress until the job has ended, then its leaderboard.
    #[arg(long, short)]
    pub follow: bool,
    /// Higher goes first among your jobs, -100 to 100.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-100..=100))]
    pub priority: i32,
    /// Numeric profile of the workers, as `ventral doctor` prints it; the coordinator's when absent.
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Submitting again with the same id gives the same job; a random one when absent.
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
}

/// Arguments of `drill`.
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// Name of the drill.
    #[arg(long, default_value = "drill")]
    pub name: String,
    /// Number of units.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub units: u32,
    /// How long each takes, in milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub milliseconds: u64,
    /// Show progress until it has ended.
    #[arg(long, short)]
    pub follow: bool,
}
