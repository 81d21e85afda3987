//! Cards, specs and manifests: TOML of any size and shape.

use std::io::{self, Write};
use std::path::Path;

use crate::base::{self, repeat, stream, write};
use crate::case::words;
use crate::{Case, Expect};

const FAMILY: &str = "cards";
const MEGABYTES: u64 = 1_000_000;

/// A kind of card: its file, its good text, the command that reads it.
pub(crate) const KINDS: [(&str, &str, &str); 5] = [
    ("spec.toml", base::SPEC, "plan spec.toml"),
    ("model.toml", base::MODEL, "models check model.toml"),
    ("benchmark.toml", base::BENCHMARK, "benchmarks check benchmark.toml"),
    ("scan.toml", base::SCAN, "plan scans.toml"),
    ("set.toml", base::DATASET, "datasets --manifests sets"),
];

/// Everything around a card of this kind, the card itself left out; returns where it goes.
pub(crate) fn around(folder: &Path, file: &str) -> io::Result<String> {
    base::good(folder)?;
    write(
        folder,
        "scans.toml",
        "name = \"maps\"\n[searchlight]\nscans = [\"scan.toml\"]\nmethods = [\"raw\"]\n",
    )?;
    std::fs::create_dir_all(folder.join("sets"))?;
    let _ = std::fs::remove_file(folder.join(file));
    Ok(if file == "set.toml" { "sets/set.toml".to_owned() } else { file.to_owned() })
}

/// A long text: start, repeated piece, end.
type Long = (&'static str, &'static [u8], &'static [u8], &'static [u8]);

pub(crate) fn cases() -> Vec<Case> {
    let long: [Long; 4] = [
        ("array", b"note = [", b"1,", b"]\n"),
        ("string", b"note = \"", b"a", b"\"\n"),
        ("nesting", b"note = ", b"[", b"\n"),
        ("comments", b"", b"#\n", b""),
    ];
    let mut cases = Vec::new();
    for (file, good, command) in KINDS {
        for (name, start, piece, end) in long {
            for bytes in [900_000, 2 * MEGABYTES, 100 * MEGABYTES] {
                let make = move |folder: &Path| {
                    let mut card = stream(folder, &around(folder, file)?)?;
                    card.write_all(start)?;
                    repeat(&mut card, piece, bytes)?;
                    card.write_all(end)?;
                    card.write_all(good.as_bytes())?;
                    card.flush()?;
                    Ok(words(command))
                };
                let name = format!("{file}: {name} of {bytes} bytes");
                // Below the limit of a card the text may be a good one: comments.
                let case = match bytes {
                    900_000 => Case::new(FAMILY, name, Expect::Either, make),
                    _ => Case::refused(FAMILY, name, &[file], make),
                };
                cases.push(if bytes > 2 * MEGABYTES { case.heavy() } else { case });
            }
        }
        let short: [(&str, Vec<u8>); 9] = [
            ("nothing", Vec::new()),
            ("not UTF-8", [good.as_bytes(), b"note = \"\xff\xfe\"\n"].concat()),
            ("zero bytes", vec![0; 4096]),
            ("tables of tables", [b"[".as_slice(), &b"a.".repeat(100_000), b"b]\n"].concat()),
            ("dotted keys", [&b"a.".repeat(100_000), b"b = 1\n".as_slice()].concat()),
            ("many keys", (0..50_000).map(|i| format!("k{i} = {i}\n")).collect::<String>().into_bytes()),
            ("many tables", (0..50_000).map(|i| format!("[t{i}]\n")).collect::<String>().into_bytes()),
            ("no end", b"identifier = \"\"\"".to_vec()),
            ("a long key", [&b"a".repeat(500_000), b" = 1\n".as_slice()].concat()),
        ];
        for (name, text) in short {
            cases.push(Case::refused(FAMILY, format!("{file}: {name}"), &[file], move |folder| {
                write(folder, &around(folder, file)?, &text)?;
                Ok(words(command))
            }));
        }
    }
    cases
}
