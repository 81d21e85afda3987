//! Whether two stores hold the same results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every object of a store: path below `objects/` and its bytes.
///
/// # Panics
/// When the store cannot be read.
pub fn objects(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = store.join("objects");
    let mut folders = vec![root.clone()];
    let mut found = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("a folder that was opened can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                found.insert(path.strip_prefix(&root).expect("it is below").to_owned(), bytes);
            }
        }
    }
    found
}

/// Fails unless both stores hold the same objects, byte by byte, and at least one.
///
/// # Panics
/// When they differ: that is its purpose.
#[track_caller]
pub fn assert_same_objects(expected: &Path, found: &Path) {
    let (expected, found) = (objects(expected), objects(found));
    assert!(!expected.is_empty(), "the fault-free run has results");
    let lost: Vec<_> = expected.keys().filter(|path| !found.contains_key(*path)).collect();
    let extra: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
    assert!(
        lost.is_empty() && extra.is_empty(),
        "{} objects expected, {} found; lost: {lost:?}; not expected: {extra:?}",
        expected.len(),
        found.len()
    );
    let other: Vec<_> = expected.iter().filter(|(path, bytes)| found[*path] != **bytes).collect();
    assert!(other.is_empty(), "{} objects differ, the first is {:?}", other.len(), other[0].0);
}
