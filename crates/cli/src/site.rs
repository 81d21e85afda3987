//! `ventral leaderboard --html DIR`: the leaderboard as a directory of pages.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ventral_aggregator::site::{BENCHMARKS, INDEX, MODELS, site_of, write_site};
use ventral_aggregator::{Error, Results};
use ventral_store::JobRecord;

use crate::exit::{Exit, Outcome};

/// File that says which others were written, so that the next time those no longer needed are removed, and nothing else is.
const CONTENTS: &str = "site.json";
/// Largest [`CONTENTS`] that is read.
const MAX_CONTENTS_BYTES: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Contents {
    job: String,
    files: BTreeSet<String>,
}

/// What was written.
#[derive(Serialize)]
pub struct Written {
    /// The first page.
    pub index: PathBuf,
    /// Number of files.
    pub files: usize,
}

/// Writes the pages of a job into `directory`, replacing those of an earlier call.
pub fn write(directory: &Path, id: &str, record: &JobRecord, results: &Results) -> Outcome<Written> {
    let before = contents(directory)?;
    for folder in [directory.to_owned(), directory.join(MODELS), directory.join(BENCHMARKS)] {
        fs::create_dir_all(&folder).map_err(|error| cannot("create", &folder, error))?;
    }
    let mut files = BTreeSet::new();
    write_site(&site_of(id, record, results), &mut |path: &str, page: &str| {
        files.insert(path.to_owned());
        place(&directory.join(path), page.as_bytes()).map_err(Failed::Exit)
    })
    .map_err(|failed| match failed {
        Failed::Exit(exit) => exit,
        Failed::Page(error) => error.into(),
    })?;
    let written = Written { index: directory.join(INDEX), files: files.len() };
    let contents = Contents { job: id.to_owned(), files };
    let json = serde_json::to_vec_pretty(&contents).map_err(|error| Exit::Internal(error.into()))?;
    place(&directory.join(CONTENTS), &json)?;
    for old in before.iter().filter(|path| !contents.files.contains(*path) && is_page(path)) {
        // Whoever has removed it already has done the same.
        let _ = fs::remove_file(directory.join(old));
    }
    Ok(written)
}

/// What rendering or writing failed with.
enum Failed {
    Exit(Exit),
    Page(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Page(error)
    }
}

/// The files of an earlier call; none in a new directory.
fn contents(directory: &Path) -> Outcome<BTreeSet<String>> {
    let file = directory.join(CONTENTS);
    if directory.exists() && !directory.is_dir() {
        return Err(Exit::input(format!("{}: not a directory; --html names one", directory.display())));
    }
    if !file.exists() {
        if directory.join(INDEX).exists() {
            return Err(Exit::input(format!(
                "{}: has an {INDEX} that is not of a leaderboard, which would be lost; name another directory",
                directory.display()
            )));
        }
        return Ok(BTreeSet::new());
    }
    let unusable = |problem: String| {
        Exit::input(format!("{}: {problem}; remove the file to write the pages anew", file.display()))
    };
    let size = fs::metadata(&file).map_err(|error| cannot("read", &file, error))?.len();
    if size > MAX_CONTENTS_BYTES {
        return Err(unusable(format!(
            "{size} bytes, the limit is {MAX_CONTENTS_BYTES} (MAX_CONTENTS_BYTES)"
        )));
    }
    let bytes = fs::read(&file).map_err(|error| cannot("read", &file, error))?;
    let contents: Contents = serde_json::from_slice(&bytes)
        .map_err(|error| unusable(format!("is not a list of pages: {error}")))?;
    Ok(contents.files)
}

/// Whether a path is one that pages of models and benchmarks have: nothing else is ever removed.
fn is_page(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let [MODELS | BENCHMARKS, name] = parts[..] else { return false };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.ends_with(".html") && !name.starts_with('.') && name.chars().all(allowed)
}

/// Puts a file in its place whole.
fn place(path: &Path, content: &[u8]) -> Outcome {
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut temporary =
        tempfile::NamedTempFile::new_in(parent).map_err(|error| cannot("write", path, error))?;
    temporary.write_all(content).map_err(|error| cannot("write", path, error))?;
    #[cfg(unix)]
    readable(temporary.as_file()).map_err(|error| cannot("write", path, error))?;
    temporary.persist(path).map_err(|error| cannot("write", path, error.error))?;
    Ok(())
}

/// Pages are there to be read by a server of another user.
#[cfg(unix)]
fn readable(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Exit {
    Exit::Machine(anyhow::anyhow!("cannot {what} {}: {error}", path.display()))
}
