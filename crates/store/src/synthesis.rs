//! Stored sets of synthesised images.

use ndarray::{Array2, Array4};
use serde::{Deserialize, Serialize};
use ventral_synthesis::StepRecord;

use crate::codec::{Array, CodecError, decode, encode};

pub(crate) const SYNTHESIS: &str = "synthesis";

/// A stored synthesis unit: the images of one restart, and what they do in the model.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthesisRecord {
    /// Names of the layers.
    pub layers: Vec<String>,
    /// The images: n x height x width x RGB.
    pub images: Array4<u8>,
    /// Seed of the restart.
    pub seed: u64,
    /// Steps that were taken.
    pub steps: u64,
    /// Why it stopped, in words.
    pub stop: String,
    /// Similarities of the 8-bit images before the first step: layers x pairs, strict upper triangles row by row.
    pub before: Array2<f64>,
    /// Those of the final 8-bit images, decoded again from PNG and read with the scorer's runtime.
    pub rsms: Array2<f64>,
    /// Mean |r| between layers over random transforms of the final images (E6).
    pub transforms: f64,
    /// Mean |r| between layers of the final images compressed as JPEG (E7).
    pub jpeg: f64,
    /// Mean |r| between layers of the final images with noise of one grey level (E7).
    pub noise: f64,
    /// One entry per step.
    pub convergence: Vec<StepRecord>,
    /// Pairs of layers that no image can tell apart.
    pub irreducible: Vec<[usize; 2]>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    kind: String,
    layers: Vec<String>,
    images: [usize; 3],
    seed: u64,
    steps: u64,
    stop: String,
    convergence_bytes: usize,
    irreducible: Vec<[usize; 2]>,
}

/// Pairs of n images.
fn pairs(images: usize) -> Option<usize> {
    images.checked_sub(1).and_then(|fewer| images.checked_mul(fewer)).map(|twice| twice / 2)
}

impl SynthesisRecord {
    /// The record as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (images, height, width, _) = self.images.dim();
        let convergence = lines(&self.convergence);
        let header = Header {
            kind: SYNTHESIS.to_owned(),
            layers: self.layers.clone(),
            images: [images, height, width],
            seed: self.seed,
            steps: self.steps,
            stop: self.stop.clone(),
            convergence_bytes: convergence.len(),
            irreducible: self.irreducible.clone(),
        };
        encode(
            &header,
            [
                ("before", Array::f64(self.before.iter().copied())),
                ("convergence", Array::u8(convergence)),
                ("evaluation", Array::f64([self.transforms, self.jpeg, self.noise])),
                ("images", Array::u8(self.images.iter().copied().collect())),
                ("rsms", Array::f64(self.rsms.iter().copied())),
            ],
        )
    }

    /// The record from bytes.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that are no such record.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let (header, mut arrays) = decode::<Header>(payload, SYNTHESIS)?;
        let damaged = |problem: String| CodecError::new(SYNTHESIS, problem);
        let [count, height, width] = header.images;
        let layers = header.layers.len();
        let pairs = pairs(count).ok_or_else(|| damaged("it has no images".to_owned()))?;
        let pixels = count.checked_mul(height).and_then(|rows| rows.checked_mul(width));
        let images = arrays.take_u8("images", pixels.and_then(|pixels| pixels.checked_mul(3)))?;
        let before = arrays.take("before", layers.checked_mul(pairs))?;
        let rsms = arrays.take("rsms", layers.checked_mul(pairs))?;
        let evaluation = arrays.take("evaluation", Some(3))?;
        let convergence = arrays.take_u8("convergence", Some(header.convergence_bytes))?;
        if header.kind != SYNTHESIS {
            return Err(damaged(format!("it is a '{}'", header.kind)));
        }
        if let Some(pair) = header.irreducible.iter().find(|pair| pair.iter().any(|&layer| layer >= layers)) {
            return Err(damaged(format!("it names the layers {pair:?} of {layers}")));
        }
        let shaped = |error: ndarray::ShapeError| damaged(error.to_string());
        let matrix = |values| Array2::from_shape_vec((layers, pairs), values).map_err(shaped);
        Ok(Self {
            layers: header.layers,
            images: Array4::from_shape_vec((count, height, width, 3), images).map_err(shaped)?,
            seed: header.seed,
            steps: header.steps,
            stop: header.stop,
            before: matrix(before)?,
            rsms: matrix(rsms)?,
            transforms: evaluation[0],
            jpeg: evaluation[1],
            noise: evaluation[2],
            convergence: steps(&convergence)?,
            irreducible: header.irreducible,
        })
    }
}

/// One JSON document per line.
fn lines(convergence: &[StepRecord]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for step in convergence {
        let line = serde_json::to_vec(step).unwrap_or_else(|e| unreachable!("a step is plain data: {e}"));
        bytes.extend(line);
        bytes.push(b'\n');
    }
    bytes
}

fn steps(lines: &[u8]) -> Result<Vec<StepRecord>, CodecError> {
    let entries = serde_json::Deserializer::from_slice(lines).into_iter();
    let entries: Result<Vec<StepRecord>, _> = entries.collect();
    entries.map_err(|error| CodecError::new(SYNTHESIS, format!("its steps cannot be read: {error}")))
}
