//! What a run is asked to do, and the bounds of it.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Fewest images of which anything can be said; two have one pair, whose correlation is undefined.
pub const MIN_IMAGES: usize = 3;
/// Fewest images that are accepted unless [`Settings::few_images`] is set: correlations over few pairs mean little.
pub const USUAL_IMAGES: usize = 6;
/// Most images of a set.
pub const MAX_IMAGES: usize = 256;
/// Smallest height and width.
pub const MIN_SIDE: usize = 8;
/// Largest height and width.
pub const MAX_SIDE: usize = 1024;
/// Most pixels of all images together (a run holds about 150 bytes for each).
pub const MAX_PIXELS: usize = 1 << 24;
/// Most steps of a run.
pub const MAX_STEPS: u64 = 100_000;
/// Most layers of a network.
pub const MAX_LAYERS: usize = 256;

/// Everything that decides the bytes of a run, apart from the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Number of images.
    pub images: usize,
    /// Height and width in pixels.
    pub size: [usize; 2],
    /// Where random numbers begin.
    pub seed: u64,
    /// What is free.
    pub parametrisation: Parametrisation,
    /// Adam's step size.
    pub learning_rate: f64,
    /// The random transform of each step.
    pub transforms: Transforms,
    /// What is minimised.
    pub objective: Objective,
    /// When it is enough.
    pub stop: StopRule,
    /// Accept fewer than [`USUAL_IMAGES`] images; [`Settings::warning`] then says why that is a bad idea.
    pub few_images: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            images: 16,
            size: [224, 224],
            seed: 0,
            parametrisation: Parametrisation::default(),
            learning_rate: 0.05,
            transforms: Transforms::default(),
            objective: Objective::default(),
            stop: StopRule::default(),
            few_images: false,
        }
    }
}

/// What the optimiser changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Parametrisation {
    /// Spatial frequencies of three decorrelated colour planes.
    Fourier {
        /// Frequencies f are scaled by 1/f^decay; 1 is the spectrum of natural images.
        decay: f64,
    },
    /// The logit of each value of each pixel.
    Pixels,
}

impl Default for Parametrisation {
    fn default() -> Self {
        Self::Fourier { decay: 1.0 }
    }
}

/// The random transform of a step, shared by all images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transforms {
    /// Shift by whole pixels, -6 to 6 per axis.
    pub jitter: bool,
    /// Scale by 0.90, 0.92 .. 1.10.
    pub scale: bool,
    /// Rotate by -10 to 10 whole degrees.
    pub rotate: bool,
    /// Share of the steps after which images are no longer transformed, 0 to 1; 1 is never. Transforms and the last corrections
    /// work against each other.
    pub until: f64,
}

impl Default for Transforms {
    fn default() -> Self {
        Self { jitter: true, scale: true, rotate: true, until: 0.8 }
    }
}

impl Transforms {
    /// No transform at any step.
    pub const OFF: Self = Self { jitter: false, scale: false, rotate: false, until: 1.0 };

    /// Whether nothing is ever transformed.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !(self.jitter || self.scale || self.rotate) || self.until == 0.0
    }
}

/// What is minimised: the mean squared correlation of the layers' RSMs, and weights of what keeps images sane.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objective {
    /// Weight of the mean difference of neighbouring values.
    pub total_variation: f64,
    /// Weight of the mean square of values about grey, above 0.08.
    pub range: f64,
    /// Weight of the squared lack of spread of the layers' RSMs below `spread_floor`.
    pub spread: f64,
    /// Spread that each layer's RSM should have.
    pub spread_floor: f64,
    /// Weight of a pair of adjacent layers; other pairs have 1.
    pub adjacent_weight: f64,
    /// β of log Σ exp(β r²)/β, which tends to the worst pair as β grows; 0 is the mean.
    pub soft_max: f64,
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            total_variation: 1e-3,
            range: 1e-2,
            spread: 10.0,
            spread_floor: 0.05,
            adjacent_weight: 1.0,
            soft_max: 0.0,
        }
    }
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopRule {
    /// At the latest after so many steps.
    pub steps: u64,
    /// When the smoothed mean absolute correlation of the untransformed images is below this; 0 is never.
    pub mean_abs_r: f64,
    /// When it stays within this share of itself over [`crate::STALL_STEPS`] steps; 0 is never. Where transforms end before the
    /// run does ([`Transforms::until`] below 1), only steps after their end are looked at: the steps without bring most of the gain.
    pub relative_change: f64,
}

impl Default for StopRule {
    fn default() -> Self {
        Self { steps: 2500, mean_abs_r: 0.01, relative_change: 1e-3 }
    }
}

fn wrong(field: &'static str, found: impl ToString, advice: impl Into<String>) -> Error {
    Error::Setting { field, found: found.to_string(), advice: advice.into() }
}

fn within(field: &'static str, value: f64, low: f64, high: f64) -> Result<(), Error> {
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(());
    }
    Err(wrong(field, value, format!("must be from {low} to {high}")))
}

impl Settings {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first field that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        self.check_images()?;
        if let Parametrisation::Fourier { decay } = self.parametrisation {
            within("parametrisation.decay", decay, 0.0, 4.0)?;
        }
        within("learning_rate", self.learning_rate, 1e-6, 10.0)?;
        within("transforms.until", self.transforms.until, 0.0, 1.0)?;
        let objective = &self.objective;
        within("objective.total_variation", objective.total_variation, 0.0, 1e6)?;
        within("objective.range", objective.range, 0.0, 1e6)?;
        within("objective.spread", objective.spread, 0.0, 1e6)?;
        within("objective.spread_floor", objective.spread_floor, 0.0, 1.0)?;
        within("objective.adjacent_weight", objective.adjacent_weight, 0.0, 1e6)?;
        within("objective.soft_max", objective.soft_max, 0.0, 1e4)?;
        if !(1..=MAX_STEPS).contains(&self.stop.steps) {
            return Err(wrong("stop.steps", self.stop.steps, format!("must be from 1 to {MAX_STEPS}")));
        }
        within("stop.mean_abs_r", self.stop.mean_abs_r, 0.0, 1.0)?;
        within("stop.relative_change", self.stop.relative_change, 0.0, 1.0)
    }

    fn check_images(&self) -> Result<(), Error> {
        if !(MIN_IMAGES..=MAX_IMAGES).contains(&self.images) {
            return Err(wrong("images", self.images, format!("must be from {MIN_IMAGES} to {MAX_IMAGES}")));
        }
        if self.images < USUAL_IMAGES && !self.few_images {
            let advice =
                format!("fewer than {USUAL_IMAGES} images correlate by chance; set few_images to insist");
            return Err(wrong("images", self.images, advice));
        }
        for side in self.size {
            if !(MIN_SIDE..=MAX_SIDE).contains(&side) {
                return Err(wrong("size", side, format!("must be from {MIN_SIDE} to {MAX_SIDE} pixels")));
            }
        }
        let pixels = self.images * self.size[0] * self.size[1];
        if pixels > MAX_PIXELS {
            return Err(wrong("images x size", pixels, format!("at most {MAX_PIXELS} pixels in all")));
        }
        Ok(())
    }

    /// Whether images are transformed at this step.
    pub(crate) fn is_transformed(&self, step: u64) -> bool {
        !self.transforms.is_off() && (step as f64) < self.transforms.until * self.stop.steps as f64
    }

    /// What a user should know of settings that are accepted.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (self.images < USUAL_IMAGES).then(|| {
            let pairs = self.images * self.images.saturating_sub(1) / 2;
            format!(
                "{} images have {pairs} pairs: correlations of layers over so few mean little; use {USUAL_IMAGES} images or more",
                self.images
            )
        })
    }
}
