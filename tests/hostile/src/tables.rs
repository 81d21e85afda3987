//! Tables of responses.

use std::io::{self, Write};
use std::path::Path;

use crate::base::{self, repeat, stream, write};
use crate::case::words;
use crate::{Case, Expect};

const FAMILY: &str = "tables";
const TABLE: &str = "responses.csv";
const COMMAND: &str = "benchmarks check benchmark.toml";

/// A good benchmark whose table is written by `table`.
fn made(folder: &Path, table: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<Vec<String>> {
    base::good(folder)?;
    let mut to = stream(folder, TABLE)?;
    table(&mut to)?;
    to.flush()?;
    Ok(words(COMMAND))
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for megabytes in [2, 250] {
        let bytes = megabytes << 20;
        let name = |what: &str| format!("{what}, {megabytes} MiB");
        let mut add = |name: String, start: &'static [u8], piece: &'static [u8]| {
            let make = move |folder: &Path| {
                made(folder, |mut to| {
                    to.write_all(start)?;
                    repeat(&mut to, piece, bytes)
                })
            };
            let case = Case::refused(FAMILY, name, &[TABLE], make);
            cases.push(if megabytes > 2 { case.heavy() } else { case });
        };
        add(name("commas"), b"", b",");
        add(name("commas below a head"), b"stimulus_id,n0\n", b",");
        add(name("commas and open quotes"), b"stimulus_id,n0\nx\"", b"\"\n,,,,,,,,,,,,,,,,,,,,,,,,,,,");
        add(name("lines of a comma"), b"stimulus_id,n0\n", b",\n");
        add(name("a cell without an end"), b"stimulus_id,n0\na,\"", b"x");
        add(name("quotes"), b"", b"\"");
        add(name("zero bytes"), b"", b"\0");
        add(name("a long name of a column"), b"stimulus_id,", b"n");
    }
    for columns in [99_000, 100_000, 1_000_000] {
        let make = move |folder: &Path| {
            made(folder, |to| {
                write!(to, "stimulus_id")?;
                (1..columns).try_for_each(|column| write!(to, ",n{column}"))?;
                for (row, image) in base::IMAGES.iter().enumerate() {
                    write!(to, "\n{image}")?;
                    (1..columns).try_for_each(|column| write!(to, ",{}", (row * column) % 7))?;
                }
                writeln!(to)
            })
        };
        cases.push(match columns {
            1_000_000 => Case::refused(FAMILY, "1,000,000 columns", &[TABLE, "columns"], make),
            _ => Case::new(FAMILY, format!("{columns} columns"), Expect::Runs(Vec::new()), make),
        });
    }
    for (name, text) in [
        ("nothing", ""),
        ("a head alone", "stimulus_id,n0\n"),
        ("a ragged row", "stimulus_id,n0\na,1,2\n"),
        ("a short row", "stimulus_id,n0\na\n"),
        ("a column twice", "stimulus_id,n0,n0\na,1,2\n"),
        ("a number that is none", "stimulus_id,n0\na,1\nb,1e999\nc,NaN\nd,inf\n"),
        ("rows twice", "stimulus_id,n0\na,1\na,2\nb,1\nc,1\n"),
        ("unknown images", "stimulus_id,n0\nx,1\ny,2\n"),
    ] {
        cases.push(Case::new(
            FAMILY,
            name,
            // Repetitions of an image are averaged.
            Expect::Refuses(vec![]),
            move |folder| {
                base::good(folder)?;
                write(folder, TABLE, text)?;
                Ok(words(COMMAND))
            },
        ));
    }
    cases
}
