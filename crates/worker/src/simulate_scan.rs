//! Brains made from the layers of a model: near the place of a layer, images are as alike as in the layer.

use ndarray::{Array2, ArrayView2, Axis, stack};
use ventral_data::StimulusSet;
use ventral_metrics::{GramBuilder, LayerGram, Precision, TileConsumer, rdm};
use ventral_models::{Error as ModelError, StreamLimits, stream};
use ventral_searchlight::Grid;
use ventral_searchlight::simulation::{Scene, rsm_factor};

use crate::{Error, LoadedModel, Observer};

/// Integer values that a standard deviation of the signal at the middle of a blob is written as.
const UNITS_PER_SIGNAL: f32 = 100.0;

/// Simulated people: who sees what, and where the layers are.
pub struct SimulatedBrains {
    /// Names of the layers, in the order of the network.
    pub layers: Vec<String>,
    /// Where the layers are.
    pub scene: Scene,
    grid: Grid,
    voxels: Vec<u32>,
    factors: Vec<Array2<f64>>,
}

/// How the layers lie in simulated brains.
#[derive(Debug, Clone)]
pub struct BrainRequest {
    /// Standard deviation of the blob of a layer in voxels.
    pub sigma_voxels: f64,
    /// Standard deviation of the signal at the middle of a blob over that of the noise.
    pub snr: f64,
    /// Memory for activations, in bytes.
    pub memory_bytes: u64,
    /// Names of the layers that get a place; all of the model when empty.
    pub layers: Vec<String>,
}

impl SimulatedBrains {
    /// Reads layers of a model on `stimuli` and gives each a place in the mask, from back to front.
    ///
    /// # Errors
    /// A layer that is not there, a model that cannot be read, interruption, a layer whose images do not differ, a mask that is too small.
    pub fn new(
        model: &LoadedModel,
        stimuli: &StimulusSet,
        grid: Grid,
        voxels: Vec<u32>,
        request: &BrainRequest,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let chosen = chosen(model, &request.layers)?;
        let layers: Vec<String> = chosen.iter().map(|&layer| model.layers()[layer].name.clone()).collect();
        let rsms = layer_rsms(model, &chosen, stimuli, request.memory_bytes, observer)?;
        let named = |source| Error::Map { context: "simulated brains".to_owned(), source };
        let factor = |row: ndarray::ArrayView1<'_, f64>| rsm_factor(&row.to_vec(), stimuli.len());
        let factors = rsms.rows().into_iter().map(factor).collect::<Result<_, _>>().map_err(named)?;
        let mut scene = Scene::new(layers.len(), &grid, &voxels, request.snr).map_err(named)?;
        scene.sigma_voxels = request.sigma_voxels;
        Ok(Self { layers, scene, grid, voxels, factors })
    }

    /// The volumes of one person, one per image, x fastest; 0 outside of the mask.
    ///
    /// # Errors
    /// A width of blobs that has no meaning.
    pub fn volumes(&self, seed: u64) -> Result<Vec<i16>, Error> {
        let named = |source| Error::Map { context: "simulated brains".to_owned(), source };
        let values = self.scene.subject(&self.factors, &self.grid, &self.voxels, seed).map_err(named)?;
        let (size, images) = (self.grid.len(), values.ncols());
        let mut volumes = vec![0i16; size * images];
        for (row, &voxel) in values.rows().into_iter().zip(&self.voxels) {
            for (image, value) in row.iter().enumerate() {
                // A cast of a float ends at the largest integer.
                volumes[image * size + voxel as usize] = (value * UNITS_PER_SIGNAL).round() as i16;
            }
        }
        Ok(volumes)
    }

    /// The layer that each voxel is nearest to, from 1, within two widths of a blob; 0 for the others.
    #[must_use]
    pub fn truth(&self) -> Vec<i16> {
        let within = 2.0 * self.scene.sigma_voxels;
        let mut truth = vec![0i16; self.grid.len()];
        for &voxel in &self.voxels {
            let layer = self.scene.truth(&self.grid, voxel, within);
            truth[voxel as usize] = layer.map_or(0, |layer| i16::try_from(layer + 1).unwrap_or(i16::MAX));
        }
        truth
    }
}

/// Indices of named layers, in the order of the network; all without names.
fn chosen(model: &LoadedModel, names: &[String]) -> Result<Vec<usize>, Error> {
    let known = || model.layers().iter().map(|layer| layer.name.as_str());
    if let Some(unknown) = names.iter().find(|name| known().all(|known| known != *name)) {
        let list = known().collect::<Vec<_>>().join(", ");
        return Err(Error::Mismatch(format!("the model has no layer '{unknown}'; it has {list}")));
    }
    let wanted = |(_, name): &(usize, &str)| names.is_empty() || names.iter().any(|other| other == name);
    Ok(known().enumerate().filter(wanted).map(|(index, _)| index).collect())
}

/// Similarities of the images in each of these layers: layers x pairs.
fn layer_rsms(
    model: &LoadedModel,
    layers: &[usize],
    stimuli: &StimulusSet,
    memory_bytes: u64,
    observer: &dyn Observer,
) -> Result<Array2<f64>, Error> {
    let names: Vec<&str> = layers.iter().map(|&layer| model.layers()[layer].name.as_str()).collect();
    let context = |layer: usize| {
        let context = format!("simulating from {}", names[layer]);
        move |source| Error::Metric { context: context.clone(), source }
    };
    let new = |layer| GramBuilder::new(stimuli.len(), Precision::F64).map_err(context(layer));
    let mut builders: Vec<GramBuilder> = (0..names.len()).map(new).collect::<Result<_, _>>()?;
    let limits = StreamLimits { memory_bytes, spill_dir: None, spill_bytes: 0 };
    let mut sink = |layer: usize, first: u64, tile: ArrayView2<'_, f32>| {
        let Some(layer) = layers.iter().position(|&asked| asked == layer) else { return Ok(()) };
        let failed = |error: ventral_metrics::Error| ModelError::Sink {
            layer: names[layer].to_owned(),
            source: Box::new(error),
        };
        builders[layer].push(first, tile).map_err(failed)
    };
    model.with_stimuli(stimuli, stimuli.len(), None, observer, |source| {
        let outcome = stream(source, layers, &limits, &mut sink, &|_| ());
        if observer.interrupted() { Err(Error::Interrupted) } else { Ok(outcome.map(|_| ())?) }
    })?;
    let rsm = |(layer, builder): (usize, GramBuilder)| {
        let gram: Result<LayerGram, _> = builder.finish();
        Ok::<_, Error>(
            gram.and_then(|gram| rdm(&gram)).map_err(context(layer))?.mapv(|distance| 1.0 - distance),
        )
    };
    let rows: Vec<_> = builders.into_iter().enumerate().map(rsm).collect::<Result<_, _>>()?;
    let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
    stack(Axis(0), &views).map_err(|error| Error::Mismatch(error.to_string()))
}
