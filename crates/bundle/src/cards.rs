//! From the entries of a spec to card files.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use ventral_plan::JobSpec;

use crate::Error;

/// Field of a spec that names the benchmark with natural images.
const NATURAL_FIELD: &str = "synthesis.natural";

/// Deepest directory below the start of a search for cards.
pub const MAX_SEARCH_DEPTH: usize = 8;

/// The card files that `patterns` name, in their order; each is a card, its directory, or a glob of either.
///
/// `file_name` is `model.toml`, `benchmark.toml` or `scan.toml`; relative entries start at the directory of `spec`.
///
/// # Errors
/// [`Error::NoCard`] for an entry without a card.
pub fn resolve(
    spec: &Path,
    field: &'static str,
    patterns: &[String],
    file_name: &str,
) -> Result<Vec<PathBuf>, Error> {
    let base = spec.parent().unwrap_or(Path::new("."));
    let (mut cards, mut seen) = (Vec::new(), HashSet::new());
    for pattern in patterns {
        let refuse = |problem: String| Error::NoCard {
            spec: spec.to_owned(),
            field,
            pattern: pattern.clone(),
            problem,
        };
        let found = matching(base, pattern, file_name).map_err(refuse)?;
        if found.is_empty() {
            let below = if base == Path::new("") { Path::new(".") } else { base };
            let problem = format!("matches no {file_name} below {}", below.display());
            return Err(refuse(problem + &others(base, pattern, file_name)));
        }
        for card in found {
            if seen.insert(card.clone()) {
                cards.push(card);
            }
        }
    }
    Ok(cards)
}

/// The benchmark card whose stimuli are the natural images of a spec's `[synthesis]`, if it names one.
///
/// # Errors
/// [`Error::NoCard`] for an entry that names no card, or more than one.
pub fn resolve_natural(spec_file: &Path, spec: &JobSpec) -> Result<Option<PathBuf>, Error> {
    let Some(pattern) = spec.synthesis.as_ref().and_then(|synthesis| synthesis.natural.clone()) else {
        return Ok(None);
    };
    let mut found = resolve(spec_file, NATURAL_FIELD, std::slice::from_ref(&pattern), "benchmark.toml")?;
    if found.len() > 1 {
        let problem = format!("matches {} benchmark cards; name the one with natural images", found.len());
        return Err(Error::NoCard { spec: spec_file.to_owned(), field: NATURAL_FIELD, pattern, problem });
    }
    Ok(found.pop())
}

/// All card files of this name at or below `path`, sorted. What cannot be listed has none.
pub fn find_cards(path: &Path, file_name: &str) -> Vec<PathBuf> {
    if path.is_file() {
        let is_card = path.extension().is_some_and(|extension| extension == "toml");
        return if is_card { vec![path.to_owned()] } else { Vec::new() };
    }
    let mut cards = ventral_input::walk(path, MAX_SEARCH_DEPTH).unwrap_or_default();
    // What cannot be read is found all the same: whoever reads it says why.
    cards.retain(|card| card.ends_with(file_name));
    cards
}

/// What an entry names instead: cards of another kind, under the field of the spec that takes them.
fn others(base: &Path, pattern: &str, file_name: &str) -> String {
    const KINDS: [(&str, &str, &str); 3] = [
        ("model.toml", "model", "models"),
        ("benchmark.toml", "benchmark", "benchmarks"),
        ("scan.toml", "scan", "scans"),
    ];
    let other = |(name, ..): &&(&str, &str, &str)| {
        *name != file_name
            && match pattern {
                "" => base.join(name).is_file(),
                _ => matching(base, pattern, name).is_ok_and(|found| !found.is_empty()),
            }
    };
    match KINDS.iter().find(other) {
        Some((_, kind, field)) => format!("; it names {kind} cards, which belong under `{field}`"),
        None => String::new(),
    }
}

fn matching(base: &Path, pattern: &str, file_name: &str) -> Result<Vec<PathBuf>, String> {
    let path = base.join(pattern);
    // What is there under this very name is meant, whatever is in the name.
    let is_glob = pattern.contains(['*', '?', '[', '{']) && !path.exists();
    if !is_glob {
        return match (path.is_file(), path.join(file_name).is_file()) {
            (true, _) => Ok(vec![path]),
            (_, true) => Ok(vec![path.join(file_name)]),
            _ => Err(format!(
                "is neither a card nor a directory with a {file_name} (looked for {}){}",
                path.display(),
                others(&path, "", file_name)
            )),
        };
    }
    // Walk from the last directory that is named without wildcards; those in the spec's own folder are none.
    let is_plain = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    let literal = base.join(Path::new(pattern).components().take_while(is_plain).collect::<PathBuf>());
    let whole = Path::new(&globset::escape(&base.to_string_lossy())).join(pattern);
    let glob = |text: &Path| -> Result<GlobMatcher, String> {
        let built = GlobBuilder::new(&text.to_string_lossy()).literal_separator(true).build();
        Ok(built.map_err(|error| format!("is no valid pattern: {error}"))?.compile_matcher())
    };
    let (cards, directories) = (glob(&whole)?, glob(&whole.join(file_name))?);
    // A spec that is named without a folder lies in this one, whose name is empty.
    let here = literal.as_os_str().is_empty();
    let mut found = find_cards(if here { Path::new(".") } else { &literal }, file_name);
    if here {
        found.iter_mut().for_each(|path| *path = path.strip_prefix(".").unwrap_or(path).to_owned());
    }
    Ok(found.into_iter().filter(|path| cards.is_match(path) || directories.is_match(path)).collect())
}
