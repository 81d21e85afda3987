//! Finding the name that was probably meant.

/// At most this many names are suggested.
pub const MAX_SUGGESTIONS: usize = 3;

/// The names most similar to `wanted`, best first: those that contain it, then those within an edit distance of a third of its length.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let bound = (wanted.chars().count() / 3).max(2);
    let mut candidates: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&wanted, &lower);
            let contains = wanted.len() >= 3 && lower.contains(&wanted);
            (distance <= bound || contains).then_some((distance, name))
        })
        .collect();
    candidates.sort();
    candidates.truncate(MAX_SUGGESTIONS);
    candidates.into_iter().map(|(_, name)| name.to_owned()).collect()
}
