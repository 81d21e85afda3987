//! Properties of single units of a layer, whose distribution is compared with that of neurons.

use ndarray::ArrayView2;
use serde::Serialize;

use crate::gram::{Feature, check_finite, check_tile};
use crate::regression::at_least;
use crate::statistics::mean;
use crate::{Error, TileConsumer};

/// What is measured of a unit's responses r to the stimuli.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum UnitProperty {
    /// The largest r.
    Max,
    /// The mean of r.
    Mean,
    /// (1 - mean(r)² / mean(r²)) / (1 - 1/n) (Vinje and Gallant 2000): 0 for equal, 1 for a single response.
    Sparseness,
    /// 1 - |Σ r exp(2iθ)| / Σ r over the orientations θ of the stimuli (Ringach et al. 2002).
    CircularVariance {
        /// Orientation of each stimulus.
        degrees: Vec<f64>,
    },
    /// (a - b) / (a + b) of the mean responses to two kinds of stimuli.
    ModulationIndex {
        /// Stimuli of the first kind.
        first: Vec<usize>,
        /// Stimuli of the second kind.
        second: Vec<usize>,
    },
}

impl UnitProperty {
    fn check(&self, stimuli: usize) -> Result<(), Error> {
        match self {
            Self::CircularVariance { degrees } if degrees.len() != stimuli => {
                let what = "orientations of the stimuli";
                Err(Error::Mismatch { what, expected: stimuli, found: degrees.len() })
            }
            Self::ModulationIndex { first, second } => {
                at_least("stimuli of a kind", 1, first.len().min(second.len()))?;
                match first.iter().chain(second).find(|&&row| row >= stimuli) {
                    Some(&index) => Err(Error::OutOfRange { what: "stimuli of a kind", index, len: stimuli }),
                    None => Ok(()),
                }
            }
            // Of one stimulus all units are alike.
            Self::Sparseness => at_least("stimuli", 2, stimuli),
            _ => at_least("stimuli", 1, stimuli),
        }
    }

    /// NaN where it is not defined.
    fn of(&self, r: &[f64]) -> f64 {
        let value = self.formula(r);
        if value.is_finite() { value } else { f64::NAN }
    }

    fn formula(&self, r: &[f64]) -> f64 {
        let average = |rows: &[usize]| rows.iter().map(|&row| r[row]).sum::<f64>() / rows.len() as f64;
        match self {
            Self::Max => r.iter().fold(f64::NEG_INFINITY, |max, &v| max.max(v)),
            Self::Mean => mean(r),
            Self::Sparseness => {
                let squares = r.iter().map(|v| v * v).sum::<f64>() / r.len() as f64;
                (1.0 - mean(r).powi(2) / squares) / (1.0 - 1.0 / r.len() as f64)
            }
            Self::CircularVariance { degrees } => {
                let angle = |degrees: &f64| 2.0 * degrees.to_radians();
                let along = r.iter().zip(degrees).map(|(r, d)| r * angle(d).cos()).sum::<f64>();
                let across = r.iter().zip(degrees).map(|(r, d)| r * angle(d).sin()).sum::<f64>();
                1.0 - along.hypot(across) / r.iter().sum::<f64>()
            }
            Self::ModulationIndex { first, second } => {
                let (a, b) = (average(first), average(second));
                (a - b) / (a + b)
            }
        }
    }
}

/// Reads the tile stream of a layer once; keeps one number per unit.
pub struct UnitProperties {
    property: UnitProperty,
    stimuli: usize,
    values: Vec<f64>,
}

impl UnitProperties {
    /// # Errors
    /// [`Error::Mismatch`], [`Error::OutOfRange`] or [`Error::TooFew`] if the property is of other stimuli.
    pub fn new(stimuli: usize, property: UnitProperty) -> Result<Self, Error> {
        property.check(stimuli)?;
        Ok(Self { property, stimuli, values: Vec::new() })
    }

    /// The property of every unit; NaN where it is not defined.
    ///
    /// # Errors
    /// [`Error::TooFew`] if no tile was pushed.
    pub fn finish(self) -> Result<Vec<f64>, Error> {
        at_least("features of a layer", 1, self.values.len())?;
        Ok(self.values)
    }
}

impl TileConsumer for UnitProperties {
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::TileOrder`] and [`Error::Mismatch`] if the tile is not the next one.
    fn push<T: Feature>(&mut self, first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        check_tile(self.stimuli, self.values.len() as u64, first_feature, tile.dim())?;
        check_finite(first_feature, tile)?;
        let columns = tile.columns().into_iter();
        let responses = columns.map(|column| column.iter().map(|&v| v.into()).collect::<Vec<f64>>());
        self.values.extend(responses.map(|r| self.property.of(&r)));
        Ok(())
    }
}
