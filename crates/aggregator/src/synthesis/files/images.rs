//! The images as PNG files, and as a set that scan and benchmark cards can name.

use ndarray::Axis;

use crate::Error;
use crate::picture::photograph;
use crate::synthesis::collect::{Set, Stage};

/// Folder of the images beside the table.
const FOLDER: &str = "images";

/// "01.png" for the first.
pub(super) fn file(index: usize) -> String {
    format!("{:02}.png", index + 1)
}

/// Identifier of an image: not a number, which tables would read as one.
pub(super) fn identifier(index: usize) -> String {
    format!("synth{:02}", index + 1)
}

/// The images as PNG, in order.
pub(super) fn encoded(set: &Set) -> Result<Vec<Vec<u8>>, Error> {
    set.images.axis_iter(Axis(0)).map(photograph).collect()
}

/// `stimulus_id,filename`; the names are relative to the folder of images.
pub(super) fn table(set: &Set) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["stimulus_id", "filename"])?;
    for index in 0..set.images.dim().0 {
        writer.write_record([identifier(index), file(index)])?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}

/// What the folder is, and the lines that a card needs.
pub(super) fn readme(stage: &Stage<'_>, set: &Set) -> String {
    let (count, height, width, _) = set.images.dim();
    let model = &stage.plan.models[set.model].identifier;
    let names: Vec<String> = (0..count).map(|index| format!("{:?}", identifier(index))).collect();
    let names = names.join(", ");
    format!(
        "{count} images of {width} x {height} pixels (8 bits per channel, sRGB), made by ventral {} so that these layers of {model} are \
         told apart:\n{}\n\n\
         report.html    everything on a page\n\
         {FOLDER}/        the images\n\
         stimuli.csv    their identifiers and files\n\
         summary.json   all values, of all restarts\n\n\
         In a scan or benchmark card beside stimuli.csv:\n\n\
         [stimuli]\nformat = \"table\"\ntable = \"stimuli.csv\"\nfile = \"{FOLDER}\"\n\n\
         In a scan card besides, with one volume per image in this order:\n\n\
         [conditions]\nnames = [{names}]\n\n[labels]\nconditions = [{names}]\n",
        env!("CARGO_PKG_VERSION"),
        set.layers.join(", ")
    )
}
