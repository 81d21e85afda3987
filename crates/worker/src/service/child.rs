//! A slot's child process as the supervisor sees it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child as Process, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use ventral_queue::fault;

use super::protocol::{Reply, Request};

/// Last lines of a child's standard error that are kept as evidence.
const TAIL_LINES: usize = 30;

/// How long the rest of a dead child's standard error is waited for.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How to start a slot.
#[derive(Debug, Clone)]
pub struct SlotCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Codes by which the program says that it cannot begin (unusable arguments, a machine that lacks something), and a shell or the loader that
/// the program cannot be started. They say nothing about the unit.
const NEVER_BEGAN: [i32; 4] = [2, 4, 126, 127];

/// A child that vanished while it computed.
#[derive(Debug)]
pub struct Crash {
    /// Whether it did not even begin.
    pub never_began: bool,
    /// How it ended.
    pub reason: String,
    /// The last lines it wrote.
    pub evidence: String,
}

/// A running child. It is killed when this is dropped.
pub struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    tail: Arc<Mutex<VecDeque<String>>>,
    errors: JoinHandle<()>,
}

impl Child {
    /// Starts a child; one that replaces another is given no faults that happen once.
    pub fn start(command: &SlotCommand, replacement: bool) -> io::Result<Self> {
        let mut spawning = Command::new(&command.program);
        spawning.args(&command.arguments).kill_on_drop(true);
        spawning.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is for the supervisor.
        #[cfg(unix)]
        spawning.process_group(0);
        if replacement {
            match fault::for_replacement() {
                Some(faults) => spawning.env(fault::VARIABLE, faults),
                None => spawning.env_remove(fault::VARIABLE),
            };
        }
        let mut process = spawning.spawn()?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(io::Error::other("the child has no pipes"));
        };
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let errors = tokio::spawn(forward(errors, tail.clone()));
        Ok(Self { process, input, output: BufReader::new(output).lines(), tail, errors })
    }

    /// Has a unit computed. After a crash the child is of no use any more.
    pub async fn ask(&mut self, request: &Request) -> Result<Reply, Crash> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clear();
        match self.exchange(request).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(self.crash("ended").await),
            Err(error) => Err(self.crash(&format!("broke off ({error})")).await),
        }
    }

    async fn exchange(&mut self, request: &Request) -> io::Result<Option<Reply>> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        self.input.flush().await?;
        let Some(reply) = self.output.next_line().await? else { return Ok(None) };
        Ok(Some(serde_json::from_str(&reply)?))
    }

    async fn crash(&mut self, how: &str) -> Crash {
        // A child that talks nonsense may still run.
        let _ = self.process.start_kill();
        let status = self.process.wait().await;
        // Its own children may hold the pipe open.
        let _ = tokio::time::timeout(LAST_WORDS, &mut self.errors).await;
        let code = status.as_ref().ok().and_then(ExitStatus::code);
        let ended = status.map_or_else(|error| error.to_string(), describe);
        Crash {
            never_began: code.is_some_and(|code| NEVER_BEGAN.contains(&code)),
            reason: format!("the process that computed it {how}: {ended}"),
            evidence: self.last_words(),
        }
    }

    fn last_words(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Ends the child, whatever it does; the last lines it wrote.
    pub async fn kill(mut self) -> String {
        if let Err(error) = self.process.kill().await {
            tracing::warn!(%error, "cannot end a slot's process");
        }
        self.last_words()
    }
}

/// Shows a child's standard error as ours and keeps its end.
async fn forward(errors: ChildStderr, tail: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(errors).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).into_owned();
        eprintln!("{line}");
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}

/// How a process ended.
pub(crate) fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let hint = match signal {
            9 => " (killed; the system does this when memory runs out)",
            6 => " (aborted)",
            11 => " (invalid memory access)",
            _ => "",
        };
        return format!("signal {signal}{hint}");
    }
    status.to_string()
}
