//! Folders as a whole, for comparison.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The bytes of every file below a folder, by its path from there; none where the folder is not there, and not those
/// that vanish meanwhile.
///
/// # Panics
/// If an entry or a file cannot be read.
pub fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("below").display().to_string();
            match fs::read(&path) {
                Ok(bytes) => found.insert(name, bytes),
                // A program under test may be renaming it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => panic!("{}: {error}", path.display()),
            };
        }
    }
    found
}
