//! `ventral simulate-scan`: brain volumes whose layers have a known place.

use std::fs;
use std::path::{Component, Path, PathBuf};

use ventral_data::{BenchmarkCard, Intent, MapValues, NiftiMap, Placement, read_volume};
use ventral_models::ModelCard;
use ventral_searchlight::Grid;
use ventral_worker::{BrainRequest, LoadedModel, SimulatedBrains, default_memory_bytes};

use crate::args::SimulateScanArgs;
use crate::cards::card_file;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::progress::stop_on_signal;
use crate::simulate::{Quiet, images_of, stimuli};

/// Voxels of the brain that is taken where no mask is given.
const EGG_SHAPE: [usize; 3] = [22, 28, 18];
/// Their sizes in mm.
const EGG_MM: [f64; 3] = [4.0, 4.0, 5.0];

/// Where the voxels are, and which of them are the brain.
struct Brain {
    grid: Grid,
    placement: Placement,
    voxels: Vec<u32>,
}

/// Writes the folder.
pub fn simulate(context: &Context, arguments: &SimulateScanArgs) -> Outcome {
    stop_on_signal();
    let folder = &arguments.output;
    if folder.exists() {
        return Err(Exit::input(format!("{}: is there already; name a new folder", folder.display())));
    }
    let card = ModelCard::load(&card_file(&arguments.model, "model.toml"), context.data.as_deref())?;
    let images = stimuli(context, &arguments.stimuli)?;
    let brain = match &arguments.mask {
        Some(path) => from_mask(path)?,
        None => egg().map_err(|error| Exit::Internal(error.into()))?,
    };
    let request = BrainRequest {
        sigma_voxels: arguments.sigma,
        snr: arguments.snr,
        memory_bytes: context.memory.unwrap_or_else(default_memory_bytes),
        layers: arguments.layers.clone(),
    };
    ventral_worker::try_model(&card, context.data.as_deref(), None)?;
    let model = LoadedModel::load(&card)?;
    let brains = SimulatedBrains::new(&model, &images, brain.grid, brain.voxels.clone(), &request, &Quiet)?;
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let mut mask = vec![0u8; brain.grid.len()];
    brain.voxels.iter().for_each(|&voxel| mask[voxel as usize] = 1);
    brain.write(folder, "mask.nii.gz", Intent::None, MapValues::U8(&mask))?;
    brain.write(folder, "truth.nii.gz", Intent::Label, MapValues::I16(&brains.truth()))?;
    let mut text = head(arguments, &card.identifier, &images.ids, &brains.layers);
    text.push_str(&stimuli_section(&arguments.stimuli, folder)?);
    for number in 1..=arguments.subjects {
        let name = format!("sub-{number:02}.nii.gz");
        let volumes = brains.volumes(u64::from(arguments.seed) << 32 | u64::from(number))?;
        brain.write(folder, &name, Intent::None, MapValues::I16(&volumes))?;
        text.push_str(&format!(
            "\n[[subject]]\nid = \"{number:02}\"\nmask = {{ file = \"mask.nii.gz\" }}\n\n[[subject.run]]\nvolumes = [{{ file = \"{name}\" }}]\n"
        ));
    }
    let path = folder.join("scan.toml");
    fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
    tell!(
        "{}: {} people, {} voxels, {} images, layers {}",
        path.display(),
        arguments.subjects,
        brain.voxels.len(),
        images.len(),
        brains.layers.join(", ")
    );
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Exit {
    Exit::Machine(anyhow::anyhow!("cannot write {}: {error}", path.display()))
}

/// The card up to its images.
fn head(arguments: &SimulateScanArgs, model: &str, ids: &[String], layers: &[String]) -> String {
    let quoted = |text: &String| format!("{text:?}");
    let names = ids.iter().map(quoted).collect::<Vec<_>>().join(", ");
    format!(
        "identifier = {:?}\nversion = \"1\"\ntitle = \"Simulated people: {model}, each layer at its own place\"\nspace = \"simulated\"\nnote = \"Simulated, not recorded. \
         Layers from back to front: {}; truth.nii.gz has their numbers from 1. Signal-to-noise {}, width {} voxels, seed {}.\"\n\n\
         [conditions]\nnames = [{names}]\n\n[labels]\nconditions = [{names}]\n\n",
        arguments.identifier,
        layers.join(", "),
        arguments.snr,
        arguments.sigma,
        arguments.seed
    )
}

/// The images: as the benchmark card has them, or a table beside its archive or folder. Paths are relative to the new card.
fn stimuli_section(path: &Path, folder: &Path) -> Outcome<String> {
    if path.extension().is_some_and(|extension| extension == "csv") {
        let table = path.file_name().unwrap_or_default().to_string_lossy();
        let images = relative(&images_of(path)?, folder)?.display().to_string();
        return Ok(format!("[stimuli]\nformat = \"table\"\ntable = {table:?}\nfile = {images:?}\n"));
    }
    let file = card_file(path, "benchmark.toml");
    let text = ventral_input::read_card(&file)
        .map_err(|error| Exit::input(format!("{}: {error}", file.display())))?;
    let mut stimuli = BenchmarkCard::parse(&text, &file)?.stimuli;
    if let Some(named) = &stimuli.file {
        stimuli.file = Some(relative(&file.with_file_name("").join(named), folder)?);
    }
    let section = toml::to_string(&stimuli).map_err(|error| Exit::Internal(error.into()))?;
    Ok(format!("[stimuli]\n{section}"))
}

/// The way from a folder to a file; both are there.
fn relative(file: &Path, folder: &Path) -> Outcome<PathBuf> {
    let full = |path: &Path| {
        path.canonicalize().map_err(|error| Exit::input(format!("{}: {error}", path.display())))
    };
    let (file, folder) = (full(file)?, full(folder)?);
    let common = file.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    Ok(up.chain(file.components().skip(common)).collect())
}

fn from_mask(path: &Path) -> Outcome<Brain> {
    let volume = read_volume(path)?;
    let inside = volume.values.iter().enumerate().filter(|(_, value)| **value > 0.0);
    let voxels = inside.map(|(index, _)| index as u32).collect();
    Ok(Brain { grid: volume.header.grid, placement: volume.header.placement, voxels })
}

/// An egg, blunt at the back.
fn egg() -> Result<Brain, ventral_searchlight::Error> {
    let mut affine = [[0.0; 4]; 4];
    for axis in 0..3 {
        affine[axis][axis] = EGG_MM[axis];
        affine[axis][3] = -EGG_MM[axis] * (EGG_SHAPE[axis] - 1) as f64 / 2.0;
    }
    affine[3][3] = 1.0;
    let grid = Grid::new(EGG_SHAPE, affine)?;
    let inside = |index: &usize| {
        let place = grid.position(*index);
        let [x, y, z] =
            std::array::from_fn(|axis| 2.0 * (place[axis] as f64 + 0.5) / EGG_SHAPE[axis] as f64 - 1.0);
        let narrower = 1.0 + 0.25 * y;
        (x * narrower).powi(2) + y * y + (z * narrower).powi(2) < 0.92
    };
    let voxels = (0..grid.len()).filter(inside).map(|index| index as u32).collect();
    let [x, y, z] = EGG_MM;
    let placement = Placement {
        qform_code: 0,
        sform_code: 2,
        quaternion: [0.0; 3],
        offset: [0.0; 3],
        srow: [affine[0], affine[1], affine[2]],
        pixdim: [1.0, x, y, z, 1.0, 1.0, 1.0, 1.0],
        units: 2,
    };
    Ok(Brain { grid, placement, voxels })
}

impl Brain {
    fn write(&self, folder: &Path, name: &str, intent: Intent, values: MapValues<'_>) -> Outcome {
        let map = NiftiMap {
            grid: &self.grid,
            placement: &self.placement,
            intent,
            description: "simulated",
            values,
        };
        Ok(map.write(&folder.join(name))?)
    }
}
