//! Models are first opened in a process of their own, within limits on memory and time: what a file does to that process it does to
//! nobody else. The rest of a job goes on without the model.
//!
//! What the process has opened, others open again: sizes do not depend on the pixels, so it fits there too.

mod child;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ventral_models::ModelCard;
use ventral_plan::JobSpec;

use crate::service::describe;
use crate::{Error, machine};

pub use child::serve_opener;

/// How long a model may take to be opened and to see one image, unless the user says otherwise.
pub const OPEN_SECONDS: u64 = 30;
/// Least memory that a process which opens models may take, in bytes.
const MIN_MEMORY_BYTES: u64 = 1 << 30;
/// Last lines of its standard error that are told.
const TAIL_LINES: usize = 3;
/// Longest line of it that is kept, in bytes.
const MAX_LINE_BYTES: u64 = 400;

/// How to start a process that opens models, which calls [`serve_opener`].
#[derive(Debug, Clone)]
pub struct OpenerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; a number of bytes is added as the last one.
    pub arguments: Vec<OsString>,
    /// Memory that it may take in bytes; that of a job by default if absent.
    pub memory_bytes: Option<u64>,
    /// How long one model may take.
    pub patience: Duration,
}

/// A model to open.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    card: PathBuf,
    data_dir: Option<PathBuf>,
    /// The job that wants it, for the layers and the gradient that it asks for.
    spec: Option<JobSpec>,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Opened,
    Refused(String),
}

struct Opener {
    command: OpenerCommand,
    running: Option<Running>,
}

struct Running {
    process: Child,
    input: ChildStdin,
    replies: Receiver<io::Result<String>>,
    tail: JoinHandle<VecDeque<String>>,
    memory_bytes: u64,
}

static OPENER: OnceLock<Mutex<Opener>> = OnceLock::new();

/// From now on, models that [`try_model`] is asked about are opened by such a process; the first command counts. Without one, a file can
/// end this process.
pub fn open_models_with(command: OpenerCommand) {
    let _ = OPENER.set(Mutex::new(Opener { command, running: None }));
}

/// Opens the network of a card in the process for that, if there is one.
///
/// # Errors
/// [`Error::Opening`] with the reason that the process gave, or with how it ended.
pub fn try_model(card: &ModelCard, data_dir: Option<&Path>, spec: Option<&JobSpec>) -> Result<(), Error> {
    let Some(opener) = OPENER.get().filter(|_| card.activations.is_none()) else { return Ok(()) };
    let request =
        Request { card: card.path().to_owned(), data_dir: data_dir.map(Path::to_owned), spec: spec.cloned() };
    let mut opener: MutexGuard<'_, Opener> = opener.lock().unwrap_or_else(PoisonError::into_inner);
    match opener.ask(&request) {
        Ok(Reply::Opened) => Ok(()),
        Ok(Reply::Refused(reason)) => Err(Error::Opening { reason }),
        Err(reason) => Err(Error::Opening { reason: format!("{}: {reason}", card.source().display()) }),
    }
}

impl Opener {
    fn ask(&mut self, request: &Request) -> Result<Reply, String> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running::start(&self.command).map_err(|error| {
                format!("cannot start {} to open it: {error}", self.command.program.display())
            })?,
        };
        let patience = self.command.patience;
        match running.exchange(request, patience) {
            Ok(reply) => {
                self.running = Some(running);
                Ok(reply)
            }
            Err(Ended::Slow) => {
                running.end();
                Err(format!(
                    "the model was not open, with one image through it, after {} s; if it may take longer, set VENTRAL_OPEN_SECONDS",
                    patience.as_secs()
                ))
            }
            Err(Ended::Crashed(how)) => Err(running.last_words(&how)),
        }
    }
}

enum Ended {
    Slow,
    Crashed(String),
}

impl Running {
    fn start(command: &OpenerCommand) -> io::Result<Self> {
        let memory_bytes = command.memory_bytes.unwrap_or_else(machine::default_memory_bytes);
        let memory_bytes = memory_bytes.max(MIN_MEMORY_BYTES);
        let mut spawning = Command::new(&command.program);
        spawning.args(&command.arguments).arg(memory_bytes.to_string());
        // Last words are few.
        spawning.env("RUST_BACKTRACE", "0");
        spawning.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is for us; it ends when we do.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut spawning, 0);
        let mut process = spawning.spawn()?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(io::Error::other("the process has no pipes"));
        };
        let (sender, replies) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let tail = thread::spawn(move || last_lines(errors));
        Ok(Self { process, input, replies, tail, memory_bytes })
    }

    fn exchange(&mut self, request: &Request, patience: Duration) -> Result<Reply, Ended> {
        let broken = |error: &dyn std::fmt::Display| Ended::Crashed(format!("broke off ({error})"));
        let mut line = serde_json::to_vec(request).map_err(|error| broken(&error))?;
        line.push(b'\n');
        self.input.write_all(&line).and_then(|()| self.input.flush()).map_err(|error| broken(&error))?;
        match self.replies.recv_timeout(patience) {
            Ok(reply) => {
                let reply = reply.map_err(|error| broken(&error))?;
                serde_json::from_str(&reply).map_err(|error| broken(&error))
            }
            Err(RecvTimeoutError::Timeout) => Err(Ended::Slow),
            Err(RecvTimeoutError::Disconnected) => Err(Ended::Crashed("ended".to_owned())),
        }
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// How the process ended, with what it last said.
    fn last_words(mut self, how: &str) -> String {
        // Closes its pipes; one that talks nonsense may still run.
        drop(self.input);
        let gone = (0..50).any(|_| {
            thread::sleep(Duration::from_millis(10));
            matches!(self.process.try_wait(), Ok(Some(_)))
        });
        if !gone {
            let _ = self.process.kill();
        }
        let ended = self.process.wait().map_or_else(|error| error.to_string(), describe);
        let tail = self.tail.join().unwrap_or_default();
        let words: Vec<String> = tail.into_iter().collect();
        if words.iter().any(|line| line.starts_with("memory allocation of")) {
            return format!(
                "opening the model needed more than {:.1} GiB, the memory that it may take here; see --memory",
                self.memory_bytes as f64 / (1u64 << 30) as f64
            );
        }
        if words.iter().any(|line| line.contains("has overflowed its stack")) {
            return "opening the model needed more stack than there is: its graph is too deep".to_owned();
        }
        let words =
            if words.is_empty() { String::new() } else { format!("; its last words: {}", words.join("; ")) };
        format!("the process that opened the model {how}: {ended}{words}")
    }
}

/// The last lines that somebody writes, shortened.
fn last_lines(stream: impl Read) -> VecDeque<String> {
    let mut lines = BufReader::new(stream);
    let mut tail = VecDeque::new();
    loop {
        let mut line = Vec::new();
        match lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return tail,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if !line.is_empty() {
            tail.push_back(line);
        }
        if tail.len() > TAIL_LINES {
            tail.pop_front();
        }
    }
}
