//! Where activations come from.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ndarray::{Array2, Array3, ArrayView2, ArrayViewMut1, Axis};

use crate::{Error, Network, place_on_screen};

/// One layer of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Name of the tensor in the graph.
    pub name: String,
    /// Shape for one stimulus, such as channels x height x width.
    pub shape: Vec<usize>,
    /// Product of the shape; features are in row-major order of it.
    pub features: u64,
}

/// Something that has activations of layers to a fixed list of stimuli.
///
/// An activation depends on its layer and stimulus alone, never on what is asked for with it, and is finite.
pub trait ActivationSource {
    /// The layers.
    fn layers(&self) -> &[Layer];

    /// How many stimuli there are.
    fn stimuli(&self) -> usize;

    /// One array (stimuli of the range x features) per asked layer, in the order asked.
    ///
    /// # Errors
    /// [`Error::NonFinite`], and whatever computing or reading activations can fail with.
    fn activations(&self, stimuli: Range<usize>, layers: &[usize]) -> Result<Vec<Array2<f32>>, Error>;

    /// All activations of a layer as they are, where 32 bit rounds them.
    fn exact(&self, _layer: usize) -> Option<ArrayView2<'_, f64>> {
        None
    }
}

/// A list of images.
pub trait Images: Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pixels of image `index` (height x width x 3, RGB).
    ///
    /// # Errors
    /// Whatever loading can fail with.
    fn pixels(&self, index: usize) -> Result<Array3<u8>, Box<dyn std::error::Error + Send + Sync>>;
}

impl Images for Vec<Array3<u8>> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn pixels(&self, index: usize) -> Result<Array3<u8>, Box<dyn std::error::Error + Send + Sync>> {
        self.get(index).cloned().ok_or_else(|| format!("there are only {} images", Images::len(self)).into())
    }
}

/// Activations of a network to images.
///
/// Images run in parallel, as many at a time as the current rayon pool has threads.
pub struct NetworkActivations<'a> {
    network: &'a Network,
    images: &'a dyn Images,
    degrees: Option<f64>,
    placed: usize,
}

impl<'a> NetworkActivations<'a> {
    /// `degrees` is the visual angle that the images span; they are placed on the screen accordingly (spec §2.5). `None` shows them
    /// filling the network's input.
    pub fn new(network: &'a Network, images: &'a dyn Images, degrees: Option<f64>) -> Self {
        Self { network, images, degrees, placed: usize::MAX }
    }

    /// Images from `first` on fill the network's input, whatever the degrees of the others.
    #[must_use]
    pub fn filling_from(self, first: usize) -> Self {
        Self { placed: first, ..self }
    }

    fn one(
        &self,
        worker: &crate::engine::Worker,
        stimulus: usize,
        layers: &[usize],
        rows: &mut [ArrayViewMut1<'_, f32>],
    ) -> Result<(), Error> {
        let failed = |message: String| Error::Stimulus { stimulus, message };
        let pixels = self.images.pixels(stimulus).map_err(|error| failed(error.to_string()))?;
        let degrees = self.degrees.filter(|_| stimulus < self.placed);
        let degrees = degrees.unwrap_or(self.network.visual_degrees());
        let shown = place_on_screen(&pixels, self.network.visual_degrees(), degrees).map_err(failed)?;
        self.network.forward(worker, stimulus, &shown, layers, rows)
    }
}

impl ActivationSource for NetworkActivations<'_> {
    fn layers(&self) -> &[Layer] {
        self.network.layers()
    }

    fn stimuli(&self) -> usize {
        self.images.len()
    }

    fn activations(&self, stimuli: Range<usize>, layers: &[usize]) -> Result<Vec<Array2<f32>>, Error> {
        check_request(self, &stimuli, layers)?;
        let mut result = empty(self.layers(), stimuli.len(), layers);
        let mut slots: Vec<Mutex<Slot<'_>>> =
            (0..stimuli.len()).map(|_| Mutex::new((Vec::new(), Ok(())))).collect();
        for array in &mut result {
            for (slot, row) in slots.iter_mut().zip(array.axis_iter_mut(Axis(0))) {
                slot.get_mut().unwrap_or_else(PoisonError::into_inner).0.push(row);
            }
        }
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let work = || {
            let worker = self.network.engine().worker();
            while !failed.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(slot) = slots.get(index) else { break };
                let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                let (rows, outcome) = &mut *slot;
                *outcome = self.one(&worker, stimuli.start + index, layers, rows);
                failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
            }
            self.network.engine().rest(worker);
        };
        let threads = rayon::current_num_threads().min(stimuli.len());
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        // Indices are handed out in order, so the first failure is the same for any number of threads.
        for slot in slots {
            slot.into_inner().unwrap_or_else(PoisonError::into_inner).1?;
        }
        Ok(result)
    }
}

type Slot<'a> = (Vec<ArrayViewMut1<'a, f32>>, Result<(), Error>);

/// Activations that were computed elsewhere and are held in memory.
pub struct GivenActivations {
    layers: Vec<Layer>,
    values: Vec<Array2<f32>>,
    exact: BTreeMap<String, Array2<f64>>,
    stimuli: usize,
}

impl GivenActivations {
    /// One array (stimuli x features) per layer.
    ///
    /// # Errors
    /// [`Error::Given`] if there is no layer, a layer is empty, a name occurs twice or the numbers of stimuli differ;
    /// [`Error::NonFinite`] if a value is NaN or infinite.
    pub fn new(layers: Vec<(String, Array2<f32>)>) -> Result<Self, Error> {
        Self::with_exact(layers, BTreeMap::new())
    }

    /// As [`GivenActivations::new`], with the layers that 32 bit rounds as they are; these may leave the range of 32 bit.
    ///
    /// # Errors
    /// As [`GivenActivations::new`].
    pub fn with_exact(
        layers: Vec<(String, Array2<f32>)>,
        exact: BTreeMap<String, Array2<f64>>,
    ) -> Result<Self, Error> {
        let Some(stimuli) = layers.first().map(|(_, values)| values.nrows()) else {
            return Err(Error::Given("there are no layers".into()));
        };
        let mut names = std::collections::HashSet::new();
        for (name, values) in &layers {
            if !names.insert(name.as_str()) {
                return Err(Error::Given(format!("layer {name:?} is given twice")));
            }
            if values.is_empty() || values.nrows() != stimuli {
                let (rows, columns) = values.dim();
                return Err(Error::Given(format!(
                    "layer {name:?} is {rows} stimuli x {columns} features, but the first layer has {stimuli} stimuli"
                )));
            }
            match exact.get(name) {
                Some(exact) => check_finite(name, exact)?,
                None => check_finite(name, values)?,
            }
        }
        let (names, values): (Vec<String>, Vec<Array2<f32>>) = layers.into_iter().unzip();
        let layers = names.into_iter().zip(&values).map(|(name, values)| Layer {
            name,
            shape: vec![values.ncols()],
            features: values.ncols() as u64,
        });
        Ok(Self { layers: layers.collect(), values, exact, stimuli })
    }
}

impl ActivationSource for GivenActivations {
    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn stimuli(&self) -> usize {
        self.stimuli
    }

    fn activations(&self, stimuli: Range<usize>, layers: &[usize]) -> Result<Vec<Array2<f32>>, Error> {
        check_request(self, &stimuli, layers)?;
        let part = |&layer: &usize| self.values[layer].slice(ndarray::s![stimuli.clone(), ..]).to_owned();
        Ok(layers.iter().map(part).collect())
    }

    fn exact(&self, layer: usize) -> Option<ArrayView2<'_, f64>> {
        self.exact.get(&self.layers.get(layer)?.name).map(|values| values.view())
    }
}

fn check_finite<T: Copy + Into<f64>>(name: &str, values: &Array2<T>) -> Result<(), Error> {
    match values.indexed_iter().find(|&(_, &value)| !value.into().is_finite()) {
        Some(((stimulus, feature), &value)) => {
            // NaN and infinity are those of 32 bit.
            let value = value.into() as f32;
            Err(Error::NonFinite { layer: name.to_owned(), stimulus, feature, value })
        }
        None => Ok(()),
    }
}

pub(crate) fn check_request(
    source: &dyn ActivationSource,
    range: &Range<usize>,
    layers: &[usize],
) -> Result<(), Error> {
    let stimuli = source.stimuli();
    if range.start > range.end || range.end > stimuli {
        return Err(Error::StimulusRange { start: range.start, end: range.end, stimuli });
    }
    let count = source.layers().len();
    match layers.iter().find(|&&layer| layer >= count) {
        Some(&index) => Err(Error::LayerIndex { index, layers: count }),
        None => Ok(()),
    }
}

fn empty(all: &[Layer], rows: usize, layers: &[usize]) -> Vec<Array2<f32>> {
    layers
        .iter()
        .map(|&layer| Array2::zeros((rows, usize::try_from(all[layer].features).unwrap_or(usize::MAX))))
        .collect()
}
