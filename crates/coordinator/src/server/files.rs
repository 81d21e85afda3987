//! File descriptors: as many as the system allows, and some left for other things than connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::listener::CLOSING;

/// Files that are not connections: the store, Redis, uploads and downloads, metrics.
const RESERVED: u64 = 1_024;

/// Lets this process open as many files as its hard limit allows.
pub fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, ?current, ?maximum, "the limit of open files cannot be raised");
    }
}

/// How many of `wanted` connections there can be.
pub fn connections(wanted: usize) -> usize {
    let Some(open) = getrlimit(Resource::Nofile).current else { return wanted };
    let fit = fitting(open);
    if fit < wanted {
        tracing::warn!(
            open_files = open,
            connections = fit,
            wanted,
            "fewer connections, because few files may be open; raise `ulimit -n`"
        );
    }
    wanted.min(fit)
}

/// Connections when so many files may be open: at most half of them are kept for other things.
fn fitting(open: u64) -> usize {
    let reserved = RESERVED.min(open / 2);
    usize::try_from(open - reserved)
        .unwrap_or(usize::MAX)
        .saturating_sub(CLOSING.min((open / 4) as usize))
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_left_for_the_store() {
        assert_eq!(fitting(1 << 20), (1 << 20) - 1_024 - CLOSING);
        assert_eq!(fitting(1_024), 512 - CLOSING);
        assert_eq!(fitting(64), 16);
        assert_eq!(fitting(0), 1);
    }
}
