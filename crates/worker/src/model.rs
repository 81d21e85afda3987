//! A model of a job: a network or activations that were computed elsewhere.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use ndarray::{Array2, Array3, Axis};
use ventral_data::{Benchmark, StimulusSet, read_activations, read_probabilities};
use ventral_models::{
    ActivationSource, GivenActivations, Images, Layer, ModelCard, Network, NetworkActivations, select_layers,
};
use ventral_plan::{Digest, LayerFacts, ModelFacts, Screen};

use crate::{Error, Event, Observer};

/// What a readout is called unless the card says otherwise.
const LOGITS: &str = "logits";
/// What the one layer of given answers is called.
const PROBABILITIES: &str = "probabilities";

/// A model in memory.
pub enum LoadedModel {
    /// A graph that is run over images.
    Network(Box<Network>),
    /// Activations from a file, one row per stimulus.
    Given {
        /// The activations.
        activations: GivenActivations,
        /// Stimulus ids of the rows, when the file has them; of those of one time bin.
        ids: Option<Vec<String>>,
        /// Start and end in ms of the time bins of the rows, bins slowest; empty without time.
        time_bins: Vec<[f64; 2]>,
        /// Identifier on the card.
        identifier: String,
        /// Indices of layers that the card's patterns do not name, but a region or the readout does.
        committed: Vec<usize>,
        /// Labels of the features, if they are the model's answers: probabilities.
        labels: Vec<String>,
    },
}

/// The model that was loaded last: units that follow each other are often of one.
#[derive(Default)]
pub(crate) struct LastModel(RefCell<Option<(usize, Rc<LoadedModel>)>>);

impl LastModel {
    /// The model of this index, loaded unless it was the last; the one before is dropped first.
    pub fn get(
        &self,
        index: usize,
        load: impl FnOnce() -> Result<LoadedModel, Error>,
    ) -> Result<Rc<LoadedModel>, Error> {
        let mut last = self.0.borrow_mut();
        match last.take().filter(|(known, _)| *known == index) {
            Some(known) => Ok(last.insert(known).1.clone()),
            None => Ok(last.insert((index, Rc::new(load()?))).1.clone()),
        }
    }
}

impl LoadedModel {
    /// Loads what a card names.
    pub fn load(card: &ModelCard) -> Result<Self, Error> {
        if card.given().is_none() {
            return Ok(Self::Network(Box::new(Network::load(card)?)));
        }
        if card.probabilities.is_some() {
            let given = read_probabilities(card.source())?;
            return Ok(Self::Given {
                activations: of_probabilities(given.values)?,
                ids: Some(given.ids),
                time_bins: Vec::new(),
                identifier: card.identifier.clone(),
                // Answers are for behaviour alone.
                committed: vec![0],
                labels: given.labels,
            });
        }
        let mut given = read_activations(card.source())?;
        let names: Vec<&str> = given.layers.iter().map(|(name, _)| name.as_str()).collect();
        let chosen = select_layers(card, &names, None)?;
        let committed = (0..chosen.len()).filter(|&place| !chosen[place].1).collect();
        let mut index = 0..;
        given.layers.retain(|_| {
            let index = index.next().unwrap_or_default();
            chosen.binary_search_by_key(&index, |(chosen, _)| *chosen).is_ok()
        });
        Ok(Self::Given {
            activations: GivenActivations::with_exact(given.layers, given.exact)?,
            committed,
            ids: given.ids,
            time_bins: given.time_bins,
            identifier: card.identifier.clone(),
            labels: Vec::new(),
        })
    }

    /// Labels of the features, if they are probabilities: the model's answers.
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Network(_) => &[],
            Self::Given { labels, .. } => labels,
        }
    }

    /// Its layers, in graph order.
    pub fn layers(&self) -> &[Layer] {
        match self {
            Self::Network(network) => network.layers(),
            Self::Given { activations, .. } => activations.layers(),
        }
    }

    /// Start and end in ms of the time bins of its activations; empty without time.
    pub fn time_bins(&self) -> &[[f64; 2]] {
        match self {
            Self::Network(_) => &[],
            Self::Given { time_bins, .. } => time_bins,
        }
    }

    /// What planning needs to know; runs one image of `stimuli` to see how long it takes.
    pub fn facts(&self, card: &ModelCard, stimuli: Option<&StimulusSet>) -> Result<ModelFacts, Error> {
        let text = card.digest()?;
        let digest = Digest::try_from(text).map_err(|error| Error::Mismatch(error.to_string()))?;
        let layers = self.layers().iter();
        let weight_bytes = std::fs::metadata(card.source()).map_or(0, |metadata| metadata.len());
        Ok(ModelFacts {
            identifier: card.identifier.clone(),
            digest,
            layers: layers.map(|l| LayerFacts { name: l.name.clone(), features: l.features }).collect(),
            commitments: card.regions.clone(),
            degrees: card.given().is_none().then(|| card.visual_degrees()),
            seconds_per_stimulus: self.seconds_per_stimulus(stimuli)?,
            weight_bytes,
            imagenet_top1: card.imagenet_top1,
            time_bins: self.time_bins().to_vec(),
            readout: self.readout(card),
            committed: match self {
                Self::Network(network) => network.committed_layers().to_vec(),
                Self::Given { committed, .. } => committed.clone(),
            },
            gradient: None,
        })
    }

    /// The layer that behaviour is read out from: the card's, or the one called `logits`.
    fn readout(&self, card: &ModelCard) -> Option<usize> {
        let usual = if card.probabilities.is_some() { PROBABILITIES } else { LOGITS };
        let name = card.readout.as_deref().unwrap_or(usual);
        match self {
            Self::Network(network) => network.layer(name).ok(),
            Self::Given { activations, .. } => {
                activations.layers().iter().position(|layer| layer.name == name)
            }
        }
    }

    /// Runs `act` on the activations to the stimuli of a benchmark.
    pub fn with_source<T>(
        &self,
        benchmark: &Benchmark,
        screen: Option<Screen>,
        observer: &dyn Observer,
        act: impl FnOnce(&dyn ActivationSource) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with_stimuli(&benchmark.stimuli, fitted_on(benchmark), screen, observer, act)
    }

    /// Runs `act` on the activations to stimuli; components are fitted on those from the `fitted_on`th.
    pub fn with_stimuli<T>(
        &self,
        stimuli: &StimulusSet,
        fitted_on: usize,
        screen: Option<Screen>,
        observer: &dyn Observer,
        act: impl FnOnce(&dyn ActivationSource) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self {
            Self::Network(network) => {
                let images = Stimuli { set: stimuli, observer };
                let source = NetworkActivations::new(network, &images, screen.map(|s| s.source_degrees));
                act(&source.filling_from(fitted_on))
            }
            Self::Given { activations, ids: Some(ids), labels, .. } if !labels.is_empty() => {
                act(&answers(activations, ids, stimuli)?)
            }
            Self::Given { activations, ids, time_bins, identifier, .. } => {
                let bins = time_bins.len().max(1);
                let given = activations.stimuli() / bins;
                let of_bin = match_rows(identifier, ids.as_deref(), given, stimuli)?;
                let rows: Vec<usize> =
                    (0..bins).flat_map(|bin| of_bin.iter().map(move |row| bin * given + row)).collect();
                act(&reordered(activations, &rows)?)
            }
        }
    }

    fn seconds_per_stimulus(&self, stimuli: Option<&StimulusSet>) -> Result<f64, Error> {
        let (Self::Network(network), Some(stimuli)) = (self, stimuli) else {
            return Ok(0.0);
        };
        let count = rayon::current_num_threads().min(stimuli.len());
        let images = Stimuli { set: stimuli, observer: &Silent };
        let source = NetworkActivations::new(network, &images, None);
        let last = network.layers().len().saturating_sub(1);
        // The first run takes memory and prepares kernels.
        source.activations(0..count, &[last])?;
        let started = Instant::now();
        source.activations(0..count, &[last])?;
        Ok(started.elapsed().as_secs_f64() / count.max(1) as f64)
    }
}

/// First of the stimuli that the components of a benchmark are fitted on.
pub(crate) fn fitted_on(benchmark: &Benchmark) -> usize {
    benchmark.components.as_ref().map_or(usize::MAX, |components| components.first)
}

/// Loads a card and applies the spec's layers for this model.
pub(crate) fn load_card(path: &Path, data_dir: Option<&Path>) -> Result<ModelCard, Error> {
    Ok(ModelCard::load(path, data_dir)?)
}

/// The images of a stimulus set; stops handing them out when the user wants to stop.
pub(crate) struct Stimuli<'a> {
    pub set: &'a StimulusSet,
    pub observer: &'a dyn Observer,
}

struct Silent;

impl Observer for Silent {
    fn on(&self, _: &Event<'_>) {}
}

impl Images for Stimuli<'_> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn pixels(&self, index: usize) -> Result<Array3<u8>, Box<dyn std::error::Error + Send + Sync>> {
        if self.observer.interrupted() {
            return Err(Error::Interrupted.into());
        }
        Ok(self.set.image(index)?.pixels)
    }
}

/// Probabilities of these stimuli. A stimulus that others' decoders learn from needs none: it has zeros, which no stimulus with probabilities
/// has.
fn answers(
    given: &GivenActivations,
    ids: &[String],
    stimuli: &StimulusSet,
) -> Result<GivenActivations, Error> {
    let known: std::collections::HashMap<&str, usize> =
        ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
    let values = given.exact(0).ok_or_else(|| Error::Mismatch("there are no probabilities".to_owned()))?;
    let mut found = Array2::zeros((stimuli.len(), values.ncols()));
    for (id, mut row) in stimuli.ids.iter().zip(found.rows_mut()) {
        if let Some(&from) = known.get(id.as_str()) {
            row.assign(&values.row(from));
        }
    }
    of_probabilities(found)
}

fn of_probabilities(values: Array2<f64>) -> Result<GivenActivations, Error> {
    let name = PROBABILITIES.to_owned();
    let rounded = vec![(name.clone(), values.mapv(|p| p as f32))];
    Ok(GivenActivations::with_exact(rounded, [(name, values)].into())?)
}

/// The activations with their rows in this order.
fn reordered(activations: &GivenActivations, rows: &[usize]) -> Result<GivenActivations, Error> {
    let names = activations.layers().iter().map(|layer| layer.name.clone());
    let all: Vec<usize> = (0..activations.layers().len()).collect();
    let values = activations.activations(0..activations.stimuli(), &all)?;
    let selected = values.into_iter().map(|layer| layer.select(Axis(0), rows));
    let exact = activations.layers().iter().enumerate().filter_map(|(index, layer)| {
        Some((layer.name.clone(), activations.exact(index)?.select(Axis(0), rows)))
    });
    let exact = exact.collect();
    Ok(GivenActivations::with_exact(names.zip(selected).collect(), exact)?)
}

fn match_rows(
    identifier: &str,
    ids: Option<&[String]>,
    given: usize,
    stimuli: &StimulusSet,
) -> Result<Vec<usize>, Error> {
    let Some(ids) = ids else {
        if given == stimuli.len() {
            return Ok((0..given).collect());
        }
        return Err(Error::Mismatch(format!(
            "activations '{identifier}' have {given} rows without stimulus ids, stimulus set '{}' has {} stimuli; \
             give as many rows, in its order, or ids",
            stimuli.identifier,
            stimuli.len()
        )));
    };
    let known: HashMap<&str, usize> = ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
    let missing: Vec<&str> =
        stimuli.ids.iter().map(String::as_str).filter(|id| !known.contains_key(id)).collect();
    if let Some(first) = missing.first() {
        // One that is not among the stimuli shows how names differ.
        let wanted: HashSet<&str> = stimuli.ids.iter().map(String::as_str).collect();
        let other = ids.iter().find(|id| !wanted.contains(id.as_str())).or(ids.first());
        return Err(Error::Mismatch(format!(
            "activations '{identifier}' lack {} of the {} stimuli of '{}': `{first}` in the stimulus set, `{}` in the activations; \
             rename the ids of the activations to those of the stimulus set",
            missing.len(),
            stimuli.len(),
            stimuli.identifier,
            other.map_or("", String::as_str)
        )));
    }
    Ok(stimuli.ids.iter().filter_map(|id| known.get(id.as_str()).copied()).collect())
}
