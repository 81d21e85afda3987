//! Results that are many files: a folder, whole or not at all.

use std::fs;
use std::path::Path;

use ventral_aggregator::JobFile;

use crate::exit::{Exit, Outcome};

/// The folder that somebody asked for; it must be empty or not there. `what` begins the sentence that asks for one.
pub fn asked_for<'a>(what: &str, output: Option<&'a Path>) -> Outcome<&'a Path> {
    let missing = || Exit::input(format!("{what} many files: name a folder with --output DIR"));
    let folder = output.ok_or_else(missing)?;
    if folder.exists() && fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_some()) {
        return Err(Exit::input(format!("{}: not an empty folder; name another one", folder.display())));
    }
    Ok(folder)
}

/// Writes files into a folder beside the target, which takes its place when all is there.
pub fn write(files: &[JobFile], folder: &Path) -> Outcome {
    let failed = |path: &Path, error: std::io::Error| {
        Exit::Machine(anyhow::anyhow!("cannot write {}: {error}", path.display()))
    };
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
    let unfinished = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(parent);
    let unfinished = unfinished.map_err(|error| failed(parent, error))?;
    for JobFile { name, bytes, .. } in files {
        let path = unfinished.path().join(name);
        let below = path.parent().unwrap_or(unfinished.path());
        fs::create_dir_all(below).map_err(|error| failed(below, error))?;
        fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| failed(folder, error))?;
    }
    readable(unfinished.path()).map_err(|error| failed(folder, error))?;
    let unfinished = unfinished.keep();
    fs::rename(&unfinished, folder).map_err(|error| failed(folder, error))
}

/// Temporary folders are for their owner alone; results are not.
#[cfg(unix)]
fn readable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn readable(_: &Path) -> std::io::Result<()> {
    Ok(())
}
