//! The program under test.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// The `ventral` that was built with this test: the one beside its folder. Built when it is missing or older than a source file, because
/// `cargo test --package ventral-tests` alone does not build it. `VENTRAL_BIN` names another one.
///
/// # Panics
/// When it cannot be built.
pub fn ventral() -> &'static Path {
    BINARY.get_or_init(|| match env::var_os("VENTRAL_BIN") {
        Some(path) => PathBuf::from(path),
        None => beside_test(),
    })
}

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

fn beside_test() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let profile = test.ancestors().nth(2).expect("tests are in PROFILE/deps");
    let path = profile.join("ventral");
    if built(&path).is_none_or(|built| newest_source() > built) {
        build(profile);
    }
    assert!(path.exists(), "no {}: cargo build --workspace", path.display());
    path
}

fn build(profile: &Path) {
    let name = profile.file_name().and_then(|name| name.to_str()).unwrap_or("debug");
    let name = if name == "debug" { "dev" } else { name };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--locked", "--workspace", "--bin", "ventral", "--profile", name]);
    cargo.arg("--target-dir").arg(profile.parent().expect("a profile is in a target directory"));
    let status = cargo.current_dir(repository()).status().expect("cargo runs this test");
    assert!(status.success(), "{cargo:?} failed: {status}");
}

fn built(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|facts| facts.modified()).ok()
}

/// Time of the newest source file of any crate.
fn newest_source() -> SystemTime {
    let mut folders = vec![repository().join("crates"), repository().join("proto")];
    let mut newest = SystemTime::UNIX_EPOCH;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let part_of_program = !path.ends_with("tests");
            if path.is_dir() && part_of_program {
                folders.push(path);
            } else if path.is_file() {
                newest = newest.max(built(&path).unwrap_or(newest));
            }
        }
    }
    newest
}
