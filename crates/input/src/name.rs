//! The alphabet of names that become parts of paths, keys and tables.

use crate::shortened;

/// Longest identifier, version or region.
pub const MAX_NAME_BYTES: usize = 128;

/// Whether a text can be an identifier, a version or a region: 1 to [`MAX_NAME_BYTES`] letters, digits, `.`, `_` and `-` of ASCII,
/// not starting with a dot: never `..`, a hidden file, a path, or anything that steers a terminal.
///
/// # Errors
/// What was found and what is allowed.
pub fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.starts_with('.');
    if fits && name.chars().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not 1 to {MAX_NAME_BYTES} letters, digits, `.`, `_` and `-`, not starting with `.`; rename it",
        shortened(name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_alphabet() {
        let longest = "a".repeat(MAX_NAME_BYTES);
        for good in ["V4", "Kar2019-ost.v2_1", "a..b", "-", &longest] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let longer = "a".repeat(MAX_NAME_BYTES + 1);
        for bad in
            ["", " ", ".", "..", ".a", "a/b", "a\\b", "a b", "a\n", "\u{1b}[2J", "é", "\u{202e}", &longer]
        {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
