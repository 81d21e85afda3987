//! What happens while units run, for whoever shows it.

use std::path::PathBuf;

use ventral_plan::{FeaturesUnit, MapUnit, ScoreUnit, SynthesisUnit};

/// Receives events, from any thread.
pub trait Observer: Sync {
    /// Called for every event.
    fn on(&self, event: &Event<'_>);

    /// Whether the user wants to stop; asked between units and between batches.
    fn interrupted(&self) -> bool {
        false
    }
}

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A features unit begins; `missing` of its layers are not in the store.
    FeaturesStarted {
        /// The unit.
        unit: &'a FeaturesUnit,
        /// Number of layers to read.
        missing: usize,
    },
    /// Stimuli have gone through the model in the current pass.
    Stimuli {
        /// Stimuli done.
        done: u64,
        /// Stimuli of all passes.
        total: u64,
    },
    /// A layer's Gram is in the store.
    LayerStored {
        /// The unit.
        unit: &'a FeaturesUnit,
        /// Index into the unit's layers.
        layer: usize,
    },
    /// A features unit is done.
    FeaturesFinished {
        /// The unit.
        unit: &'a FeaturesUnit,
        /// Seconds it took.
        seconds: f64,
        /// How activations were placed, and why.
        placement: String,
    },
    /// The score units begin.
    ScoresStarted {
        /// Number of units that are not in the store.
        missing: usize,
    },
    /// A score is in the store.
    ScoreStored {
        /// The unit.
        unit: &'a ScoreUnit,
    },
    /// The map units begin.
    MapsStarted {
        /// Number of units that are not in the store.
        missing: usize,
        /// Their centres.
        centres: usize,
    },
    /// Centres of a map unit are computed.
    Centres {
        /// How many since the last such event of the unit.
        done: usize,
    },
    /// A map unit is in the store.
    MapStored {
        /// The unit.
        unit: &'a MapUnit,
    },
    /// The map units have ended.
    MapsFinished {
        /// Their centres.
        centres: usize,
        /// Seconds they took.
        seconds: f64,
    },
    /// A synthesis unit begins, or goes on from a checkpoint.
    SynthesisStarted {
        /// The unit.
        unit: &'a SynthesisUnit,
        /// Steps that were taken before.
        done: u64,
    },
    /// A synthesis unit has taken a step.
    Step {
        /// The unit.
        unit: &'a SynthesisUnit,
        /// Steps taken.
        done: u64,
        /// Most steps.
        total: u64,
        /// Mean |r| between layers, of the images as transformed in this step.
        mean_abs_r: f64,
        /// Largest |r| between two layers.
        max_abs_r: f64,
    },
    /// A synthesis unit has taken its last step; its images are evaluated.
    Evaluating {
        /// The unit.
        unit: &'a SynthesisUnit,
        /// Why it stopped.
        stop: &'a str,
    },
    /// A set of images is in the store.
    SynthesisStored {
        /// The unit.
        unit: &'a SynthesisUnit,
        /// Seconds it took this time.
        seconds: f64,
    },
    /// What the job has in the store is read, before anything is computed.
    Checking {
        /// Objects read.
        done: usize,
        /// Objects of the job.
        total: usize,
    },
    /// Something in the store was damaged and is removed; it is made anew.
    Discarded {
        /// Its file or URL.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// A unit failed; the others go on.
    Failed {
        /// Which unit, in words.
        unit: String,
        /// What to know and to do.
        reason: String,
    },
}
