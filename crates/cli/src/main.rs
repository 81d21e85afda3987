//! The `ventral` command.

/// Prints a line on standard error; whatever is in it cannot steer the terminal.
macro_rules! tell {
    ($($text:tt)*) => { eprintln!("{}", ventral_input::printable(&format!($($text)*))) };
}

mod args;
mod cards;
mod check;
mod context;
mod datasets;
mod doctor;
mod exit;
mod export;
mod folder;
mod lock;
mod maps;
mod opener;
mod parquet;
mod plan;
mod progress;
mod remote;
mod results;
mod run;
mod serve;
mod simulate;
mod simulate_scan;
mod site;
mod steps;
mod store;
mod synthesis;
mod table;
mod telemetry;
mod tree;
mod units;

use std::process::ExitCode;

use args::{CardsAction, Cli, Command, StoreAction};
use clap::Parser;
use context::Context;
use exit::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match check_names().and_then(|()| dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            if let Some(message) = exit.message() {
                // What comes from files cannot begin a line of its own.
                tell!("{}", message.replace('\n', "\n  "));
            }
            exit.code()
        }
    }
}

/// Results name the files they are of as text.
fn check_names() -> Outcome {
    let here = std::env::current_dir().map(std::path::PathBuf::into_os_string);
    let wrong = std::env::args_os().chain(here).find(|name| name.to_str().is_none());
    match wrong {
        None => Ok(()),
        Some(name) => {
            let name = name.to_string_lossy();
            Err(exit::Exit::input(format!("{name}: the name is not UTF-8; rename the file or folder")))
        }
    }
}

fn dispatch(cli: Cli) -> Outcome {
    if let Command::OpenModels { memory_bytes } = cli.command {
        return opener::serve(memory_bytes);
    }
    opener::install(cli.global.memory, cli.global.open_seconds)?;
    let context = Context::new(cli.global)?;
    let Some(command) = remote::take(&context, cli.command)? else { return Ok(()) };
    match command {
        Command::Run { spec, no_report, lock } => run::run(&context, &spec, !no_report, lock),
        Command::Synthesize { spec, lock } => synthesis::synthesize(&context, &spec, lock),
        Command::Plan { spec } => plan::plan(&context, &spec),
        Command::Resume { job, lock } => run::resume(&context, job.as_deref(), lock),
        Command::Jobs => results::jobs(&context),
        Command::Leaderboard { job, html } => results::leaderboard(&context, job.as_deref(), html.as_deref()),
        Command::Scores { job, model, benchmark } => {
            results::scores(&context, job.as_deref(), model.as_deref(), benchmark.as_deref())
        }
        Command::Export { job, what, format, output } => {
            export::export(&context, job.as_deref(), what, format, output.as_deref())
        }
        Command::Report { job, output } => results::report(&context, job.as_deref(), output),
        Command::Models { action: Some(CardsAction::Check { card }), .. } => check::model(&context, &card),
        Command::Models { cards, action: None } => cards::models(&context, &cards),
        Command::Benchmarks { action: Some(CardsAction::Check { card }), .. } => {
            check::benchmark(&context, &card)
        }
        Command::Benchmarks { cards, action: None } => cards::benchmarks(&context, &cards),
        Command::Datasets { manifests, action } => datasets::datasets(&context, &manifests, action),
        Command::Simulate(arguments) => simulate::simulate(&context, &arguments),
        Command::SimulateScan(arguments) => simulate_scan::simulate(&context, &arguments),
        Command::Store { action: StoreAction::Verify { repair } } => store::verify(&context, repair),
        Command::Doctor => doctor::doctor(&context),
        Command::Serve { role } => serve::serve(&context, *role),
        Command::Cluster(_) | Command::OpenModels { .. } => unreachable!("taken above"),
    }
}
