//! The maps of a job as a folder of files.

use std::path::{Path, PathBuf};

use ventral_aggregator::{JobFile, Maps, SetsSummary, map_files, save_maps};
use ventral_store::{JobRecord, Store};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::{folder, table};

/// Folder of the maps in a job's directory.
const FOLDER: &str = "maps";
/// The page of the maps in their folder.
const PAGE: &str = "report.html";

/// What was written.
pub struct Written {
    /// What the maps say.
    pub maps: Maps,
    /// The folder.
    pub folder: PathBuf,
    /// The page.
    pub page: PathBuf,
}

/// Makes the maps of a job that was just computed, and writes them below its directory; `None` for a job without searchlights.
pub fn after_run(store: &Store, id: &str, record: &JobRecord) -> Outcome<Option<Written>> {
    let Some((maps, files)) = save_maps(&record.plan, store, id, &record.failures)? else { return Ok(None) };
    write(maps, &files, &store.job_dir(id).join(FOLDER)).map(Some)
}

/// Writes the maps of any job to a folder, which must be empty or not there.
pub fn export(context: &Context, job: Option<&str>, output: Option<&Path>) -> Outcome {
    let folder = folder::asked_for("maps are", output)?;
    let (id, found) = match &context.remote {
        None => {
            let store = context.store()?;
            let (id, record) = context.record(&store, job)?;
            let found = map_files(&record.plan, &store, &record.failures)?;
            (id, found)
        }
        Some(remote) => {
            let (id, record, _) = remote.load(job)?;
            let pieces = tempfile::tempdir().map_err(|error| Exit::Machine(error.into()))?;
            let store = Store::open(pieces.path())?;
            remote.fetch_maps(&record.plan, &store)?;
            (id, map_files(&record.plan, &store, &record.failures)?)
        }
    };
    let Some((maps, files)) = found else {
        return Err(Exit::input(format!("job {id} has no brain maps: its spec has no [searchlight]")));
    };
    let written = write(maps, &files, folder)?;
    context.print(&written.maps, || text(&written))?;
    if written.maps.is_partial() { Err(Exit::Partial) } else { Ok(()) }
}

fn write(maps: Maps, files: &[JobFile], folder: &Path) -> Outcome<Written> {
    folder::write(files, folder)?;
    Ok(Written { maps, page: folder.join(PAGE), folder: folder.to_owned() })
}

/// The maps for a terminal: a table of layers for each model and scan, notes, and where the files are.
pub fn text(written: &Written) -> String {
    let mut text = String::new();
    for source in &written.maps.sources {
        let whose = match (source.group, source.subjects.first()) {
            (true, _) => format!("group of {} subjects, peak: t", source.subjects.len()),
            (false, Some(first)) => format!("subject {first} of {}", source.subjects.len()),
            _ => String::new(),
        };
        text.push_str(&format!("{} on {}: {} maps, {whose}\n", source.source, source.scan, source.method));
        let mut table = table::new(&["layer", "voxels", "won", "peak", "x, y, z (mm)", "variance inflation"]);
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        for layer in &source.layers {
            let place = layer.peak_mm.map(|mm| mm.map(|c| format!("{c:.0}")).join(", "));
            table.add_row([
                layer.layer.clone(),
                layer.voxels.to_string(),
                layer.won.map_or("-".to_owned(), |won| won.to_string()),
                number(layer.peak),
                place.unwrap_or_else(|| "-".to_owned()),
                number(layer.variance_inflation),
            ]);
        }
        text.push_str(&format!("{table}\n"));
        let overlaps: Vec<String> = source
            .overlap
            .iter()
            .filter_map(|(method, value)| Some(format!("{method} {:.2}", (*value)?)))
            .collect();
        if !overlaps.is_empty() {
            text.push_str(&format!(
                "overlap of the layers' highest voxels (Dice): {}\n",
                overlaps.join(", ")
            ));
        }
        for note in &source.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text.push('\n');
    }
    for found in &written.maps.comparisons {
        text.push_str(&comparison(found));
    }
    for gap in &written.maps.gaps {
        text.push_str(&format!("missing: {gap}\n"));
    }
    text.push_str(&format!("maps: {} ({} files)\n", written.folder.display(), written.maps.files.len()));
    text.push_str(&format!("report: {}\n", written.page.display()));
    text
}

/// Overlap with synthesised and with natural images in a line.
fn comparison(found: &SetsSummary) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
    let residual = found.method.as_ref();
    let residual =
        residual.map_or(String::new(), |method| format!(", {method} {}", number(found.residual_overlap)));
    format!(
        "{}, {}, overlap of layers (Dice): {} (synthesised) {}; {} (natural) raw {}{residual}\n",
        found.source,
        found.level,
        found.synthesised,
        number(found.synthesised_overlap),
        found.natural,
        number(found.natural_overlap)
    )
}
