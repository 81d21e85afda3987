//! Identifiers, versions and regions that are none.

use crate::Case;
use crate::base::{self, write};
use crate::cards::KINDS;
use crate::case::words;

const FAMILY: &str = "names";

pub(crate) fn cases() -> Vec<Case> {
    let bad = [
        ("dots", ".."),
        ("a hidden file", ".card"),
        ("a path", "../../etc/passwd"),
        ("a slash", "a/b"),
        ("a backslash", "a\\\\b"),
        ("an escape sequence", "a\\u001b[2Jb"),
        ("a line break", "a\\nb"),
        ("another writing direction", "a\\u202eb"),
        ("nothing", ""),
        ("a blank", " "),
    ];
    let fields = [
        ("benchmark.toml", "identifier", "\"Hostile\""),
        ("benchmark.toml", "version", "\"1\""),
        ("benchmark.toml", "region", "\"IT\""),
        ("model.toml", "identifier", "\"given\""),
        ("scan.toml", "identifier", "\"Scan\""),
        ("scan.toml", "version", "\"1\""),
        ("set.toml", "id", "\"set\""),
        ("spec.toml", "name", "\"hostile\""),
    ];
    let mut cases = Vec::new();
    for (file, field, good) in fields {
        for (what, value) in bad.iter().copied().chain([("too long", TOO_LONG)]) {
            let Some((_, text, command)) = KINDS.into_iter().find(|kind| kind.0 == file) else { continue };
            let make = move |folder: &std::path::Path| {
                let from = format!("{field} = {good}");
                let place = crate::cards::around(folder, file)?;
                write(folder, &place, text.replacen(&from, &format!("{field} = \"{value}\""), 1))?;
                Ok(words(command))
            };
            cases.push(Case::refused(FAMILY, format!("{file}: {field} is {what}"), &[file, field], make));
        }
    }
    for (what, value) in bad {
        cases.push(Case::refused(
            FAMILY,
            format!("model.toml: a region is {what}"),
            &["model.toml", "regions"],
            move |folder| {
                base::good(folder)?;
                let text = format!("{}[regions]\n\"{value}\" = \"layer\"\n", base::MODEL);
                write(folder, "model.toml", text)?;
                Ok(words("models check model.toml"))
            },
        ));
    }
    cases
}

const TOO_LONG: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
