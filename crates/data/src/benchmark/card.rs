//! `benchmark.toml`: what is compared with what, and where the files are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ventral_metrics::CeilingRule;

use super::units::{PairsCard, PropertyCard};
use super::variants::{PcaCard, TimeCard};

/// A benchmark as its card states it. Paths under `file` are relative to the card, under `data` to the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchmarkCard {
    /// Name in tables and results: letters, digits, `.`, `_` and `-`.
    pub identifier: String,
    /// Version; a change of anything that changes scores is a new version.
    pub version: String,
    /// Region of the brain it stands for, for instance `V4`.
    pub region: String,
    /// Branch of the leaderboard.
    #[serde(default)]
    pub kind: Kind,
    /// Whether its scores may be used to choose layers (public) or only to report them (private).
    #[serde(default)]
    pub visibility: Visibility,
    /// One line about it.
    pub title: Option<String>,
    /// Reference to cite.
    pub citation: Option<String>,
    /// Licence of the data.
    pub licence: Option<String>,
    /// Data set that its files belong to, as `ventral datasets` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// The images.
    pub stimuli: StimuliCard,
    /// Groups of stimuli whose features are averaged, when a response belongs to several images.
    pub pools: Option<PoolsCard>,
    /// The responses or dissimilarities; a benchmark of behaviour has trials instead.
    #[serde(default = "AssemblyCard::absent")]
    pub assembly: AssemblyCard,
    /// How a model's readout becomes decisions between categories.
    pub decisions: Option<super::DecisionsCard>,
    /// How choices are learnt from a model's readout.
    pub decoder: Option<super::DecoderCard>,
    /// What people chose.
    pub trials: Option<super::TrialsCard>,
    /// What a metric of behaviour needs beside the choices.
    pub behavior: Option<super::BehaviorCard>,
    /// Which neuroids count.
    #[serde(default)]
    pub neuroids: NeuroidsCard,
    /// Single repetitions, when they are in a file of their own.
    pub repeats: Option<RepeatsCard>,
    /// Dissimilarities of single subjects.
    pub subjects: Option<SubjectsCard>,
    /// How features and responses are compared.
    pub metric: MetricCard,
    /// Training and test sets.
    #[serde(default)]
    pub splits: SplitsCard,
    /// How well a perfect model could do.
    #[serde(default)]
    pub ceiling: CeilingCard,
    /// What is done with time bins.
    pub time: Option<TimeCard>,
    /// Principal components that features are reduced to.
    pub pca: Option<PcaCard>,
    /// Pairs of stimuli that share a factor.
    pub pairs: Option<PairsCard>,
    /// A property of neurons.
    pub property: Option<PropertyCard>,
}

/// Branch of the leaderboard (spec §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    #[default]
    Neural,
    Behavior,
    Engineering,
}

/// Who may see the data behind a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Anybody; layers may be chosen on it.
    #[default]
    Public,
    /// Its maintainers; scores are only reported.
    Private,
}

/// The images (`[stimuli]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StimuliCard {
    /// Name of the set; the benchmark's identifier unless given.
    pub identifier: Option<String>,
    /// How the images are stored.
    pub format: StimulusFormat,
    /// Archive, folder or MATLAB file, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// For `table`: the CSV file with one row per stimulus, relative to the folder that holds `file` or `data`.
    pub table: Option<PathBuf>,
    /// For `zip` and `directory`: which files, as a glob; `*` does not cross `/`.
    pub pattern: Option<String>,
    /// For `mat`: the images, for instance `stimuli[*].image`.
    pub variable: Option<String>,
    /// Degrees of visual angle that the images spanned; unless given they are shown to models at the models' own size.
    pub degrees: Option<f64>,
    /// Accept stimuli without responses and leave them out.
    #[serde(default)]
    pub allow_unused: bool,
}

/// How images are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StimulusFormat {
    /// A zip archive; identifiers are the names of its files.
    Zip,
    /// A folder; identifiers are the relative paths of its files.
    Directory,
    /// A CSV file with identifiers and file names, and a zip archive or folder (BrainIO).
    Table,
    /// Arrays of bytes in a MATLAB file.
    Mat,
}

/// Groups of stimuli (`[pools]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolsCard {
    /// Column of the stimuli that says which presentation a stimulus belongs to (`folder` for images in folders).
    pub column: String,
}

/// Format of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrayFormat {
    /// A BrainIO assembly in NetCDF-4.
    Nc,
    /// NumPy.
    Npy,
    /// MATLAB level 5.
    Mat,
    /// One row per presentation: `stimulus_id`, perhaps `repetition`, and one column per neuroid.
    Csv,
}

/// What an array holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Responses of neuroids to presentations.
    #[default]
    Responses,
    /// Dissimilarities of pairs of stimuli: a square matrix, or its strict upper triangle row by row.
    Rdm,
}

/// An axis of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ArrayAxis {
    Presentation,
    Neuroid,
    Repetition,
    TimeBin,
}

impl std::fmt::Display for ArrayAxis {
    /// The name as cards write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// The responses or dissimilarities (`[assembly]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssemblyCard {
    /// Format of the file.
    pub format: ArrayFormat,
    /// The file, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// For `mat`: the array, for instance `roistack.betas`.
    pub variable: Option<String>,
    /// Responses or an RDM.
    #[serde(default)]
    pub content: Content,
    /// For `npy` and `mat`: the axes in file order, `time_bin` among them with `[time]`; `["presentation", "neuroid"]` unless given.
    pub axes: Option<Vec<ArrayAxis>>,
    /// For `mat`: texts that identify the presentations; without them row i is stimulus (or pool) i.
    pub presentation_ids: Option<String>,
    /// For `nc`: start and end in ms of the time bin to use, if the file has several.
    pub time_bin: Option<[f64; 2]>,
    /// For `nc`: presentation coordinates to drop before averaging repetitions, such as `trial`.
    #[serde(default)]
    pub ignore: Vec<String>,
}

impl AssemblyCard {
    /// No assembly: what needs one says so, because it names no file.
    pub(super) fn absent() -> Self {
        Self {
            format: ArrayFormat::Csv,
            file: None,
            data: None,
            variable: None,
            content: Content::Responses,
            axes: None,
            presentation_ids: None,
            time_bin: None,
            ignore: Vec::new(),
        }
    }
}

/// Which neuroids count (`[neuroids]`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeuroidsCard {
    /// For `mat`: a label per neuroid; becomes the column `label`.
    pub labels: Option<String>,
    /// For `mat`: texts that numeric labels (from 1) stand for.
    pub names: Option<String>,
    /// Column to select by; `label` if there are labels, else `neuroid_id`.
    pub column: Option<String>,
    /// Values of the column to keep; everything unless given.
    pub select: Option<Vec<String>>,
    /// `neuroid_id`s to leave out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Leave out neuroids with the same response to everything, whose score would be NaN.
    #[serde(default)]
    pub exclude_constant: bool,
}

/// Single repetitions (`[repeats]`), in an npy or MATLAB file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatsCard {
    /// Format of the file.
    pub format: ArrayFormat,
    /// The file, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// For `mat`: the array.
    pub variable: Option<String>,
    /// The axes in file order.
    pub axes: Vec<ArrayAxis>,
}

/// Dissimilarities of single subjects (`[subjects]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectsCard {
    /// Npy, MATLAB (level 5 and 7.3), NetCDF-4 or HDF5 file, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// The matrices, for instance `RDMs[*].RDM`; not for npy.
    pub variable: Option<String>,
    /// Positions of the matrices of each subject, which are averaged; one matrix per subject unless given.
    pub groups: Option<Vec<Vec<usize>>>,
    /// What models are compared with.
    #[serde(default)]
    pub score: SubjectScore,
}

/// What models are compared with where there are dissimilarities of single subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectScore {
    /// Each subject's; the score is the mean over subjects (spec §5.3).
    #[default]
    Each,
    /// Their mean, or that of `[assembly]`; the ceiling of single subjects does not belong to it.
    Mean,
}

/// Name of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum MetricName {
    Pls,
    Ridge,
    RidgeCv,
    Linear,
    NeuronToNeuron,
    ReversePls,
    ReverseRidge,
    ReverseLinear,
    FactorDimensionality,
    KsSimilarity,
    Rdm,
    Cka,
    CkaBiased,
    Accuracy,
    AccuracyDistance,
    ErrorConsistency,
    ConfusionSimilarity,
    ShapeBias,
    OddOneOut,
    ValueDelta,
    Threshold,
    ThresholdElevation,
    I1,
    I1n,
    I2,
    I2n,
    O1,
    O2,
}

impl std::fmt::Display for MetricName {
    /// The name as cards write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// How features and responses are compared (`[metric]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricCard {
    /// Which metric.
    pub name: MetricName,
    /// For `pls` and `reverse_pls`: components; 25 unless given.
    pub components: Option<usize>,
    /// For `ridge` and `reverse_ridge`: penalty; 1 unless given.
    pub alpha: Option<f64>,
    /// For `ridge_cv`: penalties to choose from; the reference's 99 unless given (spec §1.4).
    pub alphas: Option<Vec<f64>>,
    /// For regressions: column of the neuroids by whose values they are fitted and scored apart, for instance `subject`.
    pub groups: Option<String>,
}

/// How training and test sets are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitScheme {
    /// Not at all: RDM and CKA.
    #[default]
    None,
    /// At random.
    Shuffle,
    /// At random, with the share of every label kept.
    Stratified,
    /// As a file says.
    Folds,
    /// One split, as a column of the presentations or stimuli says (`_split` metrics).
    Fixed,
}

impl std::fmt::Display for SplitScheme {
    /// The name as cards write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// Training and test sets (`[splits]`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitsCard {
    /// How they are drawn.
    #[serde(default)]
    pub scheme: SplitScheme,
    /// For random splits: how many; 10 unless given.
    pub count: Option<usize>,
    /// For random splits: share of the presentations to train on; 0.9 unless given.
    pub train_size: Option<f64>,
    /// For random splits: share to test on instead; 0.9 is what the reference tests similarities on.
    pub test_size: Option<f64>,
    /// For random splits: seed; 1 unless given.
    pub seed: Option<u32>,
    /// For `stratified`: column of the presentations or stimuli with the labels.
    pub stratify: Option<String>,
    /// For `folds`: MATLAB file, or CSV with the columns `stimulus_id` and `fold`, relative to the card.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// For `fixed`: the column.
    pub column: Option<String>,
    /// For `fixed`: the value of the presentations to test on; the others are fitted on.
    pub test: Option<String>,
    /// For `folds` in a MATLAB file: a cell array with the test identifiers (or positions from 1) of each fold.
    pub variable: Option<String>,
}

/// Where a ceiling comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CeilingSource {
    /// There is none; the rule is `raw`.
    #[default]
    None,
    /// The number on the card.
    Given,
    /// Random halves of the repetitions (spec §5.1).
    InternalConsistency,
    /// Halves drawn for each stimulus by itself: reverse predictivity (spec §5.2).
    PredictorConsistency,
    /// Even against odd repetitions.
    EvenOdd,
    /// One number per neuroid in a file; the benchmark's is their median.
    PerNeuroid,
    /// Similarity of each subject with the mean of all (spec §5.2).
    Rsa,
    /// For `ks_similarity`: the neurons against themselves (spec §3).
    Resampled,
    /// For behaviour: how well people predict each other (spec §3, §4.3).
    People,
}

impl std::fmt::Display for CeilingSource {
    /// The name as cards write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// How well a perfect model could do (`[ceiling]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct CeilingCard {
    /// Where it comes from.
    #[serde(default)]
    pub source: CeilingSource,
    /// How it normalises scores (spec §5.3); `raw` without a ceiling.
    pub rule: Option<CeilingRule>,
    /// For `given`: the ceiling.
    pub value: Option<f64>,
    /// For `given`: its error.
    pub error: Option<f64>,
    /// For `internal_consistency` and `predictor_consistency`: number of halvings; 10 unless given.
    pub count: Option<usize>,
    /// For these: seed; 1 unless given, 0 for `predictor_consistency`.
    pub seed: Option<u32>,
    /// For `per_neuroid`: MATLAB or npy file, relative to the card; the assembly's file unless given.
    pub file: Option<PathBuf>,
    /// The same, relative to the data directory.
    pub data: Option<PathBuf>,
    /// For `per_neuroid` in a MATLAB file: the numbers.
    pub variable: Option<String>,
    /// For `per_neuroid`: entries of this value belong to no neuroid and are left out.
    pub drop: Option<f64>,
    /// For ceilings from repetitions: only those of the presentations that are tested on (`fixed` splits).
    pub test_only: Option<bool>,
    /// For `rsa` of responses: column of the neuroids with the subject.
    pub subjects: Option<String>,
    /// For `rsa`: which bound is the ceiling; `upper` unless given.
    pub bound: Option<Bound>,
}

/// Which bound of a noise ceiling normalises scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Each subject with the mean of all.
    Upper,
    /// Each subject with the mean of the others.
    Lower,
}
