//! The files below a folder, whatever its links point to.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most entries of all folders that one walk looks at.
pub const MAX_WALKED: usize = 2_000_000;

/// Everything below `root` that is no folder, links followed, down to `depth` folders below it; sorted by path.
///
/// No folder is entered twice, by whatever names it is reached: links that lead back up end there. A folder itself goes before links to it.
///
/// # Errors
/// That `root` cannot be listed, and more than [`MAX_WALKED`] entries. Folders below that cannot be listed are left out.
pub fn walk(root: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    let mut walked = 0;
    let mut level = vec![root.to_owned()];
    for below in 0..=depth {
        let mut next = Vec::new();
        for folder in &level {
            let entries = match fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(error) if below == 0 => return Err(error),
                Err(_) => continue,
            };
            let place = fs::metadata(folder)?;
            if !seen.insert((place.dev(), place.ino())) {
                continue;
            }
            for entry in entries {
                walked += 1;
                if walked > MAX_WALKED {
                    return Err(io::Error::other(format!(
                        "more than {MAX_WALKED} files and folders (MAX_WALKED)"
                    )));
                }
                let path = entry?.path();
                if path.is_dir() { next.push((path.is_symlink(), path)) } else { files.push(path) }
            }
        }
        // Folders before links, each by name: what is found does not depend on the order in which a file system lists.
        next.sort();
        level = next.into_iter().map(|(_, path)| path).collect();
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_entered_once() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name);
        fs::create_dir_all(place("b/deep/deeper")).unwrap();
        for file in ["b/file", "b/deep/file", "b/deep/deeper/file"] {
            fs::write(place(file), "").unwrap();
        }
        for link in 0..10 {
            symlink(".", place(&format!("loop{link}"))).unwrap();
            symlink("..", place(&format!("b/up{link}"))).unwrap();
        }
        symlink("b", place("a")).unwrap();
        symlink("b/file", place("link")).unwrap();
        symlink("nowhere", place("lost")).unwrap();
        let found = walk(root.path(), 3).unwrap();
        let expected = ["b/deep/deeper/file", "b/deep/file", "b/file", "link", "lost"].map(place);
        assert_eq!(found, expected);
        assert_eq!(walk(root.path(), 1).unwrap(), ["b/file", "link", "lost"].map(place));
        assert!(walk(&place("nowhere"), 2).is_err());
    }
}
