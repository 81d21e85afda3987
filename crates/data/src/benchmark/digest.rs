//! What a benchmark is, as one number: everything that can change a score, and nothing else.

use sha2::{Digest, Sha256};
use ventral_metrics::CkaEstimator;

use super::{Benchmark, Metric, Target, TimeMode};
use crate::error::{Error, ParseError, Result};
use crate::files::hex;

/// Name of the encoding below; a change of it changes every digest.
const ENCODING: &[u8] = b"ventral benchmark 1";

/// Hashes parts with their names and lengths, so that no two sequences of parts are the same bytes.
pub(crate) struct Parts(Sha256);

impl Parts {
    pub(crate) fn new() -> Self {
        Parts(Sha256::new())
    }

    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }

    pub(crate) fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    pub(crate) fn numbers<'v>(&mut self, name: &str, shape: &[usize], values: impl Iterator<Item = &'v f64>) {
        let shape = shape.iter().flat_map(|&d| (d as u64).to_le_bytes()).collect::<Vec<u8>>();
        self.add(name, &shape);
        let bits =
            values.flat_map(|v| if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() }.to_le_bytes());
        self.add("values", &bits.collect::<Vec<u8>>());
    }

    pub(crate) fn indices(&mut self, name: &str, indices: &[usize]) {
        let bytes: Vec<u8> = indices.iter().flat_map(|&i| (i as u64).to_le_bytes()).collect();
        self.add(name, &bytes);
    }

    pub(crate) fn json(
        &mut self,
        name: &str,
        value: &impl serde::Serialize,
    ) -> std::result::Result<(), ParseError> {
        let text = serde_json::to_vec(value).map_err(|e| ParseError::Invalid(e.to_string()))?;
        self.add(name, &text);
        Ok(())
    }
}

impl Benchmark {
    /// SHA-256 in lower-case hexadecimal over identifier, version, region, stimuli (identifiers and bytes), rows, target
    /// values, metric, splits and ceiling. Where the files lie, titles, citations and notes do not count.
    ///
    /// # Errors
    /// Those of reading the images.
    pub fn digest(&self) -> Result<String> {
        let mut parts = Parts::new();
        parts.add("encoding", ENCODING);
        for (name, text) in [
            ("identifier", &self.card.identifier),
            ("version", &self.card.version),
            ("region", &self.card.region),
        ] {
            parts.add(name, text.as_bytes());
        }
        let serialised = |e| Error::parse(&self.path, "card", e);
        parts.json("kind", &self.card.kind).map_err(serialised)?;
        match &self.metric {
            Metric::Regression(regression) => parts.json("regression", regression).map_err(serialised)?,
            Metric::NeuronToNeuron => parts.add("neuron to neuron", &[]),
            Metric::Reverse(regression) => parts.json("reverse", regression).map_err(serialised)?,
            Metric::Behavior => parts.add("behavior", &[]),
            Metric::Units => parts.add("units", &[]),
            Metric::Rdm => parts.add("rdm", &[]),
            Metric::Cka(CkaEstimator::Biased) => parts.add("biased cka", &[]),
            Metric::Cka(CkaEstimator::Unbiased) => parts.add("unbiased cka", &[]),
        }
        parts.json("rule", &self.rule).map_err(serialised)?;
        parts.add("stimuli", self.stimuli.digest()?.as_bytes());
        parts.numbers("degrees", &[], self.card.stimuli.degrees.iter());
        parts.json("ids", &self.ids).map_err(serialised)?;
        for pool in self.pools.iter().flatten() {
            parts.indices("pool", pool);
        }
        for split in &self.splits {
            parts.indices("train", &split.train);
            parts.indices("test", &split.test);
        }
        match &self.target {
            Target::Responses { averaged, .. } => {
                parts.numbers("responses", averaged.shape(), averaged.iter())
            }
            Target::Rdm { rdms, subjects } if subjects.is_empty() => {
                parts.numbers("rdm", &rdms.shape()[1..], rdms.iter())
            }
            Target::Rdm { rdms, .. } => parts.numbers("rdms of subjects", rdms.shape(), rdms.iter()),
            Target::Behavior(behavior) => parts.json("behavior", behavior).map_err(serialised)?,
            Target::Units(task) => parts.json("units", task).map_err(serialised)?,
        }
        if let Some(ceiling) = &self.ceiling {
            parts.numbers(
                "ceiling",
                &[],
                [ceiling.value].iter().chain(&ceiling.error).chain(&ceiling.per_neuroid),
            );
        }
        self.add_variants(&mut parts);
        Ok(parts.finish())
    }

    /// What older benchmarks do not have is added only where it is, so that their digests stay.
    fn add_variants(&self, parts: &mut Parts) {
        if let Some(time) = &self.time {
            let mode = match time.mode {
                TimeMode::Mean => "mean",
                TimeMode::Each => "each",
                TimeMode::Span => "span",
                TimeMode::Flatten => "flatten",
            };
            parts.add("time", mode.as_bytes());
            parts.numbers("bins", &[time.bins.len()], time.bins.iter().flatten());
        }
        if let Some(components) = &self.components {
            parts.indices("components", &[components.count, components.first]);
        }
        for group in &self.groups {
            parts.indices("group", group);
        }
        for part in &self.parts {
            parts.add("part", part.name.as_bytes());
            parts.indices("columns", &part.columns);
            parts.numbers("ceiling", &[], part.ceiling.iter());
        }
    }
}
