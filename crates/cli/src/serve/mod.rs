//! `ventral serve`: the roles of a cluster.

mod aggregator;
mod all;
pub mod args;
mod consumer;
mod coordinator;
mod slot;
mod worker;

use crate::context::Context;
use crate::exit::Outcome;
use args::Role;

/// Runs a role until it is asked to end.
pub fn serve(context: &Context, role: Role) -> Outcome {
    ventral_coordinator::server::raise_open_files();
    match role {
        Role::Coordinator(arguments) => coordinator::serve(context, &arguments),
        Role::All(arguments) => all::serve(context, &arguments),
        Role::Worker(arguments) => worker::serve(context, &arguments),
        Role::Aggregator(arguments) => aggregator::serve(context, &arguments),
        Role::WorkerSlot(arguments) => slot::serve(context, &arguments),
    }
}
