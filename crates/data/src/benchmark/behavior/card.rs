//! The sections of a card that only benchmarks of behaviour have.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ventral_metrics::{CategoryRule, Similarity, ThresholdScoring};

/// How a model's readout becomes decisions between categories (`[decisions]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionsCard {
    /// CSV with the columns `index` (class of the readout, from 0) and `category`, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// How the classes of a category are combined.
    pub rule: CategoryRule,
    /// Classes of the readout; 1,000 (ImageNet) unless given.
    pub classes: Option<usize>,
}

/// How choices are learnt from a model's readout: multinomial logistic regression on some of the stimuli (`[decoder]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderCard {
    /// Column of the stimuli that says what they are for.
    pub column: String,
    /// Its value for stimuli to learn from; the model is tested on all others.
    pub fit: String,
    /// Inverse strength of the penalty; 0.001 unless given (spec §4.1).
    pub c: Option<f64>,
}

/// What people chose (`[trials]`): one row per trial, or per triplet or person.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialsCard {
    /// CSV file, tar archive of such (also `.tar.gz`), or NetCDF file whose presentations are the trials, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// For an archive: which files, as a glob; their rows are joined in the order of their names.
    pub pattern: Option<String>,
    /// Column of the stimulus; `stimulus_id` unless given.
    pub stimulus: Option<String>,
    /// Identifier or file name of the stimulus begins after this many underscores in that column; 0 unless given.
    pub skip: Option<usize>,
    /// Column of the choice; `choice` unless given.
    pub choice: Option<String>,
    /// Column of the person; `subject` unless given.
    pub subject: Option<String>,
    /// Column of the condition, if there are several.
    pub condition: Option<String>,
    /// Conditions that do not count.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// For `i1` to `o2`: columns of the object shown and of the other; `["sample_obj", "dist_obj"]` unless given.
    pub objects: Option<[String; 2]>,
    /// For `odd_one_out`: columns of the odd one and the two others; `["odd", "a", "b"]` unless given.
    pub triplet: Option<[String; 3]>,
    /// For `threshold` and `threshold_elevation`: column of each person's threshold; `threshold` unless given.
    pub threshold: Option<String>,
    /// For `threshold_elevation`: column of each person's threshold without flankers; `baseline` unless given.
    pub baseline: Option<String>,
}

/// What a metric of behaviour needs beside the choices (`[behavior]`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviorCard {
    /// Column of the stimuli with the true label.
    pub truth: Option<String>,
    /// For `accuracy_distance`: the mean over conditions of the distance within each.
    #[serde(default)]
    pub by_condition: bool,
    /// For `shape_bias`: column of the stimuli with the category of the texture; `truth` is that of the shape.
    pub texture: Option<String>,
    /// For `odd_one_out`: `dot` or `cosine`.
    pub similarity: Option<Similarity>,
    /// For `value_delta`: scale of the exponential; 1 unless given.
    pub scale: Option<f64>,
    /// For thresholds: column of the stimuli with the variable.
    pub variable: Option<String>,
    /// For `threshold_elevation`: column and value of the stimuli that give the baseline.
    pub baseline: Option<[String; 2]>,
    /// For thresholds: share of right answers at the threshold; half way along the fitted curve unless given.
    pub level: Option<f64>,
    /// For thresholds: compared with the mean of people, or with each.
    pub scoring: Option<ThresholdScoring>,
}
