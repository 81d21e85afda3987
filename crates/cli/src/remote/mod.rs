//! The verbs against a cluster: the same tables and exit codes as on a local store.
//!
//! - [`RemoteArgs`], [`Verb`]: the command line
//! - [`Remote`]: a connection, and results fetched through it
//! - [`take`]: what is done on a cluster and what here

mod args;
mod connection;
mod fetch;
mod fleet;
mod follow;
mod jobs;
mod plan;
mod submit;

pub use args::{RemoteArgs, Verb};
pub use connection::Remote;

use ventral_client::Control;

use crate::args::Command;
use crate::context::Context;
use crate::exit::Outcome;

/// Does `command` on the cluster if it belongs there; else gives it back. Verbs that only show results are not among them: they fetch results
/// through [`Context`].
pub fn take(context: &Context, command: Command) -> Outcome<Option<Command>> {
    if let Command::Cluster(verb) = command {
        return cluster(context, context.remote()?, verb).map(|()| None);
    }
    let Some(remote) = context.remote.as_ref() else { return Ok(Some(command)) };
    match command {
        Command::Plan { spec } => plan::plan(context, remote, &spec)?,
        Command::Jobs => jobs::list(context, remote, None, jobs::SHOWN)?,
        Command::Resume { job, .. } => jobs::steer(context, remote, Control::Resume, job.as_deref())?,
        other => return Ok(Some(other)),
    }
    Ok(None)
}

fn cluster(context: &Context, remote: &Remote, verb: Verb) -> Outcome {
    match verb {
        Verb::Submit(arguments) => submit::submit(context, remote, &arguments),
        Verb::Drill(arguments) => submit::drill(context, remote, &arguments),
        Verb::Watch { job } => follow::watch(context, remote, job.as_deref()),
        Verb::Explain { unit } => jobs::explain(context, remote, &unit),
        Verb::Pause { job } => jobs::steer(context, remote, Control::Pause, job.as_deref()),
        Verb::Cancel { job } => jobs::steer(context, remote, Control::Cancel, Some(&job)),
        Verb::Retry { job } => jobs::steer(context, remote, Control::Retry, job.as_deref()),
        Verb::Units { job, state, limit } => {
            jobs::units(context, remote, job.as_deref(), state.as_deref(), limit)
        }
        Verb::Workers => fleet::workers(context, remote),
        Verb::Pools => fleet::pools(context, remote),
        Verb::Drain { worker } => fleet::drain(context, remote, &worker),
        Verb::Dead { limit } => fleet::dead(context, remote, limit),
    }
}
