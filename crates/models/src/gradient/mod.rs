//! Differentiable execution of model graphs: activations of layers, and gradients with respect to the image.
//!
//! The graph is the scorer's, the engine is not: a program of steps that go forwards and backwards, with products of matrices as the
//! only heavy work. Shapes and constants come from one run of the scorer's engine. Gradients are with respect to the image alone;
//! weights never change. Bytes do not depend on the number of threads: work is cut into pieces of fixed shape.

mod buffers;
mod compile;
mod fold;
mod ops;
mod preparation;
mod program;
mod real;

use std::sync::Arc;

use ndarray::{Array3, ArrayView1, ArrayView3, ArrayViewMut1};

use crate::engine::Engine;
use crate::network::{check_input, unknown, without_batch};
use crate::{Error, LOGITS, Layer, ModelCard};
use preparation::Preparation;
use program::{Memory, Program, Record};
pub use real::Real;

/// A model whose layers can be differentiated with respect to the image.
///
/// Images go through it one at a time and may do so in parallel; convolutions use the threads of the current rayon pool too.
///
/// In f32, gradients of the demo's networks are within 1e-4 of those in f64, relative to the largest partial derivative; activations
/// of all networks that were tried within 1e-5 of the scorer's, relative to the largest of the layer.
pub struct Differentiable<T> {
    identifier: String,
    program: Program<T>,
    layers: Vec<Layer>,
    preparation: Preparation<T>,
    memory: Memory<T>,
    trace_bytes: u64,
    /// What its traces are known by.
    mark: Arc<()>,
}

/// What [`Differentiable::forward`] leaves for [`Differentiable::backward`].
pub struct Trace<T> {
    record: Record<T>,
    mark: Arc<()>,
}

impl<T> Trace<T> {
    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.record.size()
    }
}

impl<T: Real> Differentiable<T> {
    /// Name and version of this engine, and of the library that multiplies its matrices: for digests of what depends on its last bits.
    pub const ENGINE: &'static str = "ventral gradient 1, faer 0.24.4";

    /// Loads the part of a card's graph between the image and `layers`, which are names of tensors; `logits` finds the output before
    /// the softmax. What comes after the last layer is not run.
    ///
    /// # Errors
    /// As [`crate::Network::load`]; [`Error::UnknownLayer`]; [`Error::Operator`] naming an operator between image and layers that
    /// has no gradient here; [`Error::Model`] if a layer does not depend on the image.
    pub fn load(card: &ModelCard, layers: &[String]) -> Result<Self, Error> {
        let file = card.open()?;
        let preprocessing = card.preprocessing()?.clone();
        let path = file.path().to_owned();
        let (graph, version) = (file.graph()?.clone(), file.version());
        let (engine, summary) = Engine::load(file)?;
        check_input(card, &preprocessing, &summary.input_shape)?;
        let names: Vec<String> = layers
            .iter()
            .map(|name| match &summary.logits {
                Some(logits) if name == LOGITS => logits.clone(),
                _ => name.clone(),
            })
            .collect();
        if let Some(name) = names.iter().find(|name| !summary.tensors.contains(name)) {
            return Err(unknown(&card.identifier, name, summary.tensors.iter().map(String::as_str)));
        }
        let part = compile::Part::between(&path, &graph, &summary.input, &names)?;
        drop(graph);
        let preparation = Preparation::new(&preprocessing);
        let facts = fold::facts(&engine, &preparation.grey(&preprocessing)?, &part.values, &part.constants)?;
        drop(engine);
        let image = (summary.input.as_str(), preprocessing.input_shape());
        let program = compile::compile(&path, &part, &facts, version, image, &names)?;
        let layer = |name: &String| {
            let shape = facts.shapes.get(name).cloned().flatten().unwrap_or_default();
            let features = shape.iter().product::<usize>() as u64;
            Layer { name: name.clone(), shape: without_batch(shape), features }
        };
        let mut loaded = Self {
            identifier: card.identifier.clone(),
            layers: names.iter().map(layer).collect(),
            program,
            preparation,
            memory: Memory::new(),
            trace_bytes: 0,
            mark: Arc::new(()),
        };
        loaded.trace_bytes = loaded.run(Array3::zeros(loaded.shape()).view(), true, &mut |_, _| ()).size();
        Ok(loaded)
    }

    /// Identifier of the card.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The layers, in the order asked for.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Height and width of the images: the size that the scorer takes without resizing. That is the network's input, or, for a card
    /// with `resize.shorter`, that many pixels a side, of which the network sees the middle.
    pub fn size(&self) -> [usize; 2] {
        self.preparation.size
    }

    /// Bytes kept per image between forward and backward.
    pub fn trace_bytes(&self) -> u64 {
        self.trace_bytes
    }

    /// Activations of the layers to `image` (3 x height x width, RGB, 0 to 1), each of a length of [`Layer::features`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the image or a target has another shape; [`Error::NonFinite`] (of stimulus 0, see
    /// [`Error::of_stimulus`]).
    pub fn forward(
        &self,
        image: ArrayView3<'_, T>,
        activations: &mut [ArrayViewMut1<'_, T>],
    ) -> Result<Trace<T>, Error> {
        self.pass(image, activations, true)
    }

    /// As [`Differentiable::forward`], keeping nothing.
    ///
    /// # Errors
    /// As [`Differentiable::forward`].
    pub fn activations(
        &self,
        image: ArrayView3<'_, T>,
        activations: &mut [ArrayViewMut1<'_, T>],
    ) -> Result<(), Error> {
        self.pass(image, activations, false).map(|_| ())
    }

    fn pass(
        &self,
        image: ArrayView3<'_, T>,
        activations: &mut [ArrayViewMut1<'_, T>],
        keep: bool,
    ) -> Result<Trace<T>, Error> {
        let shape = self.shape();
        check("image", &[shape.0, shape.1, shape.2], image.shape())?;
        self.check_lengths(activations.iter().map(|target| target.len()))?;
        let mut infinite = None;
        let record = self.run(image, keep, &mut |value, numbers| {
            for (index, target) in activations.iter_mut().enumerate() {
                if self.program.layers[index] == value {
                    copy(numbers, target);
                    let found = first_infinite(numbers);
                    infinite = infinite.or(found.map(|feature| (index, feature, numbers[feature])));
                }
            }
        });
        match infinite {
            Some((index, feature, value)) => Err(Error::NonFinite {
                layer: self.layers[index].name.clone(),
                stimulus: 0,
                feature,
                value: value.wide() as f32,
            }),
            None => Ok(Trace { record, mark: Arc::clone(&self.mark) }),
        }
    }

    /// The gradient with respect to the image (3 x height x width) of the sum over layers of `adjoints` times activations.
    ///
    /// # Errors
    /// [`Error::Shape`] if an adjoint has another length than its layer; [`Error::Trace`] if the trace is not of this model.
    pub fn backward(&self, trace: Trace<T>, adjoints: &[ArrayView1<'_, T>]) -> Result<Array3<T>, Error> {
        if !Arc::ptr_eq(&trace.mark, &self.mark) {
            return Err(Error::Trace { model: self.identifier.clone() });
        }
        self.check_lengths(adjoints.iter().map(|adjoint| adjoint.len()))?;
        let mut starts: Vec<Vec<T>> = self.program.sizes.iter().map(|_| Vec::new()).collect();
        for (&value, adjoint) in self.program.layers.iter().zip(adjoints) {
            let start = &mut starts[value];
            if start.is_empty() {
                *start = self.memory.numbers.zeros(adjoint.len());
            }
            match adjoint.as_slice() {
                Some(adjoint) => start.iter_mut().zip(adjoint).for_each(|(sum, &number)| *sum += number),
                None => start.iter_mut().zip(adjoint).for_each(|(sum, &number)| *sum += number),
            }
        }
        let gradient = self.program.backward(trace.record, starts, &self.memory);
        let image = self.preparation.backward(&gradient);
        self.memory.numbers.give(gradient);
        Ok(image)
    }

    fn run(&self, image: ArrayView3<'_, T>, keep: bool, seen: &mut dyn FnMut(usize, &[T])) -> Record<T> {
        let mut input = self.memory.numbers.take(self.program.sizes[0]);
        self.preparation.forward(image, &mut input);
        self.program.forward(input, &self.memory, keep, seen)
    }

    fn shape(&self) -> (usize, usize, usize) {
        let [height, width] = self.size();
        (3, height, width)
    }

    fn check_lengths(&self, found: impl ExactSizeIterator<Item = usize>) -> Result<(), Error> {
        check("list of layers", &[self.layers.len()], &[found.len()])?;
        for (layer, found) in self.layers.iter().zip(found) {
            check(&layer.name, &[layer.features as usize], &[found])?;
        }
        Ok(())
    }
}

fn copy<T: Real>(numbers: &[T], target: &mut ArrayViewMut1<'_, T>) {
    match target.as_slice_mut() {
        Some(target) => target.copy_from_slice(numbers),
        None => target.iter_mut().zip(numbers).for_each(|(target, &number)| *target = number),
    }
}

/// Whole blocks at a time, since as a rule there is none.
fn first_infinite<T: Real>(numbers: &[T]) -> Option<usize> {
    const BLOCK: usize = 1024;
    let sound = |block: &[T]| block.iter().fold(true, |sound, number| sound & (number.abs() < T::infinity()));
    let block = numbers.chunks(BLOCK).position(|block| !sound(block))?;
    numbers[block * BLOCK..].iter().position(|number| !number.is_finite()).map(|at| block * BLOCK + at)
}

fn check(what: &str, expected: &[usize], found: &[usize]) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Shape { what: what.to_owned(), expected: expected.to_vec(), found: found.to_vec() })
}
