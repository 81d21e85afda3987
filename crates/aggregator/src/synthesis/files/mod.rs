//! The files of a set of images: the images themselves, tables, a summary, figures, a page.

mod images;
mod summary;
mod tables;

use ventral_store::MAX_BLOB_IN_MEMORY_BYTES;

use super::collect::{Set, Stage};
use super::report::{figures, html};
use crate::Error;
use crate::output::JobFile;

/// Name of the page in the folder of a model.
pub(super) const PAGE: &str = "report.html";

/// All files of all sets, in a fixed order. Files that cannot be are among the warnings of their set.
pub(crate) fn files(stage: &mut Stage<'_>) -> Result<Vec<JobFile>, Error> {
    let mut files = Vec::new();
    for index in 0..stage.sets.len() {
        let (steps, longer) = tables::convergence(&stage.sets[index].restarts, MAX_BLOB_IN_MEMORY_BYTES)?;
        stage.sets[index].warnings.extend(longer.into_iter().map(too_long));
        add(stage, &stage.sets[index], steps, &mut files)?;
    }
    Ok(files)
}

fn too_long(seed: u64) -> String {
    format!(
        "The steps of seed {seed} take more than {} MiB and have no file; the figure shows them.",
        MAX_BLOB_IN_MEMORY_BYTES >> 20
    )
}

/// `steps` are those of each restart, by its seed.
fn add(stage: &Stage<'_>, set: &Set, steps: tables::Lines, files: &mut Vec<JobFile>) -> Result<(), Error> {
    let pictures = images::encoded(set)?;
    let mut add = |name: &str, what: &str, bytes: Vec<u8>| {
        files.push(JobFile::new(format!("{}/{name}", set.folder), what, bytes));
    };
    let page = html(stage, set, &pictures)?;
    for (number, bytes) in pictures.into_iter().enumerate() {
        add(&format!("images/{}", images::file(number)), "an image, 8 bits per channel, sRGB", bytes);
    }
    add("stimuli.csv", "the images as a stimulus set", images::table(set)?);
    add(
        "README.txt",
        "how a scan or benchmark card names the images",
        images::readme(stage, set).into_bytes(),
    );
    add("rsms.csv", "similarity of each pair of images in each layer, before and after", tables::rsms(set)?);
    add("correlation.csv", "how alike each pair of layers is", tables::correlation(set)?);
    add("summary.json", "all values, of all restarts", summary::json(stage, set));
    for (seed, bytes) in steps {
        add(&format!("convergence/{seed}.jsonl"), "the steps of a restart, a JSON document per line", bytes);
    }
    for (name, svg) in figures(set) {
        add(&format!("figures/{name}.svg"), "a figure of the page", svg.into_bytes());
    }
    add(PAGE, "all of it as a page, which needs nothing else", page.into_bytes());
    Ok(())
}
