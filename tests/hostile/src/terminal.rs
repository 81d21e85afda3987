//! Texts of files that would steer a terminal, run a formula in a spreadsheet or break out of a table.

use std::path::Path;

use crate::base::{self, write};
use crate::case::words;
use crate::{Case, Expect};

const FAMILY: &str = "terminal";

/// Sequences of TOML for characters that must not be printed as they are.
const SEQUENCES: [(&str, &str); 6] = [
    ("clears the screen", "\\u001b[2J\\u001b[H"),
    ("sets the title of the window", "\\u001b]0;hacked\\u0007"),
    ("an eight-bit control", "\\u009b31m"),
    ("goes back over the line", "safe\\rhacked\\b\\b"),
    ("turns the direction of writing", "\\u202etxt.exe\\u202c"),
    ("hides characters", "a\\u200b\\u2066b\\u2069\\ufeff"),
];

/// What stays of them when nothing is filtered.
const HARMFUL: [&str; 8] = ["\u{1b}", "\u{7}", "\u{9b}", "\u{8}", "\r", "\u{202e}", "\u{2066}", "\u{feff}"];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String,
                   make: fn(&Path, &str) -> std::io::Result<()>,
                   command: &'static str,
                   text: &'static str| {
        let make = move |folder: &Path| {
            base::good(folder)?;
            make(folder, text)?;
            Ok(words(command))
        };
        cases.push(Case::new(FAMILY, name, Expect::Runs(HARMFUL.to_vec()), make));
    };
    for (what, text) in SEQUENCES {
        let citation: fn(&Path, &str) -> std::io::Result<()> = |folder, text| {
            write(folder, "benchmark.toml", base::BENCHMARK.replace("Four images", text))?;
            let card = std::fs::read_to_string(folder.join("benchmark.toml"))?;
            write(
                folder,
                "benchmark.toml",
                card.replacen("title", &format!("citation = \"{text}\"\ntitle"), 1),
            )?;
            write(
                folder,
                "model.toml",
                base::MODEL.replace("Numbers", text).replacen(
                    "description",
                    &format!("citation = \"{text}\"\ndescription"),
                    1,
                ),
            )?;
            write(folder, "spec.toml", format!("title = \"{text}\"\n{}", base::SPEC))
        };
        for command in [
            "benchmarks benchmark.toml",
            "benchmarks check benchmark.toml",
            "--json benchmarks benchmark.toml",
            "models model.toml",
            "plan spec.toml",
            "--json plan spec.toml",
            "run spec.toml",
            "--json run spec.toml",
        ] {
            add(format!("`{command}`: {what}"), citation, command, text);
        }
    }
    for (what, text) in SEQUENCES {
        // The text is in the error.
        let make = move |folder: &Path| {
            base::good(folder)?;
            write(folder, "benchmark.toml", base::BENCHMARK.replace("\"rdm\"", &format!("\"{text}\"")))?;
            Ok(words("benchmarks check benchmark.toml"))
        };
        cases.push(Case::refused(
            FAMILY,
            format!("in an error: {what}"),
            &["benchmark.toml", "metric"],
            make,
        ));
        let make = move |folder: &Path| {
            base::good(folder)?;
            let text = text
                .replace("\\u001b", "\u{1b}")
                .replace("\\u009b", "\u{9b}")
                .replace("\\u202e", "\u{202e}")
                .replace("\\u0007", "\u{7}");
            write(folder, "responses.csv", format!("stimulus_id,n0\na,{text}\nb,2\nc,3\nd,4\n"))?;
            Ok(words("benchmarks check benchmark.toml"))
        };
        cases.push(Case::refused(FAMILY, format!("in a table: {what}"), &["responses.csv"], make));
    }
    cases
}
