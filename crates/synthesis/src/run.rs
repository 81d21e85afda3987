//! The loop.

use std::marker::PhantomData;

use ndarray::{Array2, Array4, ArrayView4, Axis};
use rayon::prelude::*;

use crate::checkpoint::{self, Progress, State};
use crate::objective::{self, Summary, Terms};
use crate::parametrisation::Decoder;
use crate::quantise::quantise;
use crate::stop::{MEASURE_EVERY, SAME_MEASUREMENTS, verdict};
use crate::transforms::Transform;
use crate::{
    Adam, CheckpointError, Error, Network, Real, Settings, StepError, StepRecord, StopReason, regulariser,
};

/// Largest absolute gradient of a parameter; the square of a larger one is no f32.
const MAX_GRADIENT: f64 = 1e18;
/// Values of 0..1 that are black or white in eight bits lie within this of the end.
const HALF_GREY: f64 = 0.5 / 255.0;

/// A synthesis under way. `T` is the type of images and activations.
///
/// Parameters are f32, everything between them and the images is f64. Step t depends on the settings, the network, the state
/// before it and t; not on the number of threads.
pub struct Run<T> {
    settings: Settings,
    decoder: Decoder,
    state: State,
    numbers: PhantomData<fn() -> T>,
}

/// What is measured without a transform.
struct Measurement {
    mean_abs_r: f64,
    same: Vec<[usize; 2]>,
}

/// A step before it is taken.
struct Proposal {
    gradient: Vec<f64>,
    record: StepRecord,
    measured: Option<Measurement>,
}

impl<T: Real> Run<T> {
    /// Random images, no step taken.
    ///
    /// # Errors
    /// See [`Settings::check`].
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let decoder = Decoder::new(&settings)?;
        let parameters = decoder.start(settings.seed);
        let adam = Adam::new(parameters.len());
        let state = State { parameters, adam, progress: Progress::default() };
        Ok(Self { settings, decoder, state, numbers: PhantomData })
    }

    /// A run that goes on where [`Run::checkpoint`] was called; all further bytes are the same.
    ///
    /// # Errors
    /// [`CheckpointError`] says whether the bytes are foreign, cut short, damaged or of other settings.
    pub fn resume(settings: Settings, checkpoint: &[u8]) -> Result<Self, CheckpointError> {
        let decoder = Decoder::new(&settings)?;
        let state = checkpoint::decode(&settings, size_of::<T>(), decoder.parameters(), checkpoint)?;
        Ok(Self { settings, decoder, state, numbers: PhantomData })
    }

    /// Everything that the next step depends on: 12 bytes per parameter, and a line of JSON per step of at most
    /// 400 + 24 x layers bytes.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        checkpoint::encode(&self.settings, size_of::<T>(), &self.state)
    }

    /// Takes one step.
    ///
    /// # Errors
    /// [`StepError`]; the run is then as it was before.
    pub fn step<N: Network<T>>(&mut self, network: &N) -> Result<StepRecord, StepError<N::Error>> {
        let step = self.steps();
        if self.stopped().is_some() {
            return Err(StepError::Stopped { steps: step });
        }
        self.check_network(network.units()).map_err(|source| StepError::Synthesis { step, source })?;
        let proposal = self.propose(network).map_err(|failure| match failure {
            Failure::Network(source) => StepError::Network { step, source },
            Failure::Synthesis(source) => StepError::Synthesis { step, source },
        })?;
        if self.state.progress.units.is_empty() {
            self.state.progress.units = network.units().to_vec();
        }
        self.state.adam.step(&mut self.state.parameters, &proposal.gradient, self.settings.learning_rate);
        self.state.progress.records.push(proposal.record.clone());
        if let Some(measured) = proposal.measured {
            self.state.progress.note(measured.same);
        }
        Ok(proposal.record)
    }

    fn check_network(&self, units: &[usize]) -> Result<(), Error> {
        if units.len() < 2 {
            return Err(Error::TooFew { what: "layers", needed: 2, found: units.len() });
        }
        let known = &self.state.progress.units;
        if known.is_empty() || known == units {
            return Ok(());
        }
        let what = "units of the layers, since the first step";
        Err(Error::Mismatch { what, expected: format!("{known:?}"), found: format!("{units:?}") })
    }

    fn transform(&self) -> Option<Transform> {
        let active = self.settings.is_transformed(self.steps());
        active.then(|| Transform::draw(&self.settings.transforms, self.settings.seed, self.steps()))
    }

    fn propose<N: Network<T>>(&self, network: &N) -> Result<Proposal, Failure<N::Error>> {
        let images = self.decoded();
        let transform = self.transform();
        let due = self.steps().is_multiple_of(MEASURE_EVERY);
        let mut measured = None;
        if due && transform.is_some() {
            let layers = network.activations(cast::<T>(images.view()).view()).map_err(Failure::Network)?;
            self.check_layers(network.units(), &layers)?;
            let moments = objective::all_moments(&layers)?;
            let (matrix, _) = objective::correlations(objective::stack(&moments).view(), T::NO_SPREAD)?;
            measured = Some(measure::<T>(&matrix));
        }
        let (terms, mut gradient) = self.through(network, images.view(), transform)?;
        if due && transform.is_none() {
            measured = Some(measure::<T>(&terms.matrix));
        }
        let weights = &self.settings.objective;
        let variation = regulariser::total_variation(images.view(), weights.total_variation, &mut gradient);
        let range = regulariser::range(images.view(), weights.range, &mut gradient);
        let gradient = self.decoder.pull_back(images.view(), gradient.view())?;
        let gradient_norm = self.norm(&gradient)?;
        let j =
            terms.correlation + terms.spread + weights.total_variation * variation + weights.range * range;
        let summary = Summary::of(terms.matrix.view());
        let record = StepRecord {
            step: self.steps(),
            j,
            mean_abs_r: summary.mean_abs_r,
            max_abs_r: summary.max_abs_r,
            worst: summary.worst,
            sd: terms.sd,
            gradient_norm,
            clipped: clipped(&images),
            learning_rate: self.settings.learning_rate,
            untransformed: measured.as_ref().map(|measured| measured.mean_abs_r),
        };
        Ok(Proposal { gradient, record, measured })
    }

    /// Through transform and network and back.
    fn through<N: Network<T>>(
        &self,
        network: &N,
        images: ArrayView4<'_, f64>,
        transform: Option<Transform>,
    ) -> Result<(Terms, Array4<f64>), Failure<N::Error>> {
        let seen = match transform {
            Some(transform) => cast::<T>(transform.apply(images).view()),
            None => cast::<T>(images),
        };
        let (layers, trace) = network.forward(seen.view()).map_err(Failure::Network)?;
        self.check_layers(network.units(), &layers)?;
        let (terms, adjoints) = objective::of_activations(layers, &self.settings.objective)?;
        let gradient = network.backward(trace, &adjoints).map_err(Failure::Network)?;
        if gradient.dim() != images.dim() {
            let what = "shape of the network's gradient";
            let (expected, found) = (format!("{:?}", images.dim()), format!("{:?}", gradient.dim()));
            return Err(Error::Mismatch { what, expected, found }.into());
        }
        let gradient = match transform {
            Some(transform) => transform.pull_back(gradient.view()),
            None => cast_back(gradient.view()),
        };
        Ok((terms, gradient))
    }

    fn check_layers(&self, units: &[usize], layers: &[Array2<T>]) -> Result<(), Error> {
        let expected: Vec<_> = units.iter().map(|&units| (self.settings.images, units)).collect();
        let found: Vec<_> = layers.iter().map(Array2::dim).collect();
        if expected == found {
            return Ok(());
        }
        let what = "images and units of the network's layers";
        Err(Error::Mismatch { what, expected: format!("{expected:?}"), found: format!("{found:?}") })
    }

    /// Euclidean norm; the sum of squares of each image is made in order.
    fn norm(&self, gradient: &[f64]) -> Result<f64, Error> {
        let own = gradient.len() / self.settings.images;
        let squares: Vec<Option<f64>> = gradient
            .par_chunks(own)
            .map(|slopes| {
                let usable = slopes.iter().all(|slope| f64::abs(*slope) <= MAX_GRADIENT);
                usable.then(|| slopes.iter().map(|slope| slope * slope).sum())
            })
            .collect();
        let mut total: f64 = 0.0;
        for (image, square) in squares.into_iter().enumerate() {
            total += square.ok_or(Error::Gradient { image })?;
        }
        Ok(total.sqrt())
    }

    /// There are as many parameters as the decoder has: it made them, or the checkpoint was refused unless it held that many, and a
    /// step changes them in place.
    fn decoded(&self) -> Array4<f64> {
        self.decoder.decode_own(&self.state.parameters)
    }

    /// Why no further step should be taken, if so.
    #[must_use]
    pub fn stopped(&self) -> Option<StopReason> {
        let Progress { records, irreducible, .. } = &self.state.progress;
        verdict(&self.settings, records, irreducible)
    }

    /// The images as they are, n x 3 x height x width in 0..1.
    #[must_use]
    pub fn images(&self) -> Array4<T> {
        cast(self.decoded().view())
    }

    /// The images in eight bits, n x height x width x 3, rounded half to even.
    #[must_use]
    pub fn quantised(&self) -> Array4<u8> {
        quantise(self.decoded().view())
    }

    /// One record per step.
    #[must_use]
    pub fn records(&self) -> &[StepRecord] {
        &self.state.progress.records
    }

    /// Steps taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.adam.steps
    }

    /// Pairs of layers found to have the same RSM whatever the images; the run stops when there are any.
    #[must_use]
    pub fn irreducible(&self) -> &[[usize; 2]] {
        &self.state.progress.irreducible
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Progress {
    /// Takes in the pairs that a measurement found to be the same.
    fn note(&mut self, same: Vec<[usize; 2]>) {
        let before = std::mem::take(&mut self.same);
        for pair in same {
            let times = 1 + before.iter().find(|(other, _)| *other == pair).map_or(0, |(_, times)| *times);
            self.same.push((pair, times));
        }
        let settled = self.same.iter().filter(|(_, times)| *times >= SAME_MEASUREMENTS);
        self.irreducible = settled.map(|(pair, _)| *pair).collect();
    }
}

enum Failure<E> {
    Network(E),
    Synthesis(Error),
}

impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Self::Synthesis(error)
    }
}

fn measure<T: Real>(matrix: &Array2<f64>) -> Measurement {
    let same = objective::pairs(matrix.nrows()).filter(|&pair| matrix[pair].abs() >= 1.0 - T::SAME).collect();
    Measurement { mean_abs_r: Summary::of(matrix.view()).mean_abs_r, same }
}

fn cast<T: Real>(images: ArrayView4<'_, f64>) -> Array4<T> {
    images.map(|&value| T::from_f64(value))
}

fn cast_back<T: Real>(images: ArrayView4<'_, T>) -> Array4<f64> {
    images.map(|value| value.to_f64())
}

/// Share of values that are black or white in eight bits.
fn clipped(images: &Array4<f64>) -> f64 {
    let ends = |&value: &&f64| *value <= HALF_GREY || *value >= 1.0 - HALF_GREY;
    let count: usize =
        images.axis_iter(Axis(0)).into_par_iter().map(|image| image.iter().filter(ends).count()).sum();
    count as f64 / images.len() as f64
}
