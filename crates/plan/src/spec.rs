//! The job spec: which models are scored on which benchmarks, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ventral_metrics::Precision;

use crate::{SearchlightSpec, SynthesisSpec};

/// Most characters of a job name.
pub const MAX_NAME_CHARS: usize = 64;

/// Most entries of each list in a spec.
pub const MAX_ENTRIES: usize = 10_000;

/// What a user asks for: the contents of `evaluation.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Short name, used in the job's id: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// Title of the report; the name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Model cards: paths of `model.toml` or of its directory, relative to the spec; `*` and `?` match. May be missing where
    /// `[searchlight]` is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Benchmark cards: paths of `benchmark.toml` or of its directory, relative to the spec; `*` and `?` match. May be missing
    /// where `[searchlight]` or `[synthesis]` is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<String>,
    /// How layers are read.
    #[serde(default)]
    pub features: Features,
    /// Layers by model identifier, as names or globs; replaces the card's list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<String, Vec<String>>,
    /// Rules of scoring other than today's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Layer choice per region; without an entry a region's layer is chosen on the benchmark it is reported on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selection: Vec<Selection>,
    /// Brain maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searchlight: Option<SearchlightSpec>,
    /// Images whose layers tell themselves apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthesis: Option<SynthesisSpec>,
}

/// Named rules of scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preset {
    /// The first Brain-Score (Schrimpf et al. 2018, spec 1.7): every neural benchmark on features reduced to 1,000 principal components,
    /// the best layer on the very benchmark that is reported, no ceilings, and the mean of V4, IT and behaviour.
    #[serde(rename = "brain-score-2018")]
    BrainScore2018,
}

impl Preset {
    /// The regions whose mean is the brain score.
    #[must_use]
    pub fn regions(self) -> [&'static str; 3] {
        match self {
            Self::BrainScore2018 => ["V4", "IT", "behavior"],
        }
    }

    /// Principal components of the features of neural benchmarks.
    #[must_use]
    pub fn components(self) -> usize {
        match self {
            Self::BrainScore2018 => ventral_metrics::PCA_COMPONENTS,
        }
    }
}

/// How layers are read into Gram matrices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Precision of the products; accumulation is always f64.
    #[serde(default = "default_precision")]
    pub precision: Precision,
    /// Where scores are computed.
    #[serde(default, skip_serializing_if = "Scoring::is_auto")]
    pub scoring: Scoring,
    /// Whether the Gram matrices of all layers are kept in the store, so that a benchmark that is added later reads no model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_grams: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self { precision: default_precision(), scoring: Scoring::Auto, keep_grams: false }
    }
}

/// Where scores from Gram matrices are computed; no byte of them depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scoring {
    /// While a layer is read, unless that takes long ([`crate::SCORING_SECONDS`]): then in units of their own, which read the stored Gram.
    #[default]
    Auto,
    /// All while their layer is read.
    Together,
    /// All in units of their own.
    Apart,
}

impl Scoring {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

fn default_precision() -> Precision {
    Precision::F32
}

/// The layer of a region is chosen on one benchmark and reported on others (spec 2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Region, as in the benchmark cards.
    pub region: String,
    /// Identifier of the (public) benchmark the layer is chosen on. It does not count in the brain score.
    pub select_on: String,
}

/// A spec that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The text is not the TOML of a spec.
    #[error("{file}: {message}")]
    Syntax {
        /// The spec file.
        file: String,
        /// Line, column, field and what is allowed there.
        message: String,
    },
    /// A field has a value that cannot be used.
    #[error("{file}: field '{field}': {problem}")]
    Field {
        /// The spec file.
        file: String,
        /// The field.
        field: &'static str,
        /// What was found and what to write.
        problem: String,
    },
}

impl JobSpec {
    /// Reads the TOML of a spec; `file` names it in errors.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, SpecError> {
        let spec: Self = toml::from_str(text)
            .map_err(|error| SpecError::Syntax { file: file.to_owned(), message: error.to_string() })?;
        spec.check(file)?;
        Ok(spec)
    }

    /// The title, or else the name.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// Whether it is about synthesis and nothing else.
    pub fn has_images_alone(&self) -> bool {
        self.synthesis.is_some() && self.searchlight.is_none() && self.benchmarks.is_empty()
    }

    fn check(&self, file: &str) -> Result<(), SpecError> {
        let refuse = |field, problem: String| Err(SpecError::Field { file: file.to_owned(), field, problem });
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name_fits = (1..=MAX_NAME_CHARS).contains(&self.name.len());
        if !name_fits || !self.name.chars().all(allowed) || self.name.starts_with('.') {
            let found = self.name.chars().take(MAX_NAME_CHARS + 1).collect::<String>();
            return refuse(
                "name",
                format!(
                    "found '{found}'; write 1 to {MAX_NAME_CHARS} letters, digits, '-', '_' or '.', not starting with '.'"
                ),
            );
        }
        for (field, list) in [("models", &self.models), ("benchmarks", &self.benchmarks)] {
            let others = self.searchlight.is_some() || (field == "benchmarks" && self.synthesis.is_some());
            if list.is_empty() && !others {
                return refuse(field, "the list is empty; name at least one card".to_owned());
            }
            if list.len() > MAX_ENTRIES {
                return refuse(field, format!("{} entries; at most {MAX_ENTRIES}", list.len()));
            }
        }
        if !self.benchmarks.is_empty() && self.models.is_empty() {
            return refuse("models", "the list is empty, and there are benchmarks; name a model".to_owned());
        }
        if let Some((field, problem)) = self.searchlight.as_ref().and_then(SearchlightSpec::problem) {
            return refuse(field, problem);
        }
        if let Some((field, problem)) = self.synthesis.as_ref().and_then(SynthesisSpec::problem) {
            return refuse(field, problem);
        }
        if self.synthesis.is_some() && self.models.is_empty() {
            return refuse(
                "models",
                "the list is empty, and [synthesis] makes images for models; name one".to_owned(),
            );
        }
        if self.preset.is_some() && !self.selection.is_empty() {
            return refuse("selection", "the preset chooses layers itself; remove one of the two".to_owned());
        }
        let mut regions: Vec<&str> = self.selection.iter().map(|s| s.region.as_str()).collect();
        regions.sort_unstable();
        if let Some(pair) = regions.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse("selection", format!("region '{}' has more than one entry", pair[0]));
        }
        Ok(())
    }
}
