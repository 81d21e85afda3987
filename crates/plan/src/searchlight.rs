//! What a spec says about searchlights: brain maps of layers, from scans.

use serde::{Deserialize, Serialize};
use ventral_searchlight::group::MAX_DRAWS;
use ventral_searchlight::{
    Comparison, Edge, MAX_PERMUTATIONS, Options, Preparation, Radius, Residual, RsmKind, Shape,
};

use crate::spec::MAX_ENTRIES;
use crate::{CardKind, Error, Refused, ScanFacts, SubjectFacts};

/// Searchlights of a job (`[searchlight]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchlightSpec {
    /// Scan cards: paths of `scan.toml` or of its directory, relative to the spec; `*` and `?` match.
    pub scans: Vec<String>,
    /// Shape of a neighbourhood, unless the scan supplies its own.
    #[serde(default)]
    pub shape: ShapeName,
    /// Its radius; of a cube the voxels to each side.
    #[serde(default = "default_radius")]
    pub radius: f64,
    /// Unit of the radius.
    #[serde(default)]
    pub unit: LengthUnit,
    /// Whether a voxel at exactly the radius belongs to a ball.
    #[serde(default)]
    pub rule: Edge,
    /// Centres with fewer voxels have no value.
    #[serde(default = "default_minimum_voxels")]
    pub minimum_voxels: usize,
    /// How alike the patterns of two images are.
    #[serde(default)]
    pub rsm: RsmKind,
    /// How the RSM of a neighbourhood is compared with that of a layer.
    #[serde(default)]
    pub comparison: Comparison,
    /// Residual methods that maps are written for; the last one decides thresholds, winners and permutations, or where layers are
    /// too alike for it the one before.
    #[serde(default = "default_methods")]
    pub methods: Vec<Method>,
    /// Penalty of the method `ridge`.
    #[serde(default = "default_ridge_lambda")]
    pub ridge_lambda: f64,
    /// Whether each voxel's mean over the images of a run is taken off (the cocktail blank).
    #[serde(default)]
    pub remove_mean_pattern: bool,
    /// Whether each voxel is z-scored over the images of a run.
    #[serde(default)]
    pub zscore_runs: bool,
    /// Whether each voxel is divided by its noise.
    #[serde(default)]
    pub noise_normalise: bool,
    /// Permutations of image labels within each subject; none at 0.
    #[serde(default)]
    pub permutations: usize,
    /// Seed of the permutations and sign flips.
    #[serde(default)]
    pub seed: u32,
    /// Statistics over subjects.
    #[serde(default)]
    pub group: GroupSpec,
    /// Two of the scans whose maps are compared: the same brains with synthesised and with natural images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stimulus_sets: Option<StimulusSets>,
}

/// The same brains with two kinds of images (`[searchlight.stimulus_sets]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StimulusSets {
    /// Identifier of the scan with synthesised images.
    pub synthesised: String,
    /// Identifier of the scan with natural images.
    pub natural: String,
}

/// Shapes of neighbourhoods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShapeName {
    /// All voxels within the radius.
    #[default]
    Ball,
    /// All voxels up to `radius` voxels away along each axis.
    Cube,
}

/// Units of a radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// Voxels, whatever their size.
    #[default]
    Voxels,
    /// Millimetres, along the affine.
    Mm,
}

/// How the other layers are taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Not at all.
    Raw,
    /// All other layers are regressed out of the layer.
    SemiPartial,
    /// All other layers are regressed out of the layer and of the brain.
    Partial,
    /// Semi-partial with the neighbours in depth only.
    Adjacent,
    /// Semi-partial with the earlier layers only.
    Earlier,
    /// Standardised weight in the regression of the brain on all layers.
    Regression,
    /// The same with a penalty.
    Ridge,
    /// Regression with weights that are not negative.
    NonNegative,
    /// Variance explained by all layers minus that by all others.
    UniqueVariance,
    /// Correlation with the orthonormal set nearest to the layers.
    Loewdin,
}

impl Method {
    /// Its name, as in a spec.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::SemiPartial => "semi_partial",
            Self::Partial => "partial",
            Self::Adjacent => "adjacent",
            Self::Earlier => "earlier",
            Self::Regression => "regression",
            Self::Ridge => "ridge",
            Self::NonNegative => "non_negative",
            Self::UniqueVariance => "unique_variance",
            Self::Loewdin => "loewdin",
        }
    }

    /// Whether its values are at least 0 by construction, so that a test against 0 means nothing.
    fn is_never_negative(self) -> bool {
        matches!(self, Self::NonNegative | Self::UniqueVariance)
    }
}

/// Statistics over subjects (`[searchlight.group]`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupSpec {
    /// Which voxels belong to a layer.
    pub threshold: Threshold,
    /// For `top`: per cent of the voxels.
    pub top_percent: f64,
    /// Level of every test.
    pub alpha: f64,
    /// Corrections that maps are written for.
    pub correction: Vec<Correction>,
    /// Neighbours of a voxel in clusters: 6, 18 or 26.
    pub connectivity: u8,
    /// p that forms clusters.
    pub cluster_p: f64,
    /// Random sign flips; with few subjects all of them are taken.
    pub flips: usize,
}

/// Which voxels belong to a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// Those that survive correction for the search over the brain.
    #[default]
    Fwe,
    /// The highest ones.
    Top,
}

/// Corrections for the search over the brain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Largest |t| under sign flips.
    MaxT,
    /// Threshold-free cluster enhancement.
    Tfce,
    /// False discovery rate.
    Fdr,
    /// Sum of t in clusters.
    ClusterMass,
}

impl Correction {
    /// Its name, as in a spec.
    fn name(self) -> &'static str {
        match self {
            Self::MaxT => "max_t",
            Self::Tfce => "tfce",
            Self::Fdr => "fdr",
            Self::ClusterMass => "cluster_mass",
        }
    }
}

impl Default for GroupSpec {
    fn default() -> Self {
        Self {
            threshold: Threshold::Fwe,
            top_percent: 3.0,
            alpha: 0.05,
            correction: vec![Correction::MaxT],
            connectivity: 26,
            cluster_p: 0.001,
            flips: 10_000,
        }
    }
}

fn default_radius() -> f64 {
    3.0
}

fn default_minimum_voxels() -> usize {
    10
}

fn default_methods() -> Vec<Method> {
    vec![Method::Raw, Method::SemiPartial]
}

fn default_ridge_lambda() -> f64 {
    0.1
}

/// A field, and what is wrong with it.
type Problem = (&'static str, String);

impl SearchlightSpec {
    /// The neighbourhood's shape.
    #[must_use]
    pub fn neighbourhood(&self) -> Shape {
        match (self.shape, self.unit) {
            // A whole number: `check` has seen to it.
            (ShapeName::Cube, _) => Shape::Cube { half_width: self.radius as usize },
            (ShapeName::Ball, LengthUnit::Voxels) => {
                Shape::Ball { radius: Radius::Voxels(self.radius), edge: self.rule }
            }
            (ShapeName::Ball, LengthUnit::Mm) => {
                Shape::Ball { radius: Radius::Millimetres(self.radius), edge: self.rule }
            }
        }
    }

    /// What is computed in each neighbourhood.
    #[must_use]
    pub fn options(&self) -> Options {
        Options { rsm: self.rsm, minimum_voxels: self.minimum_voxels }
    }

    /// What is done to the responses before.
    #[must_use]
    pub fn preparation(&self) -> Preparation {
        Preparation {
            noise_normalisation: self.noise_normalise,
            z_score_runs: self.zscore_runs,
            cocktail_blank: self.remove_mean_pattern,
        }
    }

    /// A method with its parameters.
    #[must_use]
    pub fn residual(&self, method: Method) -> Residual {
        match method {
            Method::Raw => Residual::Raw,
            Method::SemiPartial => Residual::SemiPartial,
            Method::Partial => Residual::Partial,
            Method::Adjacent => Residual::Adjacent,
            Method::Earlier => Residual::Earlier,
            Method::Regression => Residual::Regression,
            Method::Ridge => Residual::Ridge { lambda: self.ridge_lambda },
            Method::NonNegative => Residual::NonNegative,
            Method::UniqueVariance => Residual::UniqueVariance,
            Method::Loewdin => Residual::Loewdin,
        }
    }

    /// The method that decides thresholds, winners and permutations.
    #[must_use]
    pub fn deciding(&self) -> Method {
        self.methods.last().copied().unwrap_or(Method::Raw)
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let maps = self.map_problem().or_else(|| self.method_problem()).or_else(|| self.group.problem());
        maps.or_else(|| self.sets_problem())
    }

    fn sets_problem(&self) -> Option<Problem> {
        let sets = self.stimulus_sets.as_ref()?;
        if sets.synthesised == sets.natural {
            let problem = format!("both are '{}'; name two scans of the job", sets.natural);
            return Some(("searchlight.stimulus_sets", problem));
        }
        if self.deciding() == Method::Raw {
            let problem = "the last method is 'raw', so there is no residual to compare; write `methods = [\"raw\", \"semi_partial\"]`";
            return Some(("searchlight.methods", problem.to_owned()));
        }
        None
    }

    /// Refuses scans whose maps cannot be compared as `stimulus_sets` asks; those that a job goes on without are no error.
    pub(crate) fn check_sets(
        &self,
        scans: &[ScanFacts],
        models: usize,
        refused: &[Refused],
    ) -> Result<(), Error> {
        let Some(sets) = &self.stimulus_sets else { return Ok(()) };
        let (mut pair, absent) =
            (Vec::with_capacity(2), refused.iter().any(|card| card.kind == CardKind::Scan));
        for (field, name) in [("synthesised", &sets.synthesised), ("natural", &sets.natural)] {
            match scans.iter().find(|scan| scan.identifier == *name) {
                Some(scan) => pair.push(scan),
                None if absent => return Ok(()),
                None => {
                    let there =
                        scans.iter().map(|scan| scan.identifier.as_str()).collect::<Vec<_>>().join(", ");
                    let problem =
                        format!("stimulus_sets.{field}: no scan is called '{name}'; there are: {there}");
                    return Err(Error::Searchlight { problem });
                }
            }
        }
        let [synthesised, natural] = pair[..] else { return Ok(()) };
        let problem = if !same_layers(synthesised, natural, models) {
            "have no layers in common: both need `[stimuli]` and the job a model, or both the same `[[rdm]]`"
                .to_owned()
        } else if !same_place(synthesised, natural) {
            "do not lie in one space: they need the same `space` that all subjects have in common, or subjects of one name, on one grid"
                .to_owned()
        } else {
            return Ok(());
        };
        let (first, second) = (&synthesised.identifier, &natural.identifier);
        Err(Error::Searchlight { problem: format!("stimulus_sets: {first} and {second} {problem}") })
    }

    fn map_problem(&self) -> Option<Problem> {
        let (radius, least) = (self.radius, self.rsm.least_voxels());
        let whole = radius.fract() == 0.0 && radius <= ventral_searchlight::MAX_REACH_VOXELS as f64;
        if self.scans.is_empty() {
            return Some(("searchlight.scans", "the list is empty; name at least one card".to_owned()));
        }
        if self.scans.len() > MAX_ENTRIES {
            let problem = format!("{} entries; at most {MAX_ENTRIES}", self.scans.len());
            return Some(("searchlight.scans", problem));
        }
        if !(radius.is_finite() && radius > 0.0) {
            let problem = format!("found {radius}; write a number above 0, such as 3.0");
            return Some(("searchlight.radius", problem));
        }
        if self.shape == ShapeName::Cube && (!whole || self.unit == LengthUnit::Mm) {
            let problem = format!(
                "found {radius}; a cube has a whole number of voxels to each side: write `radius = 1.0`, `unit = \"voxels\"`"
            );
            return Some(("searchlight.radius", problem));
        }
        if self.minimum_voxels < least {
            let problem = format!("found {}; this RSM needs at least {least}", self.minimum_voxels);
            return Some(("searchlight.minimum_voxels", problem));
        }
        None
    }

    fn method_problem(&self) -> Option<Problem> {
        if self.methods.is_empty() {
            return Some(("searchlight.methods", "the list is empty; write `[\"raw\"]`".to_owned()));
        }
        if let Some(method) = twice(&self.methods) {
            return Some(("searchlight.methods", format!("'{}' is there twice", method.name())));
        }
        let other = self.methods.iter().find(|method| **method != Method::Raw);
        if let (Some(method), false) = (other, self.comparison.has_residuals()) {
            let problem = format!(
                "'{}' needs the comparison pearson, spearman or cosine; write `methods = [\"raw\"]`, or another comparison",
                method.name()
            );
            return Some(("searchlight.methods", problem));
        }
        if self.deciding().is_never_negative() {
            let problem = format!(
                "'{}' cannot decide: it is never negative, so noise alone is above 0; put it before another method",
                self.deciding().name()
            );
            return Some(("searchlight.methods", problem));
        }
        if !(self.ridge_lambda.is_finite() && self.ridge_lambda > 0.0) {
            let problem = format!("found {}; write a number above 0, such as 0.1", self.ridge_lambda);
            return Some(("searchlight.ridge_lambda", problem));
        }
        if self.permutations > MAX_PERMUTATIONS {
            let problem = format!("found {}; at most {MAX_PERMUTATIONS}", self.permutations);
            return Some(("searchlight.permutations", problem));
        }
        if self.permutations > 0 && self.comparison == Comparison::TauA {
            let problem =
                "tau_a cannot be permuted; use rho_a, which takes ties as tau_a does, or 0".to_owned();
            return Some(("searchlight.permutations", problem));
        }
        None
    }
}

/// Whether there are maps of both scans that show the same layers.
fn same_layers(first: &ScanFacts, second: &ScanFacts, models: usize) -> bool {
    let read = models > 0 && first.stimuli.is_some() && second.stimuli.is_some();
    read || (!first.rdms.is_empty() && first.rdms == second.rdms)
}

/// Whether a voxel of one scan is a place in the other.
fn same_place(first: &ScanFacts, second: &ScanFacts) -> bool {
    let common = first.has_common_space() && first.space == second.space;
    first.subjects.iter().any(|one| {
        let fits =
            |other: &&SubjectFacts| (common || one.id == other.id) && one.grid.same(&other.grid).is_ok();
        second.subjects.iter().any(|other| fits(&other))
    })
}

/// The first entry that was there before.
fn twice<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter().enumerate().find(|(i, entry)| list[..*i].contains(entry)).map(|(_, entry)| entry)
}

impl GroupSpec {
    fn problem(&self) -> Option<Problem> {
        let share = |value: f64, limit: f64| value > 0.0 && value < limit;
        if !share(self.top_percent, 100.0) {
            let problem = format!("found {}; write a number above 0 and below 100", self.top_percent);
            return Some(("searchlight.group.top_percent", problem));
        }
        if !share(self.alpha, 1.0) {
            let problem = format!("found {}; write a number above 0 and below 1, such as 0.05", self.alpha);
            return Some(("searchlight.group.alpha", problem));
        }
        if !share(self.cluster_p, 1.0) {
            let problem =
                format!("found {}; write a number above 0 and below 1, such as 0.001", self.cluster_p);
            return Some(("searchlight.group.cluster_p", problem));
        }
        if let Some(correction) = twice(&self.correction) {
            let problem = format!("'{}' is there twice", correction.name());
            return Some(("searchlight.group.correction", problem));
        }
        if ![6, 18, 26].contains(&self.connectivity) {
            let problem = format!("found {}; write 6, 18 or 26", self.connectivity);
            return Some(("searchlight.group.connectivity", problem));
        }
        if !(1..=MAX_DRAWS).contains(&self.flips) {
            let problem = format!("found {}; write 1 to {MAX_DRAWS}", self.flips);
            return Some(("searchlight.group.flips", problem));
        }
        None
    }
}
