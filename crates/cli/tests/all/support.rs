use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Runs that take the larger part of the machine's memory go one at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// `ventral` with a store of its own, in the repository, without data.
pub fn ventral(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ventral"));
    command.current_dir(root()).env_remove("VENTRAL_DATA").env("VENTRAL_STORE", store).env("NO_COLOR", "1");
    command
}

/// The data directory, or `None` after saying that the test was skipped.
pub fn data(test: &str) -> Option<PathBuf> {
    let data = std::env::var_os("VENTRAL_DATA").map(PathBuf::from);
    if data.is_none() {
        eprintln!("SKIPPED: {test}: VENTRAL_DATA is not set");
    }
    data
}

/// Runs and returns standard output, standard error and the exit code.
pub fn finish(command: &mut Command) -> (String, String, i32) {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (text(stdout), text(stderr), status.code().unwrap_or(-1))
}

/// Runs a command that must succeed and returns standard output.
pub fn succeed(command: &mut Command) -> String {
    let (stdout, stderr, code) = finish(command);
    assert_eq!(code, 0, "{command:?}\n{stdout}\n{stderr}");
    stdout
}
