use std::collections::HashMap;

use ndarray::{Array3, ArrayViewMut1};
use rten::{NodeId, Value};
use rten_tensor::Layout as _;

use crate::engine::{Engine, Worker};
use crate::onnx::InputShape;
use crate::preprocess::{Layout, Preprocessing};
use crate::walk::walk;
use crate::{Error, Layer, ModelCard, select_layers, suggest};

/// Images per run of the graph. One, so that an activation depends on its image alone: with more, how products are blocked, and with
/// it the last bits, would depend on the company an image is in. Images run in parallel instead.
pub const FORWARD_BATCH: usize = 1;
/// The name under which the output before the softmax is found in any model.
pub const LOGITS: &str = "logits";

/// A model graph that is ready to run, and which of its tensors are layers.
pub struct Network {
    identifier: String,
    engine: Engine,
    preprocessing: Preprocessing,
    tensors: Vec<Layer>,
    layers: Vec<Layer>,
    handles: Vec<NodeId>,
    /// Indices of layers that the card's patterns do not name.
    committed: Vec<usize>,
    logits: Option<String>,
    digest: String,
}

impl Network {
    /// Loads the model that a card describes, and runs it once on a grey image to learn the shape of every tensor.
    ///
    /// # Errors
    /// As [`ModelCard::digest`]; [`Error::Operator`] if the graph needs an operator that cannot be executed; [`Error::Run`] if the
    /// run fails; [`Error::Card`] if the input has another size than the card says; [`Error::UnknownLayer`] if a layer, region or
    /// readout of the card is not in the graph.
    pub fn load(card: &ModelCard) -> Result<Self, Error> {
        let file = card.open()?;
        let digest = card.digest_with(&file)?;
        let preprocessing = card.preprocessing()?.clone();
        let (engine, summary) = Engine::load(file)?;
        check_input(card, &preprocessing, &summary.input_shape)?;
        let tensors = measure(&engine, &preprocessing, &summary.tensors)?;
        let known = |name: &String| tensors.iter().any(|(layer, _)| layer.name == *name);
        let logits = summary.logits.filter(known);
        let names: Vec<&str> = tensors.iter().map(|(layer, _)| layer.name.as_str()).collect();
        let chosen = select_layers(card, &names, logits.as_deref())?;
        Ok(Self {
            identifier: card.identifier.clone(),
            engine,
            preprocessing,
            layers: chosen.iter().map(|&(index, _)| tensors[index].0.clone()).collect(),
            handles: chosen.iter().map(|&(index, _)| tensors[index].1).collect(),
            committed: (0..chosen.len()).filter(|&layer| !chosen[layer].1).collect(),
            tensors: tensors.into_iter().map(|(layer, _)| layer).collect(),
            logits,
            digest,
        })
    }

    /// The layers of the card, in the order of the graph.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Indices, ascending, of the layers that are there only because a region or the readout commits to them.
    pub fn committed_layers(&self) -> &[usize] {
        &self.committed
    }

    /// Every floating-point tensor that depends on the image, in the order of the graph: what a card may name as a layer.
    pub fn tensors(&self) -> &[Layer] {
        &self.tensors
    }

    /// Index in [`Network::layers`] of a layer by name; `logits` finds the output before the softmax.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] with the nearest names.
    pub fn layer(&self, name: &str) -> Result<usize, Error> {
        let actual = match &self.logits {
            Some(logits) if name == LOGITS => logits,
            _ => name,
        };
        let found = self.layers.iter().position(|layer| layer.name == actual);
        found.ok_or_else(|| {
            unknown(&self.identifier, name, self.layers.iter().map(|layer| layer.name.as_str()))
        })
    }

    /// Digest of everything that can change an activation; equal to [`ModelCard::digest`].
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Identifier of the card.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Visual degrees that the input spans.
    pub fn visual_degrees(&self) -> f64 {
        self.preprocessing.degrees
    }

    /// Bytes of all tensors for one image: an upper bound of what one run keeps besides the weights and what operators use inside.
    pub fn forward_bytes(&self) -> u64 {
        self.tensors.iter().map(|layer| layer.features * 4).sum()
    }

    /// Runs one image (height x width x 3, RGB, already at the model's visual angle) and writes the asked layers into `rows`.
    pub(crate) fn forward(
        &self,
        worker: &Worker,
        stimulus: usize,
        pixels: &Array3<u8>,
        layers: &[usize],
        rows: &mut [ArrayViewMut1<'_, f32>],
    ) -> Result<(), Error> {
        let failed = |message| Error::Stimulus { stimulus, message };
        let image = self.preprocessing.apply(pixels.view()).map_err(failed)?;
        let handles: Vec<NodeId> =
            layers.iter().filter_map(|&layer| self.handles.get(layer).copied()).collect();
        let values = self.engine.run(worker, image.view(), &handles)?;
        for ((&layer, value), row) in layers.iter().zip(&values).zip(rows) {
            copy_finite(&self.layers[layer], stimulus, value, row)?;
        }
        Ok(())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

pub(crate) fn unknown<'a>(model: &str, layer: &str, names: impl Iterator<Item = &'a str>) -> Error {
    Error::UnknownLayer {
        model: model.to_owned(),
        layer: layer.to_owned(),
        nearest: suggest::nearest(layer, names),
    }
}

pub(crate) fn check_input(
    card: &ModelCard,
    preprocessing: &Preprocessing,
    declared: &InputShape,
) -> Result<(), Error> {
    let Some(declared) = declared else { return Ok(()) };
    let invalid = |message: String| Err(Error::Card { path: card.path().to_owned(), message });
    let expected = preprocessing.input_shape();
    let shown: Vec<String> =
        declared.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string())).collect();
    let shown = shown.join(" x ");
    if declared.len() != 4 {
        return invalid(format!(
            "the input of {} is {shown}; a vision model takes batch x channels x height x width",
            card.source().display()
        ));
    }
    if declared[0].is_some_and(|batch| batch != 1) {
        return invalid(format!(
            "the input of {} is {shown}: a fixed batch; export the model with batch size 1 or an open batch size",
            card.source().display()
        ));
    }
    let agrees =
        declared.iter().zip(expected).all(|(dim, expected)| dim.is_none_or(|dim| dim == expected as u64));
    if agrees {
        return Ok(());
    }
    let layout = match preprocessing.layout {
        Layout::Nchw => "nchw",
        Layout::Nhwc => "nhwc",
    };
    invalid(format!(
        "`input.size = {:?}` with layout {layout} makes {expected:?}, but the input of {} is {shown}; correct `size` or `layout`",
        preprocessing.size,
        card.source().display()
    ))
}

/// Sends a grey image through the graph, within the limits of [`walk`], and returns its floating-point tensors with their sizes.
fn measure(
    engine: &Engine,
    preprocessing: &Preprocessing,
    names: &[String],
) -> Result<Vec<(Layer, NodeId)>, Error> {
    let [height, width] = preprocessing.size.map(|side| side as usize);
    let grey = Array3::from_elem((height, width, 3), crate::screen::BACKGROUND);
    let image =
        preprocessing.apply(grey.view()).map_err(|message| Error::Stimulus { stimulus: 0, message })?;
    let mut shapes = HashMap::new();
    walk(engine, image.view(), &mut |name, value| {
        if let Some(view) = value.as_tensor_view::<f32>() {
            shapes.insert(name.to_owned(), view.shape().to_vec());
        }
    })?;
    let layer = |name: &String| {
        let (shape, handle) = (shapes.remove(name)?, engine.tensor(name)?);
        let features: usize = shape.iter().product();
        let layer = Layer { name: name.clone(), shape: without_batch(shape), features: features as u64 };
        (features > 0).then_some((layer, handle))
    };
    Ok(names.iter().filter_map(layer).collect())
}

pub(crate) fn without_batch(mut shape: Vec<usize>) -> Vec<usize> {
    if shape.len() > 1 && shape.first() == Some(&1) {
        shape.remove(0);
    }
    shape
}

fn copy_finite(
    layer: &Layer,
    stimulus: usize,
    value: &Value,
    row: &mut ArrayViewMut1<'_, f32>,
) -> Result<(), Error> {
    let size = |found| Error::LayerSize { layer: layer.name.clone(), stimulus, expected: row.len(), found };
    let Some(view) = value.as_tensor_view::<f32>() else { return Err(size(0)) };
    if view.len() != row.len() {
        return Err(size(view.len()));
    }
    let contiguous = view.to_contiguous();
    for (target, &source) in row.iter_mut().zip(contiguous.data()) {
        *target = source;
    }
    match row.iter().position(|value| !value.is_finite()) {
        Some(feature) => {
            Err(Error::NonFinite { layer: layer.name.clone(), stimulus, feature, value: row[feature] })
        }
        None => Ok(()),
    }
}
