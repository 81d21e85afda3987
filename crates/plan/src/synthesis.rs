//! What a spec says about synthesis: images whose layers tell themselves apart.

use serde::{Deserialize, Serialize};
use ventral_synthesis::natural::MAX_DRAWS;
use ventral_synthesis::{
    MAX_IMAGES, MAX_STEPS, Objective, Parametrisation, Settings, StopRule, Transforms, USUAL_IMAGES,
};

/// Most restarts of a model.
pub const MAX_RESTARTS: u64 = 1000;
/// Largest seed: what TOML can hold.
pub const MAX_SEED: u64 = i64::MAX as u64;

/// Synthesis of images, for every model of a job (`[synthesis]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynthesisSpec {
    /// Number of images of a set.
    pub images: usize,
    /// Most steps of a restart.
    pub steps: u64,
    /// How often each model begins anew, with the seeds `seed`, `seed` + 1, ...; the best set counts.
    pub restarts: u64,
    /// Seed of the first restart.
    pub seed: u64,
    /// What the optimiser changes.
    pub parametrisation: ParametrisationName,
    /// Exponent by which higher frequencies change more slowly, of the `fourier` parametrisation.
    pub decay: f64,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Steps between two checkpoints, from which an interrupted unit goes on.
    pub checkpoint_steps: u64,
    /// A benchmark card whose stimuli are the natural images of the comparison: path of `benchmark.toml` or of its directory,
    /// relative to the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub natural: Option<String>,
    /// Draws of as many natural images.
    pub draws: usize,
    /// What is minimised (`[synthesis.objective]`).
    pub objective: Objective,
    /// What the images have to withstand, the whole batch alike (`[synthesis.transforms]`).
    pub transforms: Transforms,
    /// When a restart ends before its last step.
    pub stop: StopSpec,
}

/// What the optimiser changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParametrisationName {
    /// Frequencies of decorrelated colours, through a sigmoid.
    #[default]
    Fourier,
    /// Pixels.
    Pixels,
}

/// When a restart ends before its last step (`[synthesis.stop]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StopSpec {
    /// Smoothed mean |r| between layers that is enough; never at 0.
    pub mean_abs_r: f64,
    /// Relative change of it over 200 steps that is none; never at 0.
    pub relative_change: f64,
}

impl Default for SynthesisSpec {
    fn default() -> Self {
        Self {
            images: 16,
            steps: 2500,
            restarts: 4,
            seed: 0,
            parametrisation: ParametrisationName::default(),
            decay: 1.0,
            learning_rate: 0.05,
            checkpoint_steps: 100,
            natural: None,
            draws: 1000,
            objective: Objective::default(),
            transforms: Transforms::default(),
            stop: StopSpec::default(),
        }
    }
}

impl Default for StopSpec {
    fn default() -> Self {
        Self { mean_abs_r: 0.01, relative_change: 1e-3 }
    }
}

/// A field, and what is wrong with it.
type Problem = (&'static str, String);

impl SynthesisSpec {
    /// Everything that decides the bytes of a restart, but for the model.
    #[must_use]
    pub fn settings(&self, size: [usize; 2], seed: u64) -> Settings {
        Settings {
            images: self.images,
            size,
            seed,
            parametrisation: match self.parametrisation {
                ParametrisationName::Fourier => Parametrisation::Fourier { decay: self.decay },
                ParametrisationName::Pixels => Parametrisation::Pixels,
            },
            learning_rate: self.learning_rate,
            transforms: self.transforms,
            objective: self.objective,
            stop: StopRule {
                steps: self.steps,
                mean_abs_r: self.stop.mean_abs_r,
                relative_change: self.stop.relative_change,
            },
            few_images: false,
        }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.count_problem().or_else(|| self.number_problem())
    }

    fn count_problem(&self) -> Option<Problem> {
        let counts = [
            ("synthesis.images", self.images as u64, USUAL_IMAGES as u64, MAX_IMAGES as u64),
            ("synthesis.steps", self.steps, 1, MAX_STEPS),
            ("synthesis.restarts", self.restarts, 1, MAX_RESTARTS),
            ("synthesis.checkpoint_steps", self.checkpoint_steps, 1, MAX_STEPS),
            ("synthesis.draws", self.draws as u64, 1, MAX_DRAWS as u64),
        ];
        let wrong = counts.into_iter().find(|(_, found, least, most)| !(least..=most).contains(&found));
        let wrong = wrong.map(|(field, found, least, most)| {
            (field, format!("found {found}; write a whole number from {least} to {most}"))
        });
        let last = self.seed.checked_add(self.restarts).filter(|last| *last <= MAX_SEED);
        wrong.or_else(|| match last {
            Some(_) => None,
            None => {
                let problem = format!(
                    "found {}; with {} restarts at most {} is possible",
                    self.seed,
                    self.restarts,
                    MAX_SEED - self.restarts
                );
                Some(("synthesis.seed", problem))
            }
        })
    }

    fn number_problem(&self) -> Option<Problem> {
        let (objective, stop) = (&self.objective, &self.stop);
        let ranges = [
            ("synthesis.learning_rate", self.learning_rate, 1e-6, 10.0, "0.05"),
            ("synthesis.decay", self.decay, 0.0, 4.0, "1.0"),
            ("synthesis.objective.adjacent_weight", objective.adjacent_weight, 0.0, 1e6, "1.0"),
            ("synthesis.objective.total_variation", objective.total_variation, 0.0, 1e6, "1e-3"),
            ("synthesis.objective.range", objective.range, 0.0, 1e6, "1e-2"),
            ("synthesis.objective.spread", objective.spread, 0.0, 1e6, "10.0"),
            ("synthesis.objective.spread_floor", objective.spread_floor, 0.0, 1.0, "0.05"),
            ("synthesis.objective.soft_max", objective.soft_max, 0.0, 1e4, "0.0"),
            ("synthesis.transforms.until", self.transforms.until, 0.0, 1.0, "0.8"),
            ("synthesis.stop.mean_abs_r", stop.mean_abs_r, 0.0, 1.0, "0.01"),
            ("synthesis.stop.relative_change", stop.relative_change, 0.0, 1.0, "1e-3"),
        ];
        let outside = ranges.into_iter().find(|(_, found, least, most, _)| !(*least..=*most).contains(found));
        outside.map(|(field, found, least, most, example)| {
            (field, format!("found {found}; write a number from {least} to {most}, such as {example}"))
        })
    }
}
