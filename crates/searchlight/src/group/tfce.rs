//! Threshold-free cluster enhancement (Smith & Nichols 2009).

use super::adjacency::Adjacency;
use super::check::{at_least, at_most, positive, same_size};
use super::tree::{Node, component_tree};
use crate::Error;

/// Most steps of a stepped enhancement.
pub const MAX_STEPS: usize = 1_000_000;

/// How the integral over thresholds is formed.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integral {
    /// In closed form between the values at which a component changes.
    #[default]
    Exact,
    /// A sum over thresholds dh, dh + dh, ... times dh (Smith & Nichols; CoSMoMVPA, whose accumulated thresholds decide which
    /// step is the last).
    Stepped {
        /// Height of a step.
        dh: f64,
    },
    /// A sum over equal steps up to the map's largest magnitude, not multiplied by their height (fslmaths and nilearn: 100).
    StepsToMaximum {
        /// Number of steps.
        steps: usize,
    },
}

/// What is integrated: extent^E height^H over the thresholds up to a voxel's value.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tfce {
    /// E.
    pub extent_power: f64,
    /// H.
    pub height_power: f64,
    /// How the integral is formed.
    pub integral: Integral,
}

impl Default for Tfce {
    /// Exact, E = 0.5, H = 2.
    fn default() -> Self {
        Self { extent_power: 0.5, height_power: 2.0, integral: Integral::Exact }
    }
}

impl Tfce {
    /// # Errors
    /// [`Error::Invalid`] for a power or step that is not a finite number above 0; too few or many steps.
    pub fn check(&self) -> Result<(), Error> {
        positive("extent power E", self.extent_power)?;
        positive("height power H", self.height_power)?;
        match self.integral {
            Integral::Exact => Ok(()),
            Integral::Stepped { dh } => positive("step dh", dh),
            Integral::StepsToMaximum { steps } => {
                at_least("steps", 1, steps)?;
                at_most("steps", MAX_STEPS, steps)
            }
        }
    }

    /// Enhances the positive side of a map. Voxels that are NaN or not above 0 get 0; infinite ones stay infinite and count
    /// for the extent of their neighbours. `extents`: a voxel's own extent (area of a vertex), 1 if not given.
    ///
    /// # Errors
    /// As [`Tfce::check`]; [`Error::Mismatch`] for lengths that differ; [`Error::TooMany`] beyond [`MAX_STEPS`].
    pub fn enhance(
        &self,
        values: &[f64],
        adjacency: &Adjacency,
        extents: Option<&[f64]>,
    ) -> Result<Vec<f64>, Error> {
        self.check()?;
        same_size("voxels of the neighbourhood", values.len(), adjacency.voxels())?;
        if let Some(extents) = extents {
            same_size("extents", values.len(), extents.len())?;
        }
        let highest = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
        self.enhance_to(values, adjacency, extents, highest)
    }

    /// Enhances both sides of a map: negative values as positive ones, with their sign put back.
    ///
    /// # Errors
    /// As [`Tfce::enhance`].
    pub fn enhance_both(
        &self,
        values: &[f64],
        adjacency: &Adjacency,
        extents: Option<&[f64]>,
    ) -> Result<Vec<f64>, Error> {
        self.check()?;
        same_size("voxels of the neighbourhood", values.len(), adjacency.voxels())?;
        let highest = values.iter().map(|v| v.abs()).filter(|v| v.is_finite()).fold(0.0, f64::max);
        let negated: Vec<f64> = values.iter().map(|v| -v).collect();
        let above = self.enhance_to(values, adjacency, extents, highest)?;
        let below = self.enhance_to(&negated, adjacency, extents, highest)?;
        Ok(above
            .into_iter()
            .zip(below)
            .map(|(above, below)| if below > 0.0 { -below } else { above })
            .collect())
    }

    fn enhance_to(
        &self,
        values: &[f64],
        adjacency: &Adjacency,
        extents: Option<&[f64]>,
        highest: f64,
    ) -> Result<Vec<f64>, Error> {
        let nodes = component_tree(values, adjacency, extents);
        let (thresholds, factor) = self.thresholds(highest)?;
        let mut sums: Vec<f64> = Vec::with_capacity(nodes.len());
        let mut enhanced = vec![0.0; values.len()];
        for node in &nodes {
            let (base, from) = match node.parent {
                Some(parent) => (sums[parent as usize], nodes[parent as usize].value),
                None => (0.0, 0.0),
            };
            let sum = match &thresholds {
                _ if node.value == f64::INFINITY => f64::INFINITY,
                None => base + self.closed_form(node, from),
                Some(thresholds) => self.add_steps(base, node, from, thresholds, factor),
            };
            sums.push(sum);
            enhanced[node.voxel as usize] = sum;
        }
        Ok(enhanced)
    }

    /// The thresholds of a sum and the factor of its terms; `None` for the closed form.
    fn thresholds(&self, highest: f64) -> Result<(Option<Vec<f64>>, f64), Error> {
        match self.integral {
            Integral::Exact => Ok((None, 1.0)),
            Integral::StepsToMaximum { steps } => {
                let last = steps as f64;
                Ok((Some((1..=steps).map(|i| highest * (i as f64 / last)).collect()), 1.0))
            }
            Integral::Stepped { dh } => {
                let steps = (highest / dh).min(usize::MAX as f64) as usize;
                at_most("steps up to the largest value", MAX_STEPS, steps)?;
                let accumulated = std::iter::successors(Some(dh), |h| Some(h + dh));
                Ok((Some(accumulated.take_while(|&h| h <= highest).collect()), dh))
            }
        }
    }

    fn closed_form(&self, node: &Node, from: f64) -> f64 {
        if node.value <= from {
            return 0.0;
        }
        let power = self.height_power + 1.0;
        raise(node.extent, self.extent_power) * (raise(node.value, power) - raise(from, power)) / power
    }

    /// Adds the terms of the thresholds above `from` and up to the node's value, in ascending order as the reference does.
    fn add_steps(&self, base: f64, node: &Node, from: f64, thresholds: &[f64], factor: f64) -> f64 {
        let first = thresholds.partition_point(|&h| h <= from);
        let extent = raise(node.extent, self.extent_power);
        let reached = thresholds[first..].iter().take_while(|&&h| h <= node.value);
        reached.fold(base, |sum, &h| sum + extent * raise(h, self.height_power) * factor)
    }
}

/// `x` to the `power`, without the general function for the usual powers.
fn raise(x: f64, power: f64) -> f64 {
    match power {
        0.5 => x.sqrt(),
        1.0 => x,
        2.0 => x * x,
        3.0 => x * x * x,
        _ => x.powf(power),
    }
}
