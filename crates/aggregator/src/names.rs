//! Names of files, from names that users gave.

use std::collections::{BTreeMap, BTreeSet};

use ventral_plan::Digest;

/// Longest part of a file name that comes from an identifier, in bytes.
const MAX_STEM_BYTES: usize = 80;
/// Characters of the digest that sets a changed name apart.
const DIGEST_BYTES: usize = 8;
/// Names that some systems keep for themselves, whatever the extension, and the page a server shows for a directory.
const RESERVED: [&str; 7] = ["con", "prn", "aux", "nul", "com", "lpt", "index"];

/// The name of a file for each identifier: lower case, letters, digits, `.`, `_` and `-` only, and no two alike.
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    /// Names without extension.
    pub(crate) fn new<'a>(identifiers: impl Iterator<Item = &'a str>) -> Self {
        // Names that can stay as they are go first: no other may take their file.
        let sorted: BTreeSet<(bool, &str)> = identifiers.map(|name| (stem(name) != name, name)).collect();
        let mut taken = BTreeSet::new();
        let mut names = BTreeMap::new();
        for (_, identifier) in sorted {
            let stem = stem(identifier);
            let mut name = stem.clone();
            let mut count = 2;
            while !taken.insert(name.clone()) {
                name = format!("{stem}-{count}");
                count += 1;
            }
            names.insert(identifier.to_owned(), name);
        }
        Self(names)
    }

    /// The same with a folder before and an extension after them.
    pub(crate) fn below(mut self, folder: &str, extension: &str) -> Self {
        self.0.values_mut().for_each(|name| *name = format!("{folder}/{name}{extension}"));
        self
    }

    /// The name, or as much of the identifier itself for one that has none.
    pub(crate) fn get<'a>(&'a self, identifier: &'a str) -> &'a str {
        self.0.get(identifier).map_or(identifier, String::as_str)
    }

    /// The path, or the first page for an identifier that has none.
    pub(crate) fn path(&self, identifier: &str) -> &str {
        self.0.get(identifier).map_or(crate::site::INDEX, String::as_str)
    }

    pub(crate) fn has(&self, identifier: &str) -> bool {
        self.0.contains_key(identifier)
    }
}

fn stem(identifier: &str) -> String {
    let safe = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') => c,
        _ => '-',
    };
    let name: String = identifier.chars().map(safe).take(MAX_STEM_BYTES).collect();
    let name = name.trim_matches(['.', '-']);
    let first = name.split('.').next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit());
    if name == identifier.to_ascii_lowercase() && !name.is_empty() && !RESERVED.contains(&first) {
        return name.to_owned();
    }
    let digest = Digest::of_identity(&identifier);
    let digest = digest.as_str().get(..DIGEST_BYTES).unwrap_or_default();
    if name.is_empty() { format!("x-{digest}") } else { format!("{}-{digest}", name.replace('.', "_")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_and_all_others_are_safe_and_apart() {
        let hostile = [
            "resnet-50_v2.1",
            "ResNet-50_v2.1",
            "../../etc/passwd",
            "a/b",
            "a\\b",
            "a b",
            "",
            ".",
            "..",
            "con",
            "NUL.txt",
            "com1",
            "index",
            "<script>",
            "日本",
            "\u{202e}x",
            "a\0b",
            "?q#f",
            "%2e%2e",
            "-rf",
            ".hidden",
        ];
        let long = "x".repeat(300);
        let longer = "x".repeat(301);
        let names = Names::new(hostile.iter().copied().chain([&*long, &*longer])).below("models", ".html");
        assert_eq!(names.path("resnet-50_v2.1"), "models/resnet-50_v2.1.html");
        let mut seen = BTreeSet::new();
        for path in names.0.values() {
            let stem = path.strip_prefix("models/").and_then(|p| p.strip_suffix(".html")).expect("a page");
            assert!(!stem.is_empty() && stem.len() < 120 && !stem.starts_with(['.', '-']), "{path}");
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            assert!(stem.chars().all(allowed), "{path}");
            assert!(!["con", "nul", "com1", "index", "nul.txt"].contains(&stem), "{path}");
            assert!(seen.insert(path.clone()), "{path} twice");
        }
        assert_eq!(seen.len(), hostile.len() + 2);
    }

    #[test]
    fn a_name_that_is_another_ones_file_gets_a_number() {
        let taken = stem("A");
        let names = Names::new(["A", taken.as_str()].into_iter()).below("models", ".html");
        assert_ne!(names.path("A"), names.path(&taken));
    }
}
