//! The Lua scripts: one for each operation.

use ::redis::Script as Hash;

use crate::types::{MAX_ATTEMPTS, MAX_CRASHES, MAX_DEAD, MAX_REAP, Timing, WORKER_LEASES};

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
    ($(#[$note:meta])* bare: $($bare:ident)*; gated: $($gated:ident)*) => {
        /// All scripts, for one timing.
        #[derive(Debug)]
        pub(super) struct Scripts {
            $(pub(super) $bare: Script,)*
            $(pub(super) $gated: Script,)*
        }

        impl Scripts {
            pub(super) fn new(timing: &Timing, time: Time) -> Self {
                let head = head(timing, time);
                Self {
                    $($bare: script(stringify!($bare), &[
                        &head,
                        include_str!(concat!("../lua/", stringify!($bare), ".lua")),
                    ]),)*
                    $($gated: script(stringify!($gated), &[
                        &head,
                        include_str!("../lua/gate.lua"),
                        include_str!("../lua/common.lua"),
                        include_str!(concat!("../lua/", stringify!($gated), ".lua")),
                    ]),)*
                }
            }
        }
    };
}

scripts! {
    bare: open lead;
    gated: admit take beat finish fail give reap cancel events acknowledge status depths dead bury workers drain leave
}

fn script(name: &'static str, parts: &[&str]) -> Script {
    let code = parts.concat();
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
        ("MAX_DEAD", MAX_DEAD as u64),
        ("MAX_REAP", MAX_REAP as u64),
    ];
    let lines = constants.map(|(name, value)| format!("local {name} = {value}\n")).concat();
    let clock = match time {
        Time::Server => include_str!("../lua/clock_server.lua"),
        Time::Manual => include_str!("../lua/clock_manual.lua"),
    };
    let name = "local NAME = string.sub(KEYS[1], 1, -1 - #':generation')\n";
    [&lines, name, clock].concat()
}
