//! Benchmarks: a card and its files, checked and resolved into what the metrics need.

mod behavior;
mod card;
mod ceiling;
mod check;
pub(crate) mod digest;
mod listing;
pub(crate) mod locate;
pub(crate) mod parse;
mod parts;
mod rdms;
mod recording;
mod reduction;
mod resolve;
mod splits;
mod time;
mod units;
mod variants;

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, ArrayView2};
use ventral_metrics::{CeilingRule, CkaEstimator, Regression, Split, ridge_alphas};

use crate::error::{Error, Result};
use crate::stimuli::StimulusSet;
use crate::table::Table;

pub use behavior::{
    Behavior, BehaviorCard, BehaviorMetric, Choices, DecisionsCard, DecoderCard, People, TrialsCard,
};
pub use card::{
    ArrayAxis, ArrayFormat, AssemblyCard, BenchmarkCard, Bound, CeilingCard, CeilingSource, Content, Kind,
    MetricCard, MetricName, NeuroidsCard, PoolsCard, RepeatsCard, SplitScheme, SplitsCard, StimuliCard,
    StimulusFormat, SubjectScore, SubjectsCard, Visibility,
};
pub use check::{CardProblem, Checked, MAX_PROBLEMS, check_benchmark};
pub use listing::{CardFile, CardFiles, benchmark_files, benchmark_references};
pub(crate) use rdms::{GIVE_DISTANCE, triangle};
pub use resolve::load_benchmark;
pub(crate) use resolve::open_set;
pub use units::{PairsCard, PropertyCard, PropertyKind, UnitTask};
pub use variants::{Components, Part, PcaCard, Time, TimeCard, TimeMode};

/// Name of a card inside its folder.
pub const CARD_FILE: &str = "benchmark.toml";
/// PLS components of the reference (spec §1.3).
const PLS_COMPONENTS: usize = 25;
/// Ridge penalty of the reference (spec §1.4).
const RIDGE_ALPHA: f64 = 1.0;

/// How features and responses are compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// Predict the responses; Pearson correlation per neuroid and split.
    Regression(Regression),
    /// Predict each neuroid by its best feature.
    NeuronToNeuron,
    /// Predict the features from the neuroids.
    Reverse(Regression),
    /// Spearman correlation of representational dissimilarities.
    Rdm,
    /// Centred kernel alignment.
    Cka(CkaEstimator),
    /// As the target says.
    Behavior,
    /// Of single units of a layer, as the target says.
    Units,
}

/// What a model is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Responses of neuroids.
    Responses {
        /// Mean over repetitions, presentation x neuroid, finite.
        averaged: Array2<f64>,
        /// Repetition x presentation x neuroid, NaN where missing, if the benchmark has them.
        repeats: Option<Array3<f64>>,
        /// One row of labels per neuroid.
        neuroids: Table,
    },
    /// Dissimilarities of pairs of stimuli: strict upper triangles, row by row.
    Rdm {
        /// Subject x pair, each scored by itself; or one row for the whole recording.
        rdms: Array2<f64>,
        /// Names of the subjects; empty where one row stands for all.
        subjects: Vec<String>,
    },
    /// Choices of people.
    Behavior(Box<Behavior>),
    /// What single units are asked for.
    Units(Box<UnitTask>),
}

/// How well a perfect model could do.
#[derive(Debug, Clone, PartialEq)]
pub struct CeilingEstimate {
    /// The ceiling that the rule uses.
    pub value: f64,
    /// Its standard error, where there is one.
    pub error: Option<f64>,
    /// Ceiling of each neuroid (or subject, for an RDM); empty if it is one number.
    pub per_neuroid: Vec<f64>,
    /// For `rsa`: similarity of a subject with the mean of the others.
    pub lower: Option<f64>,
    /// Ceiling of each split, where splits have their own (spec §4.3); else empty.
    pub per_split: Vec<f64>,
}

/// A benchmark with everything resolved. Rows are presentations (or pools of stimuli) in the order of the assembly.
#[derive(Debug, Clone)]
pub struct Benchmark {
    /// The card.
    pub card: BenchmarkCard,
    /// Where the card is.
    pub path: PathBuf,
    /// The images: row i shows stimulus i, or without pools the stimuli of pool i.
    pub stimuli: StimulusSet,
    /// Stimuli whose features are averaged for each row.
    pub pools: Option<Vec<Vec<usize>>>,
    /// Identifier of each row.
    pub ids: Vec<String>,
    /// What is predicted or compared.
    pub target: Target,
    /// How.
    pub metric: Metric,
    /// Training and test rows; empty for metrics without.
    pub splits: Vec<Split>,
    /// The ceiling, unless the rule is `raw` without one.
    pub ceiling: Option<CeilingEstimate>,
    /// How the ceiling normalises a score.
    pub rule: CeilingRule,
    /// What is peculiar about the data, one sentence each.
    pub notes: Vec<String>,
    /// Time bins, if there are several.
    pub time: Option<Time>,
    /// Start and end of each time bin of the recording that the responses come from, when known.
    pub bins: Vec<[f64; 2]>,
    /// Principal components that features are reduced to.
    pub components: Option<Components>,
    /// Columns that regressions fit apart; empty if all are fitted together.
    pub groups: Vec<Vec<usize>>,
    /// Parts whose scores are averaged; empty if there is one.
    pub parts: Vec<Part>,
}

impl Target {
    /// The labels of the neuroids, unless it is an RDM.
    pub fn neuroids(&self) -> Option<&Table> {
        match self {
            Self::Responses { neuroids, .. } => Some(neuroids),
            Self::Rdm { .. } | Self::Behavior(_) | Self::Units(_) => None,
        }
    }
}

impl Benchmark {
    /// Presentation x neuroid, unless the target is an RDM.
    pub fn responses(&self) -> Option<ArrayView2<'_, f64>> {
        match &self.target {
            Target::Responses { averaged, .. } => Some(averaged.view()),
            Target::Rdm { .. } | Target::Behavior(_) | Target::Units(_) => None,
        }
    }

    /// Number of rows: presentations, or pools of stimuli.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Number of neuroids, of pairs of stimuli, of answers, or 1 for single units.
    pub fn targets(&self) -> usize {
        match &self.target {
            Target::Responses { averaged, .. } => averaged.ncols(),
            Target::Rdm { rdms, .. } => rdms.ncols(),
            Target::Behavior(behavior) => behavior.size(),
            Target::Units(_) => 1,
        }
    }

    /// Degrees of visual angle of the stimuli, when the card states them.
    pub fn degrees(&self) -> Option<f64> {
        self.card.stimuli.degrees
    }
}

/// A card's path, given the file or its folder.
pub(crate) fn card_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(CARD_FILE) } else { path.to_path_buf() }
}

impl MetricCard {
    fn directed(&self, regression: Regression) -> Metric {
        match self.name {
            MetricName::ReversePls | MetricName::ReverseRidge | MetricName::ReverseLinear => {
                Metric::Reverse(regression)
            }
            _ => Metric::Regression(regression),
        }
    }

    fn resolve(&self, path: &Path) -> Result<Metric> {
        let unused = |given: bool, field: &str, of: &str| {
            if given {
                let problem = format!("belongs to `{of}`, the metric is `{}`; remove it", self.name);
                return Err(Error::field(path, format!("metric.{field}"), problem));
            }
            Ok(())
        };
        let positive = |field: &str, alpha: f64| {
            let problem = format!("{alpha} is not a number above zero");
            if alpha > 0.0 && alpha.is_finite() {
                Ok(alpha)
            } else {
                Err(Error::field(path, format!("metric.{field}"), problem))
            }
        };
        let (pls, ridge) = (
            matches!(self.name, MetricName::Pls | MetricName::ReversePls),
            matches!(self.name, MetricName::Ridge | MetricName::ReverseRidge),
        );
        unused(self.components.is_some() && !pls, "components", "pls")?;
        unused(self.alpha.is_some() && !ridge, "alpha", "ridge")?;
        unused(self.alphas.is_some() && self.name != MetricName::RidgeCv, "alphas", "ridge_cv")?;
        let fitted = matches!(
            self.name,
            MetricName::Pls | MetricName::Ridge | MetricName::RidgeCv | MetricName::Linear
        );
        unused(self.groups.is_some() && !fitted, "groups", "pls`, `ridge`, `ridge_cv` and `linear")?;
        Ok(match self.name {
            MetricName::Pls | MetricName::ReversePls => {
                let components = self.components.unwrap_or(PLS_COMPONENTS);
                if components == 0 {
                    return Err(Error::field(path, "metric.components", "is 0, at least 1 is needed"));
                }
                self.directed(Regression::Pls { components })
            }
            MetricName::Ridge | MetricName::ReverseRidge => {
                let alpha = positive("alpha", self.alpha.unwrap_or(RIDGE_ALPHA))?;
                self.directed(Regression::Ridge { alpha })
            }
            MetricName::RidgeCv => {
                let alphas = self.alphas.clone().unwrap_or_else(ridge_alphas);
                if alphas.is_empty() {
                    return Err(Error::field(
                        path,
                        "metric.alphas",
                        "is empty; leave it out for the reference's grid",
                    ));
                }
                alphas.iter().try_for_each(|&a| positive("alphas", a).map(drop))?;
                Metric::Regression(Regression::RidgeCv { alphas })
            }
            MetricName::Linear | MetricName::ReverseLinear => self.directed(Regression::Linear),
            MetricName::NeuronToNeuron => Metric::NeuronToNeuron,
            MetricName::Rdm => Metric::Rdm,
            MetricName::Cka => Metric::Cka(CkaEstimator::Unbiased),
            MetricName::CkaBiased => Metric::Cka(CkaEstimator::Biased),
            MetricName::FactorDimensionality | MetricName::KsSimilarity => Metric::Units,
            // The target says the rest.
            _ => Metric::Behavior,
        })
    }
}
