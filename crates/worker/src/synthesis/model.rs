//! A model as synthesis needs it: its gradient, and the runtime that scores it.

use std::time::Instant;

use ndarray::{Array1, Array2, Array3, Array4, Axis};
use ventral_models::{ActivationSource as _, Differentiable, Images, ModelCard, Network, NetworkActivations};
use ventral_plan::{GradientFacts, JobSpec, ModelFacts, Plan, SynthesisUnit, told_apart};

use crate::{Error, LoadedModel};

/// Runs of the gradient that take longer are timed once.
const LONG_SECONDS: f64 = 1.0;

/// A model whose images are synthesised.
pub struct SynthesisModel {
    /// Forward and back.
    pub gradient: Differentiable<f32>,
    network: Network,
    /// Indices into the network's layers.
    layers: Vec<usize>,
}

impl SynthesisModel {
    /// Loads the layers of a unit.
    ///
    /// # Errors
    /// [`Error::Model`] for a card that cannot be loaded, or a graph that cannot be differentiated.
    pub fn load(card: &ModelCard, plan: &Plan, unit: &SynthesisUnit) -> Result<Self, Error> {
        let names: Vec<String> = plan.synthesis_layer_names(unit).into_iter().map(str::to_owned).collect();
        Self::with_layers(card, &names)
    }

    /// Loads these layers, in the order of the graph.
    ///
    /// # Errors
    /// As [`SynthesisModel::load`].
    pub fn with_layers(card: &ModelCard, names: &[String]) -> Result<Self, Error> {
        let gradient = Differentiable::load(card, names)?;
        let network = Network::load(card)?;
        let layers = gradient.layers().iter().map(|layer| network.layer(&layer.name));
        Ok(Self { layers: layers.collect::<Result<_, _>>()?, gradient, network })
    }

    /// Activations of 8-bit images (n x height x width x RGB) in the runtime that scores models, one array per layer.
    ///
    /// # Errors
    /// [`Error::Model`] if the run fails.
    pub fn scored(&self, images: &Array4<u8>) -> Result<Vec<Array2<f32>>, Error> {
        let images = Pictures(images);
        let source = NetworkActivations::new(&self.network, &images, None);
        Ok(source.activations(0..images.len(), &self.layers)?)
    }
}

/// 8-bit images of a batch.
struct Pictures<'a>(&'a Array4<u8>);

impl Images for Pictures<'_> {
    fn len(&self) -> usize {
        self.0.len_of(Axis(0))
    }

    fn pixels(&self, index: usize) -> Result<Array3<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.index_axis(Axis(0), index).to_owned())
    }
}

/// Loads the gradient of the layers that are told apart, and runs it on a grey image to see how long it takes.
///
/// # Errors
/// As [`SynthesisModel::load`].
pub fn gradient_facts(
    spec: &JobSpec,
    card: &ModelCard,
    model: &LoadedModel,
    facts: &ModelFacts,
) -> Result<GradientFacts, Error> {
    let names: Vec<String> =
        told_apart(spec, facts).into_iter().map(|layer| facts.layers[layer].name.clone()).collect();
    let gradient = Differentiable::<f32>::load(card, &names)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| Error::Mismatch(format!("cannot start a thread: {error}")))?;
    let mut seconds_per_image = pool.install(|| seconds(&gradient))?;
    // The first run takes memory and prepares kernels.
    if seconds_per_image < LONG_SECONDS {
        seconds_per_image = seconds_per_image.min(pool.install(|| seconds(&gradient))?);
    }
    Ok(GradientFacts {
        engine: Differentiable::<f32>::ENGINE.to_owned(),
        size: gradient.size(),
        trace_bytes: gradient.trace_bytes(),
        working_bytes: match model {
            LoadedModel::Network(network) => network.forward_bytes(),
            LoadedModel::Given { .. } => 0,
        },
        seconds_per_image,
    })
}

/// Seconds of a grey image forward and back.
fn seconds(gradient: &Differentiable<f32>) -> Result<f64, Error> {
    let [height, width] = gradient.size();
    let grey = Array3::from_elem((3, height, width), 0.5);
    let mut layers: Vec<Array1<f32>> =
        gradient.layers().iter().map(|layer| Array1::zeros(layer.features as usize)).collect();
    let started = Instant::now();
    let mut rows: Vec<_> = layers.iter_mut().map(|layer| layer.view_mut()).collect();
    let trace = gradient.forward(grey.view(), &mut rows)?;
    let adjoints: Vec<_> = layers.iter().map(|layer| layer.view()).collect();
    gradient.backward(trace, &adjoints)?;
    Ok(started.elapsed().as_secs_f64())
}
