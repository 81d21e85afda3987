//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Score neural networks against brains.
#[derive(Debug, Parser)]
#[command(name = "ventral", version, max_term_width = 110, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0    done
  1    an internal error: please report it
  2    the command line, a spec, a card or a data file cannot be used
  3    done, but some units failed or are missing, or the store is damaged: the table says which
  4    this machine lacks something (disk, memory, a writable store, a data set): see `ventral doctor`; or another process
       computes the same job
  130  interrupted: the same command continues where it was";

#[derive(Debug, Args)]
pub struct Global {
    /// Directory of results; finished work is found here again.
    #[arg(long, global = true, env = "VENTRAL_STORE", default_value = ".ventral", value_name = "DIR")]
    pub store: PathBuf,
    /// Directory of data sets and weights that cards refer to.
    #[arg(long, global = true, env = "VENTRAL_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Threads; all CPUs this process may use when absent. The scores do not depend on it.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Memory the job may use, such as 4GiB or 500MiB; 60 % of what is free when absent.
    #[arg(long, global = true, value_name = "SIZE", value_parser = crate::units::parse_bytes)]
    pub memory: Option<u64>,
    /// Seconds that a model may take to be opened and to see one image before it is refused.
    #[arg(long, global = true, hide = true, env = "VENTRAL_OPEN_SECONDS", default_value_t = ventral_worker::OPEN_SECONDS, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub open_seconds: u64,
    /// Print JSON on standard output instead of tables.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten, next_help_heading = "Cluster")]
    pub remote: crate::remote::RemoteArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Score models on benchmarks: plan, compute what is missing, print the leaderboard.
    Run {
        /// The job spec, a TOML file.
        spec: PathBuf,
        /// Do not write the HTML report.
        #[arg(long)]
        no_report: bool,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Make images whose layers tell themselves apart, as a spec's [synthesis] says; goes on where it was interrupted.
    Synthesize {
        /// The job spec, a TOML file with a section [synthesis].
        spec: PathBuf,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Show what a run would do: units, what is cached, predicted time and memory.
    Plan {
        /// The job spec, a TOML file.
        spec: PathBuf,
    },
    /// Continue an interrupted job, or retry its failed units.
    Resume {
        /// Job id; the latest job when absent.
        job: Option<String>,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// List the jobs of the store, the latest first.
    Jobs,
    /// Print a job's leaderboard: region scores, best layers, brain score, rank.
    Leaderboard {
        /// Job id; the latest job when absent.
        job: Option<String>,
        /// Also write it as a directory of pages that need no server: all models, each model, each benchmark.
        #[arg(long, value_name = "DIR")]
        html: Option<PathBuf>,
    },
    /// Print the score of every layer on every benchmark.
    Scores {
        /// Job id; the latest job when absent.
        job: Option<String>,
        /// Only this model.
        #[arg(long, value_name = "ID")]
        model: Option<String>,
        /// Only this benchmark.
        #[arg(long, value_name = "ID")]
        benchmark: Option<String>,
    },
    /// Write a job's results to a file.
    Export {
        /// Job id; the latest job when absent.
        job: Option<String>,
        /// What to write.
        #[arg(long, value_enum, default_value = "layers")]
        what: Table,
        /// File format; from the extension of --output when absent, else csv.
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// The file, for maps and synthesis a new folder; standard output when absent (not for parquet).
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write a job's HTML report, one self-contained file.
    Report {
        /// Job id; the latest job when absent.
        job: Option<String>,
        /// The file; report.html in the job's directory when absent.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List model cards, show one with all layers that can be scored, or check one.
    #[command(args_conflicts_with_subcommands = true)]
    Models {
        /// A card to show, or directories to search.
        #[arg(default_values = ["models", "examples"])]
        cards: Vec<PathBuf>,
        #[command(subcommand)]
        action: Option<CardsAction>,
    },
    /// List benchmark cards, show one with its stimuli, neuroids, splits and ceiling, or check one.
    #[command(args_conflicts_with_subcommands = true)]
    Benchmarks {
        /// A card to show, or directories to search.
        #[arg(default_values = ["benchmarks", "examples"])]
        cards: Vec<PathBuf>,
        #[command(subcommand)]
        action: Option<CardsAction>,
    },
    /// Known data sets: list, verify, fetch.
    Datasets {
        /// Directory of the manifests.
        #[arg(long, default_value = "datasets", value_name = "DIR")]
        manifests: PathBuf,
        #[command(subcommand)]
        action: Option<DatasetsAction>,
    },
    /// Make recordings from a layer of a model, with known noise: for model recovery and for trying things out.
    Simulate(SimulateArgs),
    /// Make brain volumes of people in which each layer of a model has a known place: for maps that can be checked.
    SimulateScan(SimulateScanArgs),
    /// Look after the store: what is in it, and whether it is what was written.
    Store {
        #[command(subcommand)]
        action: StoreAction,
    },
    /// Say what this machine has, what is missing and how to get it.
    Doctor,
    /// Run a role of a cluster.
    Serve {
        #[command(subcommand)]
        role: Box<crate::serve::args::Role>,
    },
    /// Open models for a process that starts this itself.
    #[command(hide = true, name = crate::opener::COMMAND)]
    OpenModels {
        /// Memory that it may take.
        memory_bytes: u64,
    },
    #[command(flatten)]
    Cluster(crate::remote::Verb),
}

/// What to do where another process computes the same job.
#[derive(Debug, Clone, Copy, Args)]
pub struct LockArgs {
    /// If another process computes this job, wait for it instead of refusing.
    #[arg(long, conflicts_with = "force")]
    pub wait: bool,
    /// Compute even if another process computes this job: both do the same work, results stay the same.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Subcommand)]
pub enum StoreAction {
    /// Read everything in the store and say what is damaged; of a bucket everything is downloaded.
    Verify {
        /// Remove what is damaged, so that the next run makes it anew.
        #[arg(long)]
        repair: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum CardsAction {
    /// Check a card and all its files, and say everything that is wrong: file, field, what was found, what to do.
    Check {
        /// The card, or its directory.
        card: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum DatasetsAction {
    /// List the sets: licence, size, what is present (the default).
    List,
    /// Check the files of one set, or of all, against their digests.
    Verify {
        /// The set; all when absent.
        id: Option<String>,
    },
    /// Fetch the files of a set into the data directory, resuming where a transfer stopped.
    Fetch {
        /// The set.
        id: String,
        /// Take the files from this directory instead of the network.
        #[arg(long, value_name = "DIR")]
        mirror: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Model card.
    #[arg(long)]
    pub model: PathBuf,
    /// Layer whose units the neurons mix.
    #[arg(long)]
    pub layer: String,
    /// Stimulus set: a benchmark card whose stimuli are shown, or a CSV with a ZIP of the same name or a folder `images` beside it.
    #[arg(long)]
    pub stimuli: PathBuf,
    /// Identifier of the assembly.
    #[arg(long)]
    pub identifier: String,
    /// Region written to every neuroid.
    #[arg(long)]
    pub region: String,
    /// Number of neurons.
    #[arg(long, default_value_t = 80)]
    pub neurons: usize,
    /// Presentations of each stimulus.
    #[arg(long, default_value_t = 6)]
    pub repeats: usize,
    /// Units of the layer that each neuron mixes.
    #[arg(long, default_value_t = 64)]
    pub units: usize,
    /// Reliability of the average over all presentations: the share of its variance that is signal, above 0 and at most 1.
    #[arg(long, default_value_t = 0.8)]
    pub reliability: f64,
    /// Seed of the random numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
    /// The NetCDF file to write.
    #[arg(long, short)]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct SimulateScanArgs {
    /// Model card; its layers get places, the first at the back.
    #[arg(long)]
    pub model: PathBuf,
    /// Only these of its layers, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub layers: Vec<String>,
    /// Stimulus set: a benchmark card whose stimuli are shown, or a CSV with a ZIP of the same name or a folder `images` beside it.
    #[arg(long)]
    pub stimuli: PathBuf,
    /// NIfTI volume whose voxels above zero are the brain; a small egg of 4 x 4 x 5 mm voxels when absent.
    #[arg(long)]
    pub mask: Option<PathBuf>,
    /// Identifier of the scan.
    #[arg(long)]
    pub identifier: String,
    /// Number of people.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub subjects: u16,
    /// Width of the place of a layer: standard deviation in voxels.
    #[arg(long, default_value_t = 2.0)]
    pub sigma: f64,
    /// Standard deviation of the signal at the middle of a place over that of the noise.
    #[arg(long, default_value_t = 1.0)]
    pub snr: f64,
    /// Seed of the random numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
    /// The folder to write: a scan card, a mask, the truth, the volumes.
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
}

/// Results that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// One row per model.
    Leaderboard,
    /// One row per model, layer and benchmark.
    Layers,
    /// One row per model, layer, benchmark, split and neuroid.
    Raw,
    /// Brain maps: a folder of volumes, tables and a page.
    Maps,
    /// Synthesised images: a folder for each model with images, tables, figures and a page.
    Synthesis,
}

/// Export formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// JSON.
    Json,
    /// Apache Parquet.
    Parquet,
    /// A Markdown table.
    Markdown,
}
