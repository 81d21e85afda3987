//! A role as a process.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use ventral_testkit::wait_until;

/// Kills the process group `$1` when the pipe to this shell closes: also when the test is killed.
const WATCHDOG: &str = "read -r _; kill -s KILL -- -$1 2>/dev/null; true";

/// A process of `ventral` that a test starts, harms and starts again. Its output goes to one log file. It ends with the test.
#[derive(Debug)]
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
    watchdog: Option<Child>,
}

impl Process {
    /// A process that is not started yet; `log` is appended to by all of its lives.
    pub fn new(name: &str, program: &Path, arguments: Vec<String>, log: PathBuf) -> Self {
        let (name, program) = (name.to_owned(), program.to_owned());
        Self { name, program, arguments, environment: Vec::new(), log, child: None, watchdog: None }
    }

    /// Sets a variable of its environment, from the next start on.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.unset(variable);
        self.environment.push((variable.to_owned(), value.to_owned()));
    }

    /// Removes a variable again, from the next start on.
    pub fn unset(&mut self, variable: &str) {
        self.environment.retain(|(name, _)| name != variable);
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start(&mut self) -> io::Result<()> {
        self.kill()?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn()?;
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", WATCHDOG, "sh", &child.id().to_string()]).stdin(Stdio::piped());
        self.watchdog = Some(watchdog.process_group(0).spawn()?);
        self.child = Some(child);
        Ok(())
    }

    /// What it is called in this test.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it runs; a stopped one does.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Ends it and its children as `kill -9` does: a machine is gone.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(id) = self.id().filter(|_| self.is_running()) {
            send("KILL", &family(id))?;
        }
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            watchdog.wait()?;
        }
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Sends a signal by name (`STOP`, `CONT`) to it and its children: something happens to a whole machine.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, signal: &str) -> io::Result<()> {
        let id = self.id().ok_or_else(|| io::Error::other(format!("{} does not run", self.name)))?;
        send(signal, &family(id))
    }

    /// Sends SIGTERM to the process alone, as Kubernetes does.
    ///
    /// # Errors
    /// When it does not run.
    pub fn terminate(&self) -> io::Result<()> {
        let id = self.id().ok_or_else(|| io::Error::other(format!("{} does not run", self.name)))?;
        send("TERM", &[id])
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut ended = None;
        let what = format!("{} ends", self.name);
        wait_until(&what, limit, || {
            ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            ended.is_some()
        });
        ended.expect("the wait is over")
    }

    /// All that it has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Empties its log.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn clear_log(&self) -> io::Result<()> {
        File::create(&self.log).map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Dropping must not panic; the watchdog ends what is left with this process.
        let _ = self.kill();
    }
}

/// Signals processes; those that have ended meanwhile do not matter.
fn send(signal: &str, processes: &[u32]) -> io::Result<()> {
    let list: Vec<String> = processes.iter().map(u32::to_string).collect();
    let command = format!("kill -s {signal} {} 2>/dev/null || kill -s {signal} {}", list.join(" "), list[0]);
    let sent = Command::new("sh").args(["-c", &command]).status()?;
    if sent.success() { Ok(()) } else { Err(io::Error::other(format!("{command}: {sent}"))) }
}

/// A process, its children, and theirs, from what the system lists.
fn family(id: u32) -> Vec<u32> {
    let mut pairs = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let text = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // "id (name) state parent ...", and the name may hold anything.
        let parent =
            text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        pairs.extend(parent.map(|parent| (process, parent)));
    }
    let mut family = vec![id];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        family.extend(pairs.iter().filter(|pair| pair.1 == parent).map(|pair| pair.0));
        next += 1;
    }
    family
}
