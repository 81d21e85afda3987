//! `ventral synthesize`, and the synthesised images of a job as a folder of files.

use std::path::{Path, PathBuf};

use ventral_aggregator::{JobFile, SetSummary, Syntheses, save_synthesis, synthesis_files};
use ventral_store::{JobRecord, Store};

use crate::args::LockArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::remote::Remote;
use crate::{folder, run, table, units};

/// Folder of the images in a job's directory.
const FOLDER: &str = "synthesis";
/// Most restarts that are fetched for the table at the end of a followed job.
const MAX_FOLLOWED: usize = 100;

/// What was written.
pub struct Written {
    /// What the images are worth.
    pub syntheses: Syntheses,
    /// The folder.
    pub folder: PathBuf,
}

/// Runs a spec that makes images.
pub fn synthesize(context: &Context, spec: &Path, lock: LockArgs) -> Outcome {
    if context.spec(spec)?.synthesis.is_none() {
        return Err(Exit::input(format!(
            "{}: it has no section [synthesis], which says what images to make; `ventral run` scores models",
            spec.display()
        )));
    }
    run::run(context, spec, true, lock)
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
            (id, fetched(remote, &record)?)
        }
    };
    let Some((syntheses, files)) = found else {
        return Err(Exit::input(format!("job {id} has no synthesised images: its spec has no [synthesis]")));
    };
    let written = write(syntheses, &files, folder)?;
    context.print(&written.syntheses, || text(&written))?;
    if written.syntheses.is_partial() { Err(Exit::Partial) } else { Ok(()) }
}

/// The images of a cluster's job.
fn fetched(remote: &Remote, record: &JobRecord) -> Outcome<Option<(Syntheses, Vec<JobFile>)>> {
    let sets = tempfile::tempdir().map_err(|error| Exit::Machine(error.into()))?;
    let store = Store::open(sets.path())?;
    remote.fetch_synthesis(&record.plan, &store)?;
    Ok(synthesis_files(&record.plan, &store, &record.failures)?)
}

/// What the images of a cluster's job are worth, for a terminal; empty for a job without. What the models make of the natural images is
/// not fetched for it, as that may be many times as much as all else.
pub fn followed(remote: &Remote, id: &str, mut record: JobRecord) -> Outcome<String> {
    if record.plan.spec.synthesis.is_none() {
        return Ok(String::new());
    }
    let command =
        format!("images: `ventral export --what synthesis --output DIR {id}` writes them to a folder\n");
    if record.plan.syntheses.len() > MAX_FOLLOWED {
        return Ok(command);
    }
    record.plan.pools.clear();
    let Some((syntheses, _)) = fetched(remote, &record)? else { return Ok(command) };
    Ok(format!("{}{command}", sets_text(&syntheses, None)))
}

fn write(syntheses: Syntheses, files: &[JobFile], folder: &Path) -> Outcome<Written> {
    folder::write(files, folder)?;
    Ok(Written { syntheses, folder: folder.to_owned() })
}

/// The images for a terminal: a row for each model, and where the files are.
pub fn text(written: &Written) -> String {
    let mut text = sets_text(&written.syntheses, Some(&written.folder));
    for set in &written.syntheses.sets {
        text.push_str(&format!("report: {}\n", written.folder.join(&set.page).display()));
    }
    text
}

/// A row for each model, warnings, what is missing. Without a folder there are no natural images, either.
fn sets_text(syntheses: &Syntheses, folder: Option<&Path>) -> String {
    let mut head = vec!["model", "mean |r|", "max |r|", "seed", "steps", "stopped"];
    if folder.is_some() {
        head.extend(["natural images", "folder"]);
    }
    let mut table = table::new(&head);
    let sets = &syntheses.sets;
    for set in sets {
        let mut row = vec![
            set.model.clone(),
            format!("{:.4}", set.mean_abs_r),
            format!("{:.4}", set.max_abs_r),
            format!("{} (best of {})", set.seed, set.restarts),
            units::count(set.steps),
            set.stop.clone(),
        ];
        row.extend(
            folder
                .into_iter()
                .flat_map(|folder| [natural(set), folder.join(&set.folder).display().to_string()]),
        );
        table.add_row(row);
    }
    let mut text = if sets.is_empty() { String::new() } else { format!("{table}\n") };
    for set in sets {
        for warning in &set.warnings {
            text.push_str(&format!("warning: {}: {warning}\n", set.model));
        }
    }
    for gap in &syntheses.gaps {
        text.push_str(&format!("missing: {gap}\n"));
    }
    text
}

fn natural(set: &SetSummary) -> String {
    let natural = set.natural.as_ref();
    natural.map_or("not compared".to_owned(), |natural| format!("{:.3} ± {:.3}", natural.mean, natural.sd))
}
