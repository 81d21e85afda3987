//! `ventral datasets`: known data sets, what is here, and how the rest gets here.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use ventral_data::{DatasetManifest, FetchFrom, FetchProgress, FileState, FileStatus};

use crate::args::DatasetsAction;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::{table, units};

/// Lists, verifies or fetches.
pub fn datasets(context: &Context, manifests: &Path, action: Option<DatasetsAction>) -> Outcome {
    let sets = DatasetManifest::load_all(manifests)?;
    match action.unwrap_or(DatasetsAction::List) {
        DatasetsAction::List => list(context, &sets),
        DatasetsAction::Verify { id } => {
            let chosen = match id {
                Some(id) => vec![find(&sets, &id)?.clone()],
                None => sets,
            };
            verify(context, &chosen)
        }
        DatasetsAction::Fetch { id, mirror } => fetch(context, find(&sets, &id)?, mirror),
    }
}

fn find<'a>(sets: &'a [DatasetManifest], id: &str) -> Outcome<&'a DatasetManifest> {
    sets.iter().find(|set| set.id == id).ok_or_else(|| {
        let known: Vec<&str> = sets.iter().map(|set| set.id.as_str()).collect();
        Exit::input(format!("no data set '{id}'; there are {}", known.join(", ")))
    })
}

fn data_dir(context: &Context) -> Outcome<&Path> {
    context.data.as_deref().ok_or_else(|| {
        Exit::input("no data directory: create one and name it with --data DIR or VENTRAL_DATA")
    })
}

fn list(context: &Context, sets: &[DatasetManifest]) -> Outcome {
    #[derive(Serialize)]
    struct Entry<'a> {
        #[serde(flatten)]
        set: &'a DatasetManifest,
        bytes: u64,
        here: Option<usize>,
        entries: usize,
    }
    let entries: Vec<Entry<'_>> = sets
        .iter()
        .map(|set| {
            let paths: Vec<&PathBuf> =
                set.files.iter().map(|f| &f.path).chain(set.folders.iter().map(|f| &f.path)).collect();
            let here =
                context.data.as_ref().map(|data| paths.iter().filter(|p| data.join(p).exists()).count());
            Entry { set, bytes: set.bytes(), here, entries: paths.len() }
        })
        .collect();
    context.print(&entries, || {
        let mut table = table::new(&["data set", "size", "here", "licence", "title"]);
        for entry in &entries {
            let here = match entry.here {
                None => "VENTRAL_DATA is not set".to_owned(),
                Some(here) if here == entry.entries => "yes".to_owned(),
                Some(here) => format!("{here} of {}", entry.entries),
            };
            table.add_row([&entry.set.id, &units::bytes(entry.bytes), &here, &entry.set.licence, &entry.set.title]);
        }
        format!("{table}\nfetch one with `ventral datasets fetch ID`, check digests with `ventral datasets verify`")
    })
}

fn verify(context: &Context, sets: &[DatasetManifest]) -> Outcome {
    let data = data_dir(context)?;
    let mut all: Vec<(String, FileStatus)> = Vec::new();
    for set in sets {
        all.extend(set.status(data)?.into_iter().map(|status| (set.id.clone(), status)));
    }
    context.print(&all, || {
        let mut table = table::new(&["data set", "file", "size", "state"]);
        for (id, status) in &all {
            let state = match &status.state {
                FileState::Present => "ok".to_owned(),
                FileState::Missing if status.published => "missing".to_owned(),
                FileState::Missing => "missing, only from a mirror".to_owned(),
                FileState::Damaged { digest } => format!("damaged: its digest is {digest}"),
                FileState::Unverified { digest } => {
                    format!("here; no digest is known to compare with, its sha256 is {digest}")
                }
            };
            let size = status.bytes.map_or_else(String::new, units::bytes);
            table.add_row([id.clone(), status.path.display().to_string(), size, state]);
        }
        table.to_string()
    })?;
    let bad = all
        .iter()
        .filter(|(_, status)| matches!(status.state, FileState::Missing | FileState::Damaged { .. }))
        .count();
    if bad == 0 { Ok(()) } else { Err(Exit::Machine(anyhow::anyhow!("{bad} files are missing or damaged"))) }
}

fn fetch(context: &Context, set: &DatasetManifest, mirror: Option<PathBuf>) -> Outcome {
    let data = data_dir(context)?;
    tell!("{}: {}, licence: {}", set.id, units::bytes(set.bytes()), set.licence);
    let current: Mutex<Option<(PathBuf, ProgressBar)>> = Mutex::new(None);
    let show = |progress: FetchProgress<'_>| {
        let Ok(mut slot) = current.lock() else { return };
        if slot.as_ref().is_none_or(|(path, _)| path != progress.path) {
            let bar = ProgressBar::with_draw_target(Some(progress.total), ProgressDrawTarget::stderr());
            let template = "{prefix} {wide_bar:.cyan/dim} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_prefix(progress.path.display().to_string());
            *slot = Some((progress.path.to_owned(), bar));
        }
        if let Some((_, bar)) = slot.as_ref() {
            bar.set_position(progress.done);
        }
    };
    let from = mirror.as_deref().map_or(FetchFrom::Network, FetchFrom::Mirror);
    let report = set.fetch(data, from, &show)?;
    context.print(&report, || {
        let mut text =
            format!("{}: {} fetched, {} were here", set.id, report.fetched.len(), report.present.len());
        for path in &report.unverified {
            text.push_str(&format!("\nnot verified, for no digest is known: {}", path.display()));
        }
        text
    })
}
