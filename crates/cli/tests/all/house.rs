//! Rules of the house that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// Longest source file, in lines.
const MAX_LINES: usize = 500;

/// What a source file of the repository may not name: places of one machine.
const PRIVATE: [&str; 3] = ["/work/", "/root/", "/home/"];

fn files(directory: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("listable").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !["target", ".git", ".venv", ".ventral", "node_modules"].contains(&&*name) {
                files(&path, extensions, found);
            }
        } else if path.extension().is_some_and(|e| extensions.contains(&&*e.to_string_lossy())) {
            found.push(path);
        }
    }
}

#[test]
fn source_files_are_short_and_name_no_private_place() {
    let mut sources = Vec::new();
    files(&root(), &["rs", "py", "sh", "toml", "md", "html", "proto"], &mut sources);
    assert!(sources.len() > 50, "the walk finds the sources");
    for path in sources {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let lines = text.lines().count();
        if path.extension().is_some_and(|e| e == "rs") {
            assert!(lines <= MAX_LINES, "{}: {lines} lines, at most {MAX_LINES}", path.display());
        }
        if path.ends_with("house.rs") {
            continue;
        }
        for place in PRIVATE {
            assert!(!text.contains(place), "{} names {place}", path.display());
        }
    }
}

#[test]
fn documents_link_to_files_that_exist() {
    let mut pages = Vec::new();
    files(&root(), &["md"], &mut pages);
    for page in pages {
        let text = fs::read_to_string(&page).expect("UTF-8");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or(link);
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = page.parent().expect("a directory").join(target);
            assert!(path.exists(), "{} links to {target}, which does not exist", page.display());
        }
    }
}
