//! The program on one case: a process with limits, and how it ended.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use std::os::unix::process::{CommandExt, ExitStatusExt};

use wait4::{ResUse, Wait4};

use crate::{Case, Expect};

/// Between two looks at a process.
const POLL: Duration = Duration::from_millis(5);
/// Most bytes of output that are looked at.
const MAX_OUTPUT_BYTES: u64 = 4 << 20;
/// Exit codes that the program documents, other than 0 and 1 (an internal error).
const OWN_CODES: [i32; 3] = [2, 3, 4];
/// What a Rust program prints when it gives up.
const PANICS: [&str; 4] =
    ["panicked at", "has overflowed its stack", "memory allocation of", "internal error:"];

/// What a process may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall-clock time.
    pub time: Duration,
    /// Largest resident set.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), bytes: 2 << 30 }
    }
}

/// How the program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As the case expects.
    Good,
    /// With another exit code or message than the case expects.
    Wrong(String),
    /// By a signal, a panic or an internal error.
    Abort(String),
    /// Not within the time.
    Hang,
    /// With more memory than allowed.
    OverMemory,
}

/// A case after its run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Family of the case.
    pub family: &'static str,
    /// Name of the case.
    pub name: String,
    /// How it ended.
    pub ending: Ending,
    /// Wall-clock time.
    pub time: Duration,
    /// Largest resident set in bytes.
    pub bytes: u64,
}

/// Runs `program` on every case, two at a time; outcomes are in the order of the cases.
///
/// # Errors
/// Those of making a case and of starting the program, naming the case.
pub fn run_all(program: &Path, cases: &[Case], limits: Limits) -> io::Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    let work = || -> io::Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else { return Ok(()) };
            let outcome = run(program, case, limits)
                .map_err(|error| io::Error::other(format!("{}: {}: {error}", case.family, case.name)))?;
            outcomes.lock().map_err(|_| io::Error::other("a thread gave up"))?.push((index, outcome));
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        work()?;
        other.join().map_err(|_| io::Error::other("a thread gave up"))?
    })?;
    let mut outcomes = outcomes.into_inner().map_err(|_| io::Error::other("a thread gave up"))?;
    outcomes.sort_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Makes a case in a folder of its own and runs `program` there.
///
/// # Errors
/// Those of making the case and of starting the program.
pub fn run(program: &Path, case: &Case, limits: Limits) -> io::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let arguments = case.make(folder.path())?;
    let output = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(program);
    command.args(["--threads", "2", "--memory", "1GiB"]).args(arguments).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(output.reopen()?).stderr(appending(output.path())?);
    for variable in
        ["VENTRAL_DATA", "VENTRAL_STORE", "VENTRAL_COORDINATOR", "VENTRAL_TOKEN", "RUST_BACKTRACE"]
    {
        command.env_remove(variable);
    }
    let start = Instant::now();
    let (ended, usage, peak) = watch(command.process_group(0).spawn()?, limits)?;
    let bytes = peak.max(usage.rusage.maxrss);
    let mut printed = Vec::new();
    output.reopen()?.take(MAX_OUTPUT_BYTES).read_to_end(&mut printed)?;
    let printed = String::from_utf8_lossy(&printed);
    let ending = match ended {
        Some(ending) => ending,
        None if bytes > limits.bytes => Ending::OverMemory,
        None => judge(&case.expect, &usage, &printed),
    };
    Ok(Outcome { family: case.family, name: case.name.clone(), ending, time: start.elapsed(), bytes })
}

/// Output and errors go into one file, each at its end.
fn appending(path: &Path) -> io::Result<File> {
    File::options().append(true).open(path)
}

/// Waits for the end, or ends it at a limit: then the ending is known. Also returns the largest resident set seen.
fn watch(mut child: Child, limits: Limits) -> io::Result<(Option<Ending>, ResUse, u64)> {
    let (start, process) = (Instant::now(), child.id());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait4()));
    let mut peak = 0;
    let mut reached = None;
    loop {
        match told.recv_timeout(POLL) {
            Ok(ended) => return Ok((reached, ended?, peak)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("nobody waits for the process"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        peak = peak.max(high_water(process).unwrap_or(0));
        if reached.is_none() && (peak > limits.bytes || start.elapsed() > limits.time) {
            reached = Some(if peak > limits.bytes { Ending::OverMemory } else { Ending::Hang });
            // The process leads a group of its own: what it started ends with it.
            Command::new("kill").args(["-KILL", "--", &format!("-{process}")]).status()?;
        }
    }
}

/// Largest resident set of a living process so far.
fn high_water(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn judge(expect: &Expect, usage: &ResUse, printed: &str) -> Ending {
    if let Some(signal) = usage.status.signal() {
        return Ending::Abort(format!("signal {signal}: {}", last_line(printed)));
    }
    if let Some(line) = printed.lines().find(|line| PANICS.iter().any(|panic| line.contains(panic))) {
        return Ending::Abort(line.to_owned());
    }
    let code = usage.status.code().unwrap_or(1);
    let raw = printed.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    match expect {
        _ if raw.is_some() => Ending::Wrong(format!("prints the control character {raw:?}")),
        Expect::Refuses(texts) => match texts.iter().find(|text| !printed.contains(**text)) {
            _ if !OWN_CODES.contains(&code) => Ending::Wrong(format!("exit {code}: {}", last_line(printed))),
            Some(missing) => Ending::Wrong(format!("does not say {missing:?}: {}", last_line(printed))),
            None => Ending::Good,
        },
        Expect::Runs(texts) => match texts.iter().find(|text| printed.contains(**text)) {
            _ if code != 0 => Ending::Wrong(format!("exit {code}: {}", last_line(printed))),
            Some(found) => Ending::Wrong(format!("prints {found:?}")),
            None => Ending::Good,
        },
        Expect::Either if code == 0 || OWN_CODES.contains(&code) => Ending::Good,
        Expect::Either => Ending::Wrong(format!("exit {code}: {}", last_line(printed))),
    }
}

fn last_line(printed: &str) -> String {
    printed.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().chars().take(300).collect()
}
