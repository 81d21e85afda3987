//! The Lua scripts: one for each operation.

use ::redis::Script as Hash;

use crate::types::{
    MAX_ATTEMPTS, MAX_CRASHES, MAX_DEAD, MAX_EVENT_BYTES, MAX_MACHINE_FAULTS, MAX_REAP, MAX_SHUNNED, Timing,
    WORKER_LEASES,
};

/// Where scripts have their time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// The server's clock.
    Server,
    /// A key that tests set.
    Manual,
}

/// A script and the hash by which the server knows it.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) code: String,
    pub(super) hash: String,
}

macro_rules! scripts {
    ($($name:ident: $($part:literal)*;)*) => {
        /// All scripts of a queue.
        #[derive(Debug)]
        pub(super) struct Scripts {
            $(pub(super) $name: Script,)*
        }

        impl Scripts {
            /// The scripts of the queue whose keys begin with `tag`.
            pub(super) fn new(tag: &str, timing: &Timing, time: Time) -> Self {
                let head = head(timing, time);
                Self {
                    $($name: script(stringify!($name), tag, &[
                        &head,
                        $(include_str!(concat!("../lua/", $part, ".lua")),)*
                        include_str!(concat!("../lua/", stringify!($name), ".lua")),
                    ]),)*
                }
            }
        }
    };
}

// Each with the parts before it: a script pays for every function that it defines.
scripts! {
    open:;
    lead:;
    admit: "gate" "common";
    take: "gate" "common";
    beat: "gate" "common";
    finish: "gate" "common" "move";
    fail: "gate" "common" "move" "charge";
    give: "gate" "common" "move";
    reap: "gate" "common" "move" "charge";
    cancel: "gate" "common" "move";
    bury: "gate" "common" "move";
    events: "gate" "common";
    acknowledge: "gate" "common";
    status: "gate" "common";
    reconcile: "gate" "common";
    depths: "gate" "common";
    dead: "gate" "common";
    workers: "gate" "common";
    drain: "gate" "common";
    leave: "gate" "common";
}

fn script(name: &'static str, tag: &str, parts: &[&str]) -> Script {
    let code = parts.concat().replace('@', tag);
    let hash = Hash::new(&code).get_hash().to_owned();
    Script { name, code, hash }
}

/// Constants of every script, and the time.
fn head(timing: &Timing, time: Time) -> String {
    let Timing { lease_ms, backoff_ms, max_backoff_ms } = timing;
    let constants = [
        ("LEASE_MS", *lease_ms),
        ("BACKOFF_MS", *backoff_ms),
        ("MAX_BACKOFF_MS", *max_backoff_ms),
        ("WORKER_LEASES", WORKER_LEASES),
        ("MAX_ATTEMPTS", MAX_ATTEMPTS.into()),
        ("MAX_CRASHES", MAX_CRASHES.into()),
        ("MAX_MACHINE_FAULTS", MAX_MACHINE_FAULTS.into()),
        ("MAX_SHUNNED", MAX_SHUNNED as u64),
        ("MAX_DEAD", MAX_DEAD as u64),
        ("MAX_REAP", MAX_REAP as u64),
        ("MAX_EVENT_BYTES", MAX_EVENT_BYTES as u64),
    ];
    let lines = constants.map(|(name, value)| format!("local {name} = {value}\n")).concat();
    let clock = match time {
        Time::Server => include_str!("../lua/clock_server.lua"),
        Time::Manual => include_str!("../lua/clock_manual.lua"),
    };
    [&lines, clock].concat()
}
