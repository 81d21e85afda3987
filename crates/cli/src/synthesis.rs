//! `ventral synthesize`, and the synthesised images of a job as a folder of files.

use std::path::{Path, PathBuf};

use ventral_aggregator::{JobFile, SetSummary, Syntheses, save_synthesis, synthesis_files};
use ventral_store::{JobRecord, Store};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::{folder, run, table, units};

/// Folder of the images in a job's directory.
const FOLDER: &str = "synthesis";

/// What was written.
pub struct Written {
    /// What the images are worth.
    pub syntheses: Syntheses,
    /// The folder.
    pub folder: PathBuf,
}

/// Runs a spec that makes images.
pub fn synthesize(context: &Context, spec: &Path) -> Outcome {
    if context.spec(spec)?.synthesis.is_none() {
        return Err(Exit::input(format!(
            "{}: it has no section [synthesis], which says what images to make; `ventral run` scores models",
            spec.display()
        )));
    }
    run::run(context, spec, true)
}

/// Writes the images of a job that was just computed below its directory; `None` for a job without synthesis.
pub fn after_run(store: &Store, id: &str, record: &JobRecord) -> Outcome<Option<Written>> {
    match save_synthesis(&record.plan, store, id, &record.failures)? {
        Some((syntheses, files)) => write(syntheses, &files, &store.job_dir(id).join(FOLDER)).map(Some),
        None => Ok(None),
    }
}

/// Writes the images of any job to a folder, which must be empty or not there.
pub fn export(context: &Context, job: Option<&str>, output: Option<&Path>) -> Outcome {
    let folder = folder::asked_for("synthesised images are", output)?;
    let (id, found) = match &context.remote {
        None => {
            let store = context.store()?;
            let (id, record) = context.record(&store, job)?;
            (id, synthesis_files(&record.plan, &store, &record.failures)?)
        }
        Some(remote) => {
            let (id, record, _) = remote.load(job)?;
            let sets = tempfile::tempdir().map_err(|error| Exit::Machine(error.into()))?;
            let store = Store::open(sets.path())?;
            remote.fetch_synthesis(&record.plan, &store)?;
            (id, synthesis_files(&record.plan, &store, &record.failures)?)
        }
    };
    let Some((syntheses, files)) = found else {
        return Err(Exit::input(format!("job {id} has no synthesised images: its spec has no [synthesis]")));
    };
    let written = write(syntheses, &files, folder)?;
    context.print(&written.syntheses, || text(&written))?;
    if written.syntheses.is_partial() { Err(Exit::Partial) } else { Ok(()) }
}

fn write(syntheses: Syntheses, files: &[JobFile], folder: &Path) -> Outcome<Written> {
    folder::write(files, folder)?;
    Ok(Written { syntheses, folder: folder.to_owned() })
}

/// The images for a terminal: a row for each model, and where the files are.
pub fn text(written: &Written) -> String {
    let mut table =
        table::new(&["model", "mean |r|", "max |r|", "natural images", "seed", "steps", "stopped", "folder"]);
    let sets = &written.syntheses.sets;
    for set in sets {
        table.add_row([
            set.model.clone(),
            format!("{:.4}", set.mean_abs_r),
            format!("{:.4}", set.max_abs_r),
            natural(set),
            format!("{} (best of {})", set.seed, set.restarts),
            units::count(set.steps),
            set.stop.clone(),
            written.folder.join(&set.folder).display().to_string(),
        ]);
    }
    let mut text = if sets.is_empty() { String::new() } else { format!("{table}\n") };
    for set in sets {
        for warning in &set.warnings {
            text.push_str(&format!("warning: {}: {warning}\n", set.model));
        }
    }
    for gap in &written.syntheses.gaps {
        text.push_str(&format!("missing: {gap}\n"));
    }
    for set in sets {
        text.push_str(&format!("report: {}\n", written.folder.join(&set.page).display()));
    }
    text
}

fn natural(set: &SetSummary) -> String {
    let natural = set.natural.as_ref();
    natural.map_or("not compared".to_owned(), |natural| format!("{:.3} ± {:.3}", natural.mean, natural.sd))
}
