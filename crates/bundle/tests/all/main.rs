//! Bundles: what a job reads, as a list that may come from anybody, and back on a disk.

mod collect;
mod manifest;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};

use ventral_bundle::{Collected, collect};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn demo() -> Collected {
    collect(&root().join("examples/demo.toml"), None).expect("the demo is complete")
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    fs::write(path, content).expect("writable");
}
