//! `ventral simulate`: recordings with a known origin.

use std::path::{Path, PathBuf};

use ventral_data::{StimulusSet, write_assembly};
use ventral_metrics::Simulation;
use ventral_models::ModelCard;
use ventral_worker::{
    Event, LoadedModel, Observer, SimulationRequest, default_memory_bytes, simulate as record, try_model,
};

use crate::args::SimulateArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::progress::{interrupted, stop_on_signal};

pub struct Quiet;

impl Observer for Quiet {
    fn on(&self, _: &Event<'_>) {}

    fn interrupted(&self) -> bool {
        interrupted()
    }
}

/// Writes the assembly.
pub fn simulate(context: &Context, arguments: &SimulateArgs) -> Outcome {
    stop_on_signal();
    let card =
        ModelCard::load(&crate::cards::card_file(&arguments.model, "model.toml"), context.data.as_deref())?;
    try_model(&card, context.data.as_deref(), None)?;
    let request = SimulationRequest {
        layer: arguments.layer.clone(),
        identifier: arguments.identifier.clone(),
        region: arguments.region.clone(),
        simulation: Simulation {
            neurons: arguments.neurons,
            units: arguments.units,
            repeats: arguments.repeats,
            reliability: arguments.reliability,
            seed: arguments.seed,
        },
        memory_bytes: context.memory.unwrap_or_else(default_memory_bytes),
    };
    let stimuli = stimuli(context, &arguments.stimuli)?;
    let assembly = record(&LoadedModel::load(&card)?, &stimuli, &request, &Quiet)?;
    write_assembly(&arguments.output, &assembly)?;
    let (presentations, neuroids, _) = assembly.values.dim();
    eprintln!(
        "{}: {neuroids} neuroids from {} of {}, {presentations} presentations of {} stimuli",
        arguments.output.display(),
        arguments.layer,
        card.identifier,
        stimuli.len()
    );
    Ok(())
}

/// Folder with the images of a table, where there is no archive: that of synthesised images.
const IMAGES: &str = "images";

/// The stimuli of a benchmark card, or of a CSV with its images beside it.
pub fn stimuli(context: &Context, path: &Path) -> Outcome<StimulusSet> {
    if path.extension().is_some_and(|extension| extension == "csv") {
        let identifier = path.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(StimulusSet::from_table(&identifier, path, &images_of(path)?)?);
    }
    let card = crate::cards::card_file(path, "benchmark.toml");
    Ok(ventral_data::load_benchmark(&card, context.data.as_deref())?.stimuli)
}

/// The images of a table: a ZIP of the same name, or else the folder `images`, beside it.
pub fn images_of(table: &Path) -> Outcome<PathBuf> {
    let (archive, folder) = (table.with_extension("zip"), table.with_file_name(IMAGES));
    if archive.is_file() {
        return Ok(archive);
    }
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Exit::input(format!(
        "{}: not there, and neither is the folder {}; the images of {} belong into one of them",
        archive.display(),
        folder.display(),
        table.display()
    )))
}
