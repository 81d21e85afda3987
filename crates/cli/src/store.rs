//! `ventral store`, and what a run does about damaged files of its job.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use ventral_aggregator::{FileEntry, MAPS_DOCUMENT, SYNTHESIS_DOCUMENT};
use ventral_store::verify::{Checked, Entry, Kind};
use ventral_store::{Error, Store};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::progress::{interrupted, stop_on_signal};
use crate::{results, table, units};

/// Documents that a run writes, beside the record of the job.
const DOCUMENTS: [&str; 3] = [MAPS_DOCUMENT, SYNTHESIS_DOCUMENT, results::REPORT];

#[derive(Serialize)]
struct Summary {
    store: PathBuf,
    kinds: Vec<Row>,
    damaged: Vec<Damaged>,
}

#[derive(Serialize)]
struct Row {
    kind: Kind,
    count: usize,
    bytes: u64,
    damaged: usize,
}

#[derive(Serialize)]
struct Damaged {
    kind: Kind,
    path: PathBuf,
    problem: String,
    removed: bool,
}

/// Reads everything in the store.
pub fn verify(context: &Context, repair: bool) -> Outcome {
    stop_on_signal();
    let store = context.shared_store()?;
    let entries = store.entries()?;
    let found: Vec<(&Entry, Checked)> = checked(&store, &entries)?;
    let mut rows: BTreeMap<Kind, Row> = BTreeMap::new();
    let mut damaged = Vec::new();
    for (entry, Checked { kind, path, problem }) in found {
        let row = rows.entry(kind).or_insert(Row { kind, count: 0, bytes: 0, damaged: 0 });
        row.count += 1;
        row.bytes += entry.bytes;
        let Some(problem) = problem else { continue };
        row.damaged += 1;
        if repair {
            store.discard_entry(entry)?;
        }
        damaged.push(Damaged { kind, path, problem, removed: repair });
    }
    let summary = Summary { store: store.root().to_owned(), kinds: rows.into_values().collect(), damaged };
    context.print(&summary, || text(&summary))?;
    if summary.damaged.iter().all(|damaged| damaged.removed) { Ok(()) } else { Err(Exit::Partial) }
}

/// Every entry with what was found, in their order.
fn checked<'a>(store: &Store, entries: &'a [Entry]) -> Outcome<Vec<(&'a Entry, Checked)>> {
    let bar = if std::io::stderr().is_terminal() {
        let template = "{prefix} {wide_bar:.cyan/dim} {pos:>6}/{len} files  {eta:>5} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(entries.len() as u64).with_style(style).with_prefix("reading")
    } else {
        ProgressBar::hidden()
    };
    let check = |entry: &'a Entry| {
        if interrupted() {
            return Err(Exit::Interrupted);
        }
        let checked = store.check(entry)?;
        bar.inc(1);
        Ok((entry, checked))
    };
    let found = entries.par_iter().map(check).collect();
    bar.finish_and_clear();
    found
}

fn text(summary: &Summary) -> String {
    let mut table = table::new(&["kind", "count", "size", "damaged"]);
    for row in &summary.kinds {
        let counts = [units::count(row.count as u64), units::bytes(row.bytes), row.damaged.to_string()];
        table.add_row([vec![row.kind.name().to_owned()], counts.to_vec()].concat());
    }
    table::align_numbers(&mut table, 1);
    let mut text = format!("{table}\n");
    for Damaged { path, problem, removed, .. } in &summary.damaged {
        let done = if *removed { " (removed)" } else { "" };
        text.push_str(&format!("damaged: {}: {problem}{done}\n", path.display()));
    }
    text.push_str(match summary.damaged.first() {
        None => "nothing is damaged\n",
        Some(damaged) if damaged.removed => "removed: `ventral run` with the specs of the jobs makes it anew\n",
        Some(_) => "`ventral run` with the spec of a job makes anew what is damaged of it; `ventral store verify --repair` removes all\n",
    });
    text
}

/// Discards the damaged documents of a job, and the damaged files among its results: the run writes all of them again.
///
/// # Errors
/// A store that fails.
pub fn discard_damaged(store: &Store, job: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Files {
        files: Vec<FileEntry>,
    }
    let tell = |error: &Error, what: &str| {
        if let Error::Damaged { path, problem } = error {
            eprintln!("discarded {}: {problem}; {what}", path.display());
        }
    };
    match store.load_job(job) {
        Err(error @ Error::Damaged { .. }) => tell(&error, "the job is planned again"),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        record => drop(record?),
    }
    for document in DOCUMENTS {
        let bytes = match store.document(job, document) {
            Err(error @ Error::Damaged { .. }) => {
                tell(&error, "it is written again");
                store.discard_document(job, document)?;
                continue;
            }
            bytes => bytes?.unwrap_or_default(),
        };
        let files = serde_json::from_slice::<Files>(&bytes).map_or_else(|_| Vec::new(), |found| found.files);
        for file in files {
            match store.verify_blob(&file.digest) {
                Err(error @ Error::Damaged { .. }) => {
                    tell(&error, "it is written again");
                    store.discard_blob(&file.digest)?;
                }
                verified => drop(verified?),
            }
        }
    }
    Ok(())
}
