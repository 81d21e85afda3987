//! The process in which models are first opened, and how it is started.

use std::ffi::OsString;
use std::io::{BufReader, stdin, stdout};
use std::time::Duration;

use ventral_worker::{OpenerCommand, open_models_with, serve_opener};

use crate::exit::{Exit, Outcome};

/// Name of the hidden command.
pub const COMMAND: &str = "open-models";

/// Opens models for the process that started this one.
pub fn serve(memory_bytes: u64) -> Outcome {
    // Nobody waits for an answer any more.
    let at_end = || std::process::exit(0);
    serve_opener(memory_bytes, BufReader::new(stdin()), stdout(), at_end)
        .map_err(|error| Exit::Internal(error.into()))
}

/// From now on models are opened in a process of their own.
pub fn install(memory_bytes: Option<u64>, seconds: u64) -> Outcome {
    let program = std::env::current_exe()
        .map_err(|error| Exit::Machine(anyhow::anyhow!("cannot find this program's file: {error}")))?;
    let arguments = vec![OsString::from(COMMAND)];
    open_models_with(OpenerCommand {
        program,
        arguments,
        memory_bytes,
        patience: Duration::from_secs(seconds),
    });
    Ok(())
}
