//! Recordings made from a layer of a model, in the format of real ones.

use ndarray::{Array3, ArrayView2, Axis};
use ventral_data::{Assembly, REPETITION, StimulusSet, Table, Values};
use ventral_metrics::{SimulatedNeurons, Simulation, TileConsumer};
use ventral_models::{Error as ModelError, NetworkActivations, StreamLimits, stream};

use crate::model::Stimuli;
use crate::{Error, LoadedModel, Observer};

/// What to simulate, and how to label it.
#[derive(Debug, Clone)]
pub struct SimulationRequest {
    /// Layer whose units the neurons mix.
    pub layer: String,
    /// Identifier of the assembly.
    pub identifier: String,
    /// Region of every neuroid.
    pub region: String,
    /// Neurons, repeats, reliability, seed.
    pub simulation: Simulation,
    /// Memory for activations, in bytes.
    pub memory_bytes: u64,
}

/// Shows `stimuli` to a network and records from simulated neurons of one of its layers.
///
/// Presentations are ordered by repetition, then stimulus; their labels are those of the stimuli and `repetition`. Responses are
/// rounded to f32, as recordings are.
///
/// # Errors
/// An unknown layer (with the nearest names), given activations instead of a network, an impossible simulation, interruption.
pub fn simulate(
    model: &LoadedModel,
    stimuli: &StimulusSet,
    request: &SimulationRequest,
    observer: &dyn Observer,
) -> Result<Assembly, Error> {
    let LoadedModel::Network(network) = model else {
        return Err(Error::Mismatch(
            "simulation needs a network: this card has given activations".to_owned(),
        ));
    };
    let layer = network.layer(&request.layer)?;
    let context = |source| Error::Metric { context: format!("simulating from {}", request.layer), source };
    let features = network.layers()[layer].features as usize;
    let mut neurons =
        SimulatedNeurons::new(request.simulation.clone(), stimuli.len(), features).map_err(context)?;
    let images = Stimuli { set: stimuli, observer };
    let source = NetworkActivations::new(network, &images, None);
    let limits = StreamLimits { memory_bytes: request.memory_bytes, spill_dir: None, spill_bytes: 0 };
    let mut sink = |_, first, tile: ArrayView2<'_, f32>| {
        let failed = |error: ventral_metrics::Error| ModelError::Sink {
            layer: request.layer.clone(),
            source: Box::new(error),
        };
        neurons.push(first, tile).map_err(failed)
    };
    let outcome = stream(&source, &[layer], &limits, &mut sink, &|_| ());
    if observer.interrupted() {
        return Err(Error::Interrupted);
    }
    outcome?;
    assembly(request, stimuli, &neurons.finish().map_err(context)?)
}

fn assembly(
    request: &SimulationRequest,
    stimuli: &StimulusSet,
    responses: &Array3<f64>,
) -> Result<Assembly, Error> {
    let (repeats, count, neurons) = responses.dim();
    let rows = repeats * count;
    let labels: Vec<usize> = (0..rows).map(|row| row % count).collect();
    let invalid = |error: ventral_data::ParseError| Error::Mismatch(error.to_string());
    let mut presentation = Table::new(rows);
    let id = |&row: &usize| stimuli.ids[row].clone();
    presentation.push("stimulus_id", Values::Text(labels.iter().map(id).collect())).map_err(invalid)?;
    for column in stimuli.table.columns() {
        let known = ["stimulus_id", "image_id", "filename", REPETITION].contains(&column.name.as_str());
        if let (false, Some(values)) = (known, column.values.select(&labels)) {
            presentation.push(column.name.clone(), values).map_err(invalid)?;
        }
    }
    let repetition = (0..rows).map(|row| (row / count) as i64).collect();
    presentation.push(REPETITION, Values::Integer(repetition)).map_err(invalid)?;
    let mut neuroid = Table::new(neurons);
    let name = |neuron: usize| format!("{}.{neuron:03}", request.identifier);
    neuroid.push("neuroid_id", Values::Text((0..neurons).map(name).collect())).map_err(invalid)?;
    neuroid.push("region", Values::Text(vec![request.region.clone(); neurons])).map_err(invalid)?;
    let rounded = responses.mapv(|value| f64::from(value as f32));
    let flat = rounded.into_shape_with_order((rows, neurons));
    let flat = flat.map_err(|error| Error::Mismatch(error.to_string()))?;
    Ok(Assembly {
        identifier: request.identifier.clone(),
        values: flat.insert_axis(Axis(2)),
        presentation,
        neuroid,
        time_bins: Vec::new(),
        neuroid_axis: "neuroid".to_owned(),
        extra_groups: Vec::new(),
    })
}
